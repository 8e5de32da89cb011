//! Runs whose targets are lists of labels of any length: what they learn, and what does not fit.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use ragged_datasets::formats::Format;
use ragged_train::config::Override;
use ragged_train::fit::{StepRecord, TrainState};
use ragged_train::objective::{edit_distance, token_error_rate};
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{Experiment, ExperimentConfig, Observer, Predictor, Result, RunDir};

const SOUNDS: &str = "
seed = 1
[data]
dataset = \"DIR/sounds_TRAIN.jsonl\"
valid_fraction = 0.2
read = { task = \"transcription\", tokenizer = \"characters\", repeat = 2 }
[model]
hidden_size = 16
bidirectional = true
[model.embedding]
size = 8
[train]
epochs = 30
batch_size = 16
lr = 0.02
monitor = \"token_error_rate\"
";

/// `a` is one sound, `x` two, and `e` none; `b` after `a` sounds otherwise than elsewhere.
fn sounds(word: &str) -> Vec<&'static str> {
    let before = std::iter::once(' ').chain(word.chars());
    let sounds = before.zip(word.chars()).flat_map(|pair| match pair {
        (_, 'a') => &["A"][..],
        (_, 'x') => &["K", "S"],
        ('a', 'b') => &["V"],
        (_, 'b') => &["B"],
        _ => &[],
    });
    sounds.copied().collect()
}

fn write(folder: &Path, part: &str, seed: u64, count: usize, extra: &str) {
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((state >> 33) % below) as usize
    };
    let mut lines = String::new();
    for _ in 0..count {
        let letters = 1 + draw(6);
        let word: String = (0..letters).map(|_| ["a", "b", "x", "e"][draw(4)]).collect();
        writeln!(lines, "{{\"text\": \"{word}\", \"target\": {:?}}}", sounds(&word)).unwrap();
    }
    std::fs::write(folder.join(format!("sounds_{part}.jsonl")), lines + extra).unwrap();
}

fn data(extra: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "TRAIN", 1, 300, extra);
    // A sequence without steps has no label right, and a target may be empty.
    let edges = "{\"text\": \"\", \"target\": [\"A\"]}\n{\"text\": \"\", \"target\": []}\n";
    write(folder.path(), "TEST", 2, 100, edges);
    folder
}

fn experiment(folder: &Path, overrides: &[(&str, &str)]) -> Result<Experiment> {
    let text = SOUNDS.replace("DIR", folder.to_str().unwrap());
    let overrides: Vec<_> =
        overrides.iter().map(|&(key, value)| Override::set(key, value)).collect();
    Experiment::new(ExperimentConfig::parse(&text, &overrides)?)
}

fn create(path: &Path, experiment: &Experiment) -> RunDir {
    RunDir::create(path, &experiment.config().to_toml().unwrap()).unwrap()
}

fn finish(outcome: Result<RunOutcome>) -> RunSummary {
    match outcome.unwrap() {
        RunOutcome::Finished(summary) => *summary,
        RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
    }
}

#[test]
fn a_transcription_is_trained_saved_and_used() {
    let folder = data("");
    let experiment = experiment(folder.path(), &[]).unwrap();
    let notes = experiment.notes().join("\n");
    let note = "target: 1 of 102 in the test data need more steps than their sequences have, first sequence 101, which \
                has 0 of 1; their loss counts as zero (data.read.repeat adds steps)";
    assert!(notes.contains(note) && !notes.contains("in the training data need"), "{notes}");
    let run = create(&folder.path().join("run"), &experiment);
    let summary = finish(experiment.run(&run, &mut ()));
    assert_eq!(summary.minimised, "CTC loss per label in nats");
    let rates = ["token_error_rate", "sequence_error_rate"].map(|n| summary.test.get(n).unwrap());
    // One label of one sequence cannot be right.
    assert!(rates[0] > 0.0 && rates[0] < 0.03 && rates[1] < 0.08, "{rates:?}");

    let predictor = Predictor::open(run.path()).unwrap();
    assert_eq!(predictor.evaluate(None, None).unwrap().metrics, summary.test);
    let path = folder.path().join("sounds_TEST.jsonl");
    let predictions = predictor.predict(&path).unwrap();
    // The rates, from the file of predictions and the file of targets.
    let lists = |text: &str, key: &str| -> Vec<Vec<String>> {
        let list = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            serde_json::from_value(line[key].clone()).unwrap()
        };
        text.lines().map(list).collect()
    };
    let predicted = lists(&predictions.to_json_lines(), "labels");
    let wanted = lists(&std::fs::read_to_string(&path).unwrap(), "target");
    assert_eq!(predicted.len(), 102);
    let pairs = predicted.iter().zip(&wanted).map(|(p, w)| (p.as_slice(), w.as_slice()));
    assert_eq!(token_error_rate(pairs.clone()), rates[0]);
    let wrong = pairs.filter(|(p, w)| edit_distance(p, w) > 0).count();
    assert_eq!(wrong as f64 / 102.0, rates[1]);

    let line = b"{\"text\": \"xab\"}\n";
    let labels = |predictor: &Predictor| {
        predictor.predict_bytes(line, Format::JsonLines).unwrap().to_json_lines()
    };
    let answer = "{\"series\":1,\"labels\":[\"K\",\"S\",\"A\",\"V\"]}\n";
    assert_eq!(labels(&predictor), answer);
    let error = predictor.to_onnx().unwrap_err().to_string();
    assert!(error.starts_with("data.read.task is transcription: ONNX has no operator"), "{error}");
    assert_eq!(labels(&predictor.with_beam(8)), answer);
    let error = ragged_runtime::Model::open(run.path()).unwrap_err().to_string();
    assert!(error.contains("labels"), "{error}");
}

/// Interrupts the run after some updates.
struct StopAfter(usize);

impl Observer for StopAfter {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        self.0 -= 1;
        Ok(if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[test]
fn a_run_that_is_resumed_ends_the_same() {
    let folder = data("");
    let start = |name: &str| {
        let experiment = experiment(folder.path(), &[("train.epochs", "2")]).unwrap();
        (create(&folder.path().join(name), &experiment), experiment)
    };
    let (whole, experiment) = start("whole");
    finish(experiment.run(&whole, &mut ()));
    let (stopped, experiment) = start("stopped");
    let outcome = experiment.run(&stopped, &mut StopAfter(20)).unwrap();
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    let resumed = Experiment::resume(&stopped).unwrap().experiment;
    finish(resumed.run(&stopped, &mut ()));
    for file in ["metrics.jsonl", "best.safetensors", "last.safetensors", "config.toml"] {
        let read = |run: &RunDir| std::fs::read(run.path().join(file)).unwrap();
        assert!(read(&whole) == read(&stopped), "{file}");
    }
}

/// The gradient of several small batches is that of one large batch.
#[test]
fn batches_weigh_every_sequence_equally() {
    let folder = data("");
    let losses = |size: &str, accumulate: &str| {
        let overrides = [
            ("train.batch_size", size),
            ("train.accumulate", accumulate),
            ("train.epochs", "1"),
            ("data.valid_fraction", "0"),
            ("train.monitor", "loss"),
        ];
        let experiment = experiment(folder.path(), &overrides).unwrap();
        let run = create(&folder.path().join(format!("run-{size}")), &experiment);
        finish(experiment.run(&run, &mut ())).test.loss
    };
    let (whole, parts) = (losses("60", "1"), losses("20", "3"));
    assert!((whole - parts).abs() < 1e-4 * whole, "{whole} and {parts}");
}

#[test]
fn what_does_not_fit_is_refused_before_training() {
    let folder = data("");
    let error =
        |overrides: &[(&str, &str)]| experiment(folder.path(), overrides).unwrap_err().to_string();
    for (key, value, message) in [
        (
            "train.loss",
            "mse",
            "train.loss is mse, but the targets are lists of labels: expected ctc, or another data.read.task",
        ),
        (
            "train.bptt_steps",
            "4",
            "train.bptt_steps is given, but the data have tokens: expected 0",
        ),
        (
            "model.readout",
            "last",
            "model.readout is last, but the targets are lists of labels: expected steps",
        ),
        (
            "model.crf",
            "true",
            "model.crf is true, but the targets are lists of labels: expected one class per time step",
        ),
        (
            "train.class_weights",
            "balanced",
            "train.class_weights is given, but train.loss is ctc: expected cross-entropy",
        ),
    ] {
        assert_eq!(error(&[(key, value)]), message);
    }
    let message = "train.monitor is accuracy: expected loss, token_error_rate or sequence_error_rate for these targets";
    assert_eq!(error(&[("train.monitor", "accuracy")]), message);
    assert!(error(&[("data.read.repeat", "0")]).contains("data.read.repeat"));
    let classes = folder.path().join("classes.jsonl");
    let lines = "{\"text\": \"ab\", \"target\": \"x\"}\n{\"text\": \"b\", \"target\": \"y\"}\n";
    std::fs::write(&classes, lines.repeat(20)).unwrap();
    let classes = [
        ("data.dataset", classes.to_str().unwrap()),
        ("data.read.task", "classification"),
        ("data.read.repeat", "2"),
        ("train.monitor", "loss"),
    ];
    let message = "data.read.repeat is 2, but the targets are not lists of labels: expected 1";
    assert_eq!(error(&classes), message);
    // Labels per step are for as many steps as are read.
    let labelling = error(&[("data.read.task", "sequence-labelling")]);
    assert!(labelling.contains("expected one label for each of"), "{labelling}");
    write(folder.path(), "TRAIN", 1, 300, "{\"text\": \"a\", \"target\": \"A\"}\n");
    let missing = error(&[]);
    assert!(
        missing.contains("line 301") && missing.contains("expected a list of labels, got"),
        "{missing}"
    );
}
