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
    let path = folder.path().join("holes.jsonl");
    let line = |k: usize| match k {
        7 => "{\"sequence\": [[1, 2], [null, 3]], \"target\": \"b\"}\n".to_string(),
        _ => {
            format!("{{\"sequence\": [[{k}, 2], [3, 4]], \"target\": \"{}\"}}\n", ["a", "b"][k % 2])
        }
    };
    std::fs::write(&path, (0..20).map(line).collect::<String>()).unwrap();
    let text = format!(
        "[data]\ndataset = {:?}\n[train]\nepochs = 1\nbatch_size = 4\n",
        path.display().to_string()
    );
    // The seed determines the split: use one that puts the missing value into the training data.
    let run = RunDir::create(&folder.path().join("run"), &text).unwrap();
    let error = (0..20)
        .find_map(|seed: u64| {
            let seed = Override::set("seed", seed.to_string());
            let config = ExperimentConfig::parse(&text, &[seed]).unwrap();
            Experiment::new(config).unwrap().run(&run, &mut ()).err()
        })
        .unwrap();
    let Error::NonFinite { what, saved: Some(saved), .. } = &error else { panic!("{error}") };
    assert_eq!(*what, "loss");
    assert!(error.to_string().contains("stopped before the update, batch saved in "), "{error}");
    let tensors = candle_core::safetensors::load(saved, &candle_core::Device::Cpu).unwrap();
    let input = tensors["input"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(input.iter().filter(|v| v.is_nan()).count(), 1);
    assert_eq!(tensors["lengths"].to_vec1::<i64>().unwrap(), [2; 4]);
    assert_eq!((tensors["target"].dims(), tensors["indices"].dims()), (&[4][..], &[4][..]));
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
