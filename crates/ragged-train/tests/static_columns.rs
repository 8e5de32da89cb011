//! Runs with static columns: what they learn, what they save, and what does not fit.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use ragged_train::config::Override;
use ragged_train::fit::{Observer, StepRecord, TrainState};
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{Experiment, ExperimentConfig, Predictor, Result, RunDir};

const SITES: &str = "
seed = 1
[data]
dataset = \"DIR/sites_TRAIN.csv\"
read.csv.types = { region = \"static\", altitude = \"static\" }
[model]
hidden_size = 8
[train]
epochs = 30
batch_size = 16
lr = 0.02
";

/// Series whose target is the sum of the last value, an offset of the region, and the altitude in kilometres.
fn sites(folder: &Path, part: &str, count: usize) {
    let mut lines = "series_id,time,x,region,altitude,target\n".to_string();
    for k in 0..count {
        let (region, offset) = [("north", 3.0), ("south", -3.0), ("east", 0.0)][k % 3];
        let altitude = (k * 37 % 11) as f64 * 100.0;
        let values =
            (0..2 + k % 3).map(|t| ((k * 5 + t * 3) % 7) as f64 * 0.25).collect::<Vec<_>>();
        let target = values[values.len() - 1] + offset + altitude / 1000.0;
        for (t, x) in values.iter().enumerate() {
            writeln!(lines, "s{k},{t},{x},{region},{altitude},{target}").unwrap();
        }
    }
    std::fs::write(folder.join(format!("sites_{part}.csv")), lines).unwrap();
}

fn experiment(folder: &Path, overrides: &[(&str, &str)]) -> Result<Experiment> {
    let text = SITES.replace("DIR", folder.to_str().unwrap());
    let overrides: Vec<_> =
        overrides.iter().map(|&(key, value)| Override::set(key, value)).collect();
    Experiment::new(ExperimentConfig::parse(&text, &overrides)?)
}

fn create(path: &Path, experiment: &Experiment) -> RunDir {
    RunDir::create(path, &experiment.config().to_toml().unwrap()).unwrap()
}

#[track_caller]
fn finish(run: &RunDir, experiment: &Experiment) -> RunSummary {
    match experiment.run(run, &mut ()).unwrap() {
        RunOutcome::Finished(summary) => *summary,
        RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
    }
}

/// Stops after some updates.
struct Stop(usize);

impl Observer for Stop {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        self.0 -= 1;
        Ok(if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[test]
fn a_run_learns_from_static_columns_and_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sites(folder, "TRAIN", 120);
    sites(folder, "TEST", 30);
    for join in ["head", "state"] {
        let overrides = [("model.static", join), ("model.head_dropout", "0.05")];
        let first = experiment(folder, &overrides).unwrap();
        let path = folder.join(join);
        let run = create(&path, &first);
        let summary = finish(&run, &first);
        let r2 = summary.test.r2().unwrap();
        assert!(r2 > 0.8, "{join}: {r2}");

        let predictor = Predictor::open(&path).unwrap();
        let again = predictor.evaluate(None, None).unwrap();
        assert_eq!(again.metrics.loss.to_bits(), summary.test.loss.to_bits());
        // The columns in another order, and one series alone.
        let later = folder.join("later.csv");
        let rows = "region,x,altitude,series_id\nnorth,0.5,300,a\nsouth,0.5,300,b\n";
        std::fs::write(&later, rows).unwrap();
        let both = predictor.predict(&later).unwrap();
        let value = |row: usize| both.rows[row].values[0][0];
        assert!(value(0) - value(1) > 2.0, "{join}: {} and {}", value(0), value(1));
        std::fs::write(&later, "region,x,altitude,series_id\nsouth,0.5,300,b\n").unwrap();
        let alone = predictor.predict(&later).unwrap();
        assert_eq!(alone.rows[0].values, both.rows[1].values);

        let interrupted = folder.join(format!("{join}-interrupted"));
        let second = experiment(folder, &overrides).unwrap();
        let resumed = create(&interrupted, &second);
        let outcome = second.run(&resumed, &mut Stop(101)).unwrap();
        assert!(matches!(outcome, RunOutcome::Interrupted(_)));
        let second = Experiment::resume(&resumed).unwrap().experiment;
        finish(&resumed, &second);
        let bytes = |run: &RunDir| std::fs::read(run.last()).unwrap();
        assert!(bytes(&run) == bytes(&resumed), "{join}: other bytes");

        assert!(predictor.to_onnx().is_ok());
    }
}

#[test]
fn what_does_not_fit_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sites(folder, "TRAIN", 30);
    let error = |overrides: &[(&str, &str)]| match experiment(folder, overrides) {
        Ok(_) => panic!("{overrides:?}"),
        Err(error) => error.to_string(),
    };
    let message = "train.bptt_steps is given, but the data have static columns: expected 0";
    assert!(error(&[("train.bptt_steps", "2")]).contains(message));
    let none = ("data.read.csv.types", "{ region = \"ignored\" }");
    let message = "model.static is given, but the data have no static columns";
    assert!(error(&[none, ("model.static", "state")]).contains(message));
    let message = "model.static_size is 0: expected 1 to 16384";
    assert!(error(&[("model.static_size", "0")]).contains(message));
    let path = folder.join("sites_TRAIN.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen(",north,0,", ",west,0,", 1)).unwrap();
    let message = "static column `region` changes within series `s0`: expected `west` as in line 2, got `north`";
    assert!(error(&[]).contains(message), "{}", error(&[]));
}
