//! `train.recompute` changes no result of a run, and may change when a run is resumed.

use std::ops::ControlFlow;
use std::path::Path;

use ragged_models::Recompute;
use ragged_train::config::Override;
use ragged_train::fit::{StepRecord, TrainState};
use ragged_train::run::RunOutcome;
use ragged_train::{Experiment, ExperimentConfig, Observer, Result, RunDir};

const SMALL: &str = "
seed = 3
[model]
hidden_size = 4
num_layers = 2
dropout = 0.2
[data.sums]
num_samples = 20
seq_length = 30
input_size = 2
held_out = 10
[train]
epochs = 2
batch_size = 6
";

fn parse(overrides: &[(&str, &str)]) -> Result<ExperimentConfig> {
    let overrides = overrides.iter().map(|&(key, value)| Override::set(key, value));
    ExperimentConfig::parse(SMALL, &overrides.collect::<Vec<_>>())
}

fn create(path: &Path, overrides: &[(&str, &str)]) -> (RunDir, Experiment) {
    let experiment = Experiment::new(parse(overrides).unwrap()).unwrap();
    let run = RunDir::create(path, &experiment.config().to_toml().unwrap()).unwrap();
    (run, experiment)
}

/// The metrics of a finished run, and the bits of its parameters.
fn results(run: &RunDir, experiment: &Experiment) -> (String, Vec<u32>) {
    let metrics = std::fs::read_to_string(run.metrics()).unwrap();
    let named = experiment.parameters().named().into_iter();
    let bits = named.flat_map(|(_, parameter)| {
        parameter.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits)
    });
    (metrics, bits.collect())
}

struct StopAfter(usize);

impl Observer for StopAfter {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        self.0 = self.0.saturating_sub(1);
        Ok(if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[test]
fn a_run_has_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let ways: [&[(&str, &str)]; 3] =
        [&[], &[("train.bptt_steps", "8")], &[("model.bidirectional", "true")]];
    for (case, way) in ways.into_iter().enumerate() {
        let run = |name: &str, recompute: &[(&str, &str)]| {
            let path = folder.path().join(format!("{case}-{name}"));
            let (run, experiment) = create(&path, &[way, recompute].concat());
            experiment.run(&run, &mut ()).unwrap();
            results(&run, &experiment)
        };
        let kept = run("kept", &[]);
        for steps in ["1", "5", "auto"] {
            assert!(run(steps, &[("train.recompute", steps)]) == kept, "{way:?} {steps}");
        }
    }
}

/// It is not part of a run's identity: a run that does not fit into memory can go on with another value.
#[test]
fn a_run_is_resumed_with_another_value() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, experiment) = create(&folder.path().join("whole"), &[]);
    experiment.run(&whole, &mut ()).unwrap();
    let (run, experiment_before) = create(&folder.path().join("resumed"), &[]);
    let outcome = experiment_before.run(&run, &mut StopAfter(5)).unwrap();
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    let text = std::fs::read_to_string(run.config()).unwrap();
    std::fs::write(run.config(), text.replace("[train]\n", "[train]\nrecompute = 7\n")).unwrap();
    let resumed = Experiment::resume(&run).unwrap().experiment;
    assert_eq!(resumed.config().train.recompute, Recompute::every(7));
    resumed.run(&run, &mut ()).unwrap();
    assert!(results(&run, &resumed) == results(&whole, &experiment));
}

#[test]
fn a_value_that_is_no_number_of_steps_is_an_error() {
    let of = |value: &str| parse(&[("train.recompute", value)]);
    assert_eq!(of("1000").unwrap().train.recompute, Recompute::every(1000));
    assert_eq!(of("auto").unwrap().train.recompute, Some(Recompute::Auto));
    assert_eq!(parse(&[]).unwrap().train.recompute, None);
    for (value, got) in [("0", "0"), ("-3", "-3"), ("often", "the text \"often\""), ("1.5", "1.5")]
    {
        let error = of(value).unwrap_err().to_string();
        let expected = format!(
            "--set train.recompute={value}: train.recompute: expected \"auto\" or a whole number of \
             at least 1, got {got}"
        );
        assert_eq!(error, expected);
    }
    let config = of("auto").unwrap();
    assert_eq!(ExperimentConfig::parse(&config.to_toml().unwrap(), &[]).unwrap(), config);
}
