//! A run that is interrupted after any update and resumed equals the uninterrupted run; and runs that
//! end early.

use std::path::Path;

use std::ops::ControlFlow;

use ragged_train::config::Override;
use ragged_train::fit::{StepRecord, TrainState};
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{Error, Experiment, ExperimentConfig, Observer, Result, RunDir};

const SMALL: &str = "
seed = 3
[model]
hidden_size = 4
[data.sums]
num_samples = 20
seq_length = 9
input_size = 2
held_out = 10
[train]
epochs = 2
batch_size = 6
";

fn config(overrides: &[(&str, &str)]) -> ExperimentConfig {
    let overrides = overrides.iter().map(|&(key, value)| Override::set(key, value));
    ExperimentConfig::parse(SMALL, &overrides.collect::<Vec<_>>()).unwrap()
}

/// Interrupts the run after some updates.
struct StopAfter {
    left: usize,
}

impl Observer for StopAfter {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        self.left = self.left.saturating_sub(1);
        Ok(if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn create(path: &Path, overrides: &[(&str, &str)]) -> (RunDir, Experiment) {
    let experiment = Experiment::new(config(overrides)).unwrap();
    let run = RunDir::create(path, &experiment.config().to_toml().unwrap()).unwrap();
    (run, experiment)
}

fn finish(outcome: Result<RunOutcome>) -> RunSummary {
    match outcome.unwrap() {
        RunOutcome::Finished(summary) => *summary,
        RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
    }
}

#[test]
fn a_run_interrupted_after_any_update_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [&[(&str, &str)]; 5] = [
        &[("model.num_layers", "2"), ("model.dropout", "0.4"), ("model.bidirectional", "true")],
        &[("train.bptt_steps", "3"), ("model.head_dropout", "0.2"), ("train.ema_decay", "0.8")],
        &[("train.max_tokens", "30"), ("train.batch_size", "6"), ("data.bucket_size", "10")],
        &[("train.accumulate", "2"), ("data.workers", "2"), ("checkpoint.keep", "3")],
        &[
            ("train.schedule.name", "plateau"),
            ("train.schedule.patience", "0"),
            ("train.optimizer.name", "sgd"),
            ("train.optimizer.momentum", "0.9"),
        ],
    ];
    for (case, overrides) in cases.into_iter().enumerate() {
        // A batch has either a number of sequences or a number of tokens.
        let tokens = overrides.iter().any(|(key, _)| *key == "train.max_tokens");
        let overrides: Vec<_> = overrides
            .iter()
            .copied()
            .filter(|(key, _)| !tokens || *key != "train.batch_size")
            .collect();
        let text = if tokens { SMALL.replace("batch_size = 6\n", "") } else { SMALL.to_string() };
        let overrides: Vec<_> = overrides.iter().map(|&(k, v)| Override::set(k, v)).collect();
        let config = ExperimentConfig::parse(&text, &overrides).unwrap();
        let path = |name: String| folder.path().join(format!("{case}-{name}"));
        let start = |name: String| {
            let experiment = Experiment::new(config.clone()).unwrap();
            let text = experiment.config().to_toml().unwrap();
            (RunDir::create(&path(name), &text).unwrap(), experiment)
        };
        let (whole, experiment) = start("whole".into());
        let summary = finish(experiment.run(&whole, &mut ()));
        for stop in 1..=summary.updates as usize {
            let (run, experiment) = start(stop.to_string());
            let outcome = experiment.run(&run, &mut StopAfter { left: stop }).unwrap();
            let RunOutcome::Interrupted(at) = outcome else {
                panic!("{case}: not stopped at {stop}")
            };
            assert_eq!(at.updates, stop as u64);
            let resumed = Experiment::resume(&run).unwrap();
            assert!(resumed.damaged.is_empty());
            assert_eq!(resumed.experiment.position().unwrap(), &*at, "{case}, {stop}");
            assert_eq!(finish(resumed.experiment.run(&run, &mut ())).test, summary.test);
            for file in ["metrics.jsonl", "last.safetensors", "best.safetensors"] {
                let bytes = |run: &RunDir| std::fs::read(run.path().join(file)).unwrap();
                assert!(bytes(&run) == bytes(&whole), "case {case}, stopped after {stop}: {file}");
            }
        }
    }
}

#[test]
fn a_run_without_improvement_stops_early() {
    let folder = tempfile::tempdir().unwrap();
    let rule = [
        ("train.epochs", "50"),
        ("train.early_stopping.patience", "3"),
        // No epoch improves on the first one by that much.
        ("train.early_stopping.min_delta", "1e9"),
    ];
    let (run, experiment) = create(&folder.path().join("run"), &rule);
    let summary = finish(experiment.run(&run, &mut ()));
    assert_eq!(summary.epochs, 4);
    assert_eq!(run.read_metrics().unwrap().len(), 4);
    // A finished run does not train further when it is resumed.
    let resumed = Experiment::resume(&run).unwrap();
    let again = finish(resumed.experiment.run(&run, &mut ()));
    assert_eq!(RunSummary { seconds: 0.0, ..again }, RunSummary { seconds: 0.0, ..summary });
}

#[test]
fn a_batch_that_is_not_finite_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.jsonl");
    // The square of the error overflows, where the targets are not scaled.
    let target = |k: usize| if k == 7 { 1e30 } else { k as f64 };
    let line =
        |k: usize| format!("{{\"sequence\": [[{k}, 2], [3, 4]], \"target\": {}}}\n", target(k));
    std::fs::write(&path, (0..20).map(line).collect::<String>()).unwrap();
    let text = format!(
        "[data]\ndataset = {:?}\ntarget_transform = \"none\"\n[train]\nepochs = 1\nbatch_size = 4\n",
        path.display().to_string()
    );
    // The seed determines the split: use one that puts the large target into the training data.
    let run = RunDir::create(&folder.path().join("run"), &text).unwrap();
    let error = (0..20)
        .find_map(|seed: u64| {
            let seed = Override::set("seed", seed.to_string());
            let config = ExperimentConfig::parse(&text, &[seed]).unwrap();
            let error = Experiment::new(config).unwrap().run(&run, &mut ()).err()?;
            matches!(error, Error::NonFinite { .. }).then_some(error)
        })
        .unwrap();
    let Error::NonFinite { what, saved: Some(saved), .. } = &error else { panic!("{error}") };
    assert_eq!(*what, "loss");
    assert!(error.to_string().contains("stopped before the update, batch saved in "), "{error}");
    let tensors = candle_core::safetensors::load(saved, &candle_core::Device::Cpu).unwrap();
    let target = tensors["target"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(target.iter().filter(|&&target| target == 1e30).count(), 1);
    assert_eq!(tensors["lengths"].to_vec1::<i64>().unwrap(), [2; 4]);
    assert_eq!((tensors["target"].dims(), tensors["indices"].dims()), (&[4, 1][..], &[4][..]));
}

/// One batch, repeated in every epoch, is learnt almost exactly, and there are no validation data.
#[test]
fn a_few_batches_are_overfitted() {
    let folder = tempfile::tempdir().unwrap();
    let rule = [
        ("train.overfit_batches", "1"),
        ("train.epochs", "300"),
        ("train.lr", "0.05"),
        ("model.hidden_size", "16"),
    ];
    let (run, experiment) = create(&folder.path().join("run"), &rule);
    let summary = finish(experiment.run(&run, &mut ()));
    assert_eq!(summary.updates, 300);
    let records = run.read_metrics().unwrap();
    let (first, last) = (&records[0], &records[299]);
    assert!(
        last.train.loss < first.train.loss / 1000.0,
        "{} to {}",
        first.train.loss,
        last.train.loss
    );
    assert!(last.valid.is_none());
}

/// The time estimate restores the parameters.
#[test]
fn a_time_estimate_does_not_change_the_parameters() {
    let experiment = Experiment::new(config(&[])).unwrap();
    let values = || -> Vec<Vec<f32>> {
        let state = experiment.parameters().state_dict();
        state.values().map(|t| t.flatten_all().unwrap().to_vec1().unwrap()).collect()
    };
    let before = values();
    let estimate = experiment.estimate_time().unwrap();
    assert_eq!((estimate.updates, estimate.tried), (8, 8));
    assert!(estimate.seconds_per_update > 0.0);
    assert_eq!(values(), before);
}

/// Writes `count` series of two features; `line` returns the JSON of series k.
fn series(path: &Path, count: usize, line: impl Fn(usize) -> String) -> String {
    std::fs::write(path, (0..count).map(|k| line(k) + "\n").collect::<String>()).unwrap();
    format!("[data]\ndataset = {:?}\n", path.display().to_string())
}

/// A missing value in the validation or test data made every metric NaN, and the run failed at its end.
#[test]
fn a_missing_value_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let text = series(&folder.path().join("gap.jsonl"), 20, |k| {
        let second = if k == 7 { "null".to_string() } else { k.to_string() };
        format!(
            "{{\"id\": \"s{k}\", \"sequence\": [{{\"a\": {k}, \"b\": 2}}, {{\"a\": {second}, \"b\": 4}}], \
             \"target\": {k}}}"
        )
    });
    let text = text + "valid_fraction = 0.3\n[train]\nepochs = 1\n";
    let mut parts = std::collections::BTreeSet::new();
    for seed in 0..30u64 {
        let seed = Override::set("seed", seed.to_string());
        let config = ExperimentConfig::parse(&text, &[seed]).unwrap();
        let error = Experiment::new(config).unwrap_err();
        let Error::Input { part, step: 2, .. } = &error else { panic!("{error}") };
        let named = ", sequence s7, step 2: feature a is missing; data.transforms";
        assert!(error.to_string().contains(named), "{error}");
        parts.insert(*part);
    }
    let all = ["test data", "training data", "validation data"];
    assert!(parts.into_iter().eq(all.map(Some)));
    let filled = text.replace("[train]", "transforms = [{ name = \"mean-fill\" }]\n[train]");
    Experiment::new(ExperimentConfig::parse(&filled, &[]).unwrap()).unwrap();
}

/// The first epoch was once kept as the best, and training stopped early.
#[test]
fn an_undefined_monitor_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("constant.jsonl");
    let text = series(&path, 20, |k| format!("{{\"sequence\": [[{k}, 2]], \"target\": 3.5}}"));
    let text = text + "valid_fraction = 0.3\n[train]\nepochs = 2\n";
    let monitor = |name: &str| {
        let monitor = Override::set("train.monitor", format!("{name:?}"));
        Experiment::new(ExperimentConfig::parse(&text, &[monitor]).unwrap())
    };
    let error = monitor("r2").unwrap_err().to_string();
    let part = "train.monitor is r2, which is undefined for the validation data";
    assert!(error.contains(part), "{error}");
    let run = RunDir::create(&folder.path().join("run"), &text).unwrap();
    let summary = finish(monitor("loss").unwrap().run(&run, &mut ()));
    assert!(summary.test.r2().unwrap().is_nan() && summary.test.loss.is_finite());
    let text = std::fs::read_to_string(run.summary()).unwrap();
    assert!(text.contains("\"r2\": \"NaN\""), "{text}");
}

/// The mean of no terms is NaN. It once ended the training, and made the validation loss NaN.
#[test]
fn batches_of_empty_sequences_count_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.jsonl");
    let text = series(&path, 20, |k| match k % 3 {
        0 => "{\"sequence\": [], \"target\": []}".into(),
        _ => format!("{{\"sequence\": [[{k}, 2], [1, 2]], \"target\": [\"a\", \"b\"]}}"),
    });
    let text = text + "valid_fraction = 0.3\n[model]\nreadout = \"steps\"\n";
    for batch_size in [1, 4] {
        let text = format!("{text}[train]\nepochs = 2\nbatch_size = {batch_size}\n");
        let config = ExperimentConfig::parse(&text, &[]).unwrap();
        let path = folder.path().join(batch_size.to_string());
        let run = RunDir::create(&path, &text).unwrap();
        let summary = finish(Experiment::new(config).unwrap().run(&run, &mut ()));
        assert!(summary.test.loss.is_finite());
        for record in run.read_metrics().unwrap() {
            assert!(record.train.loss.is_finite() && record.valid.unwrap().loss.is_finite());
        }
    }
}

/// Edited rates, seeds and readouts once went on in silence.
#[test]
fn a_changed_run_is_refused_or_forced() {
    let folder = tempfile::tempdir().unwrap();
    let (run, experiment) = create(&folder.path().join("run"), &[]);
    let outcome = experiment.run(&run, &mut StopAfter { left: 3 }).unwrap();
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    let saved = std::fs::read(run.last()).unwrap();
    let edit = |overrides: &[(&str, &str)]| {
        std::fs::write(run.config(), config(overrides).to_toml().unwrap()).unwrap();
    };
    for (key, value) in [
        ("seed", "4"),
        ("train.lr", "0.5"),
        ("train.batch_size", "5"),
        ("train.epochs", "3"),
        ("train.clip_grad_norm", "0.1"),
        ("model.readout", "\"mean\""),
        ("model.dropout", "0.5"),
        ("data.bucket_size", "12"),
        ("data.sums.seq_length", "8"),
        ("checkpoint.keep", "2"),
    ] {
        edit(&[(key, value)]);
        let error = Experiment::resume(&run).unwrap_err();
        let Error::RunChanged { differences, .. } = &error else { panic!("{key}: {error}") };
        assert_eq!(differences.len(), 1, "{error}");
        assert_eq!((differences[0].name.as_str(), differences[0].now.as_str()), (key, value));
        assert_eq!(std::fs::read(run.last()).unwrap(), saved, "{key}");
    }
    for (key, value) in
        [("name", "\"other\""), ("data.workers", "1"), ("checkpoint.every_steps", "2")]
    {
        edit(&[(key, value)]);
        assert!(Experiment::resume(&run).is_ok(), "{key}");
    }
    edit(&[("train.epochs", "3"), ("seed", "4")]);
    let resumed = Experiment::resume_changed(&run).unwrap();
    assert_eq!(resumed.differences.len(), 2);
    let summary = finish(resumed.experiment.run(&run, &mut ()));
    assert_eq!((summary.epochs, summary.forced.len()), (3, 1));
    assert_eq!(
        (summary.forced[0].updates, &summary.forced[0].differences),
        (3, &resumed.differences)
    );
    // What was forced is part of the run from then on.
    let again = Experiment::resume(&run).unwrap();
    let again = finish(again.experiment.run(&run, &mut ()));
    assert_eq!(again.forced, summary.forced);
}
