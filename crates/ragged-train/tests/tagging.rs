//! Runs with a CRF: what it adds, what is saved, and what does not fit.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use ragged_datasets::formats::Format;
use ragged_runtime::{Sequence, Tokens};
use ragged_train::config::Override;
use ragged_train::fit::{StepRecord, TrainState};
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{Experiment, ExperimentConfig, Observer, Predictor, Result, RunDir};

const TAGS: &str = "
seed = 4
[data]
dataset = \"DIR/tags_TRAIN.jsonl\"
valid = \"DIR/tags_VALID.jsonl\"
[model]
hidden_size = 2
[model.embedding]
size = 3
[train]
epochs = 6
batch_size = 16
lr = 0.05
";

const CYCLE: [&str; 3] = ["B-X", "I-X", "O"];

/// Tags go round in a cycle. Three words of five name their tag, the others any tag, so that the tags before and after
/// tell more than the word.
fn write(folder: &Path, part: &str, seed: u64, count: usize, extra: &str) {
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let mut lines = String::new();
    for _ in 0..count {
        // I-X begins no sequence.
        let (phase, steps) = (2 * draw(2) as usize, 1 + draw(9) as usize);
        let tags: Vec<&str> = (0..steps).map(|step| CYCLE[(phase + step) % 3]).collect();
        let words: Vec<&str> = tags
            .iter()
            .map(|tag| if draw(5) < 3 { *tag } else { CYCLE[draw(3) as usize] })
            .map(|tag| {
                ["begin", "inside", "outside"][CYCLE.iter().position(|t| *t == tag).unwrap()]
            })
            .collect();
        writeln!(lines, "{{\"tokens\": {words:?}, \"target\": {tags:?}}}").unwrap();
    }
    std::fs::write(folder.join(format!("tags_{part}.jsonl")), lines + extra).unwrap();
}

fn data(extra: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "TRAIN", 1, 200, extra);
    write(folder.path(), "VALID", 2, 40, "");
    // A sequence without steps has a prediction without labels.
    write(folder.path(), "TEST", 3, 100, "{\"tokens\": [], \"target\": []}\n");
    folder
}

fn experiment(folder: &Path, overrides: &[(&str, &str)]) -> Result<Experiment> {
    let text = TAGS.replace("DIR", folder.to_str().unwrap());
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

const CRF: [(&str, &str); 3] =
    [("model.crf", "true"), ("model.crf_constraints", "bio"), ("train.monitor", "span_f1")];

#[test]
fn a_crf_uses_what_neighbouring_tags_tell() {
    let folder = data("");
    let test = |name: &str, overrides: &[(&str, &str)]| {
        let experiment = experiment(folder.path(), overrides).unwrap();
        finish(experiment.run(&create(&folder.path().join(name), &experiment), &mut ())).test
    };
    let (plain, crf) = (test("plain", &[]), test("crf", &CRF));
    // Measured: 0.74 and 0.87 for the accuracy, 0.65 and 0.85 for the spans.
    for metric in ["accuracy", "f1", "span_f1", "span_precision", "span_recall"] {
        let (plain, crf) = (plain.get(metric).unwrap(), crf.get(metric).unwrap());
        assert!(crf > plain + 0.1, "{metric}: {plain} and {crf}");
    }
    // Scores of single classes mean nothing under a CRF.
    assert!(plain.get("auc").is_some() && crf.get("auc").is_none());
}

#[test]
fn predictions_are_the_best_paths_of_the_evaluation() {
    let folder = data("");
    let experiment = experiment(folder.path(), &CRF).unwrap();
    let run = create(&folder.path().join("run"), &experiment);
    let summary = finish(experiment.run(&run, &mut ()));
    let predictor = Predictor::open(run.path()).unwrap();
    let evaluation = predictor.evaluate(None, None).unwrap();
    assert_eq!(evaluation.metrics, summary.test);
    assert!(summary.minimised.starts_with("negative log-likelihood of the CRF per step"));

    let path = folder.path().join("tags_TEST.jsonl");
    let predictions = predictor.predict(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut right, mut steps, mut marginal_differs) = (0, 0, false);
    for (line, prediction) in text.lines().zip(&predictions.rows) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let labels = predictor.targets().labels().unwrap();
        let path: Vec<&str> = prediction
            .decoded
            .as_ref()
            .unwrap()
            .iter()
            .map(|&class| labels[class as usize].as_str())
            .collect();
        let wanted: Vec<&str> =
            line["target"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert_eq!((path.len(), prediction.values.len()), (wanted.len(), wanted.len()));
        right += path.iter().zip(&wanted).filter(|(path, wanted)| path == wanted).count();
        steps += wanted.len();
        for (step, probabilities) in prediction.values.iter().enumerate() {
            assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{probabilities:?}");
            let likely =
                (0..3).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap();
            marginal_differs |= labels[likely] != path[step];
            if path[step] == "I-X" {
                assert!(step > 0 && path[step - 1] != "O", "{path:?}");
            }
        }
    }
    assert_eq!(summary.test.accuracy().unwrap(), right as f64 / steps as f64);
    assert!(predictions.rows.last().unwrap().values.is_empty());
    // The path is not the tags that are most probable one by one.
    assert!(marginal_differs);
    assert!(
        predictions
            .to_json_lines()
            .ends_with("{\"series\":101,\"label\":[],\"probabilities\":[]}\n")
    );

    // A sequence is predicted alone as in its batch.
    let line = text.lines().nth(5).unwrap();
    let alone = predictor.predict_bytes(line.as_bytes(), Format::JsonLines).unwrap();
    assert_eq!(alone.rows[0], predictions.rows[5]);

    let error = predictor.to_onnx().unwrap_err().to_string();
    assert!(
        error.starts_with("model.crf is true: ONNX has no operator for the best path"),
        "{error}"
    );
    let model = ragged_runtime::Model::open(run.path()).unwrap();
    let tokens: Vec<Vec<String>> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| serde_json::from_value(line["tokens"].clone()).unwrap())
        .collect();
    let tokens: Vec<Vec<&str>> =
        tokens.iter().map(|tokens| tokens.iter().map(String::as_str).collect()).collect();
    let sequence = |tokens| Sequence { tokens: Tokens::Texts(tokens), ..Default::default() };
    let sequences: Vec<Sequence> = tokens.iter().map(|tokens| sequence(tokens)).collect();
    let paths = model.predict_paths(&sequences).unwrap();
    assert_eq!(paths.len(), predictions.rows.len());
    for (path, want) in paths.iter().zip(&predictions.rows) {
        assert_eq!(Some(&path.classes), want.decoded.as_ref());
        let marginals: Vec<f64> = path.marginals.iter().copied().map(f64::from).collect();
        assert_eq!(marginals, want.values.concat());
    }
    let error = model.predict_sequences(&sequences).unwrap_err().to_string();
    assert_eq!(error, "model.crf: expected predict_paths, as the model has one");
    // Other data must keep to the constraints too.
    let bad = folder.path().join("bad.jsonl");
    std::fs::write(&bad, "{\"tokens\": [\"begin\", \"inside\"], \"target\": [\"O\", \"I-X\"]}\n")
        .unwrap();
    let error = predictor.evaluate(Some(bad.to_str().unwrap()), None).unwrap_err().to_string();
    assert_eq!(error, "model.crf_constraints forbids I-X after O in the data, sequence 1, step 2");
}

#[test]
fn a_crf_over_numbers_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let line = |k: usize| {
        let values: Vec<usize> = (0..1 + k % 4).map(|step| (k + step) % 3).collect();
        let tags: Vec<&str> = values.iter().map(|&value| ["a", "b", "c"][value]).collect();
        format!("{{\"sequence\": {values:?}, \"target\": {tags:?}}}\n")
    };
    let path = folder.path().join("numbers.jsonl");
    std::fs::write(&path, (0..40).map(line).collect::<String>()).unwrap();
    let config = "[model]\ncrf = true\n[train]\nepochs = 2\n[data]\nvalid_fraction = 0.2\n";
    let dataset = Override::set("data.dataset", path.to_str().unwrap());
    let experiment = Experiment::new(ExperimentConfig::parse(config, &[dataset]).unwrap()).unwrap();
    let run = create(&folder.path().join("run"), &experiment);
    let summary = finish(experiment.run(&run, &mut ()));
    assert!(summary.test.accuracy().is_some() && summary.test.get("span_f1").is_none());
    let error = Predictor::open(run.path()).unwrap().to_onnx().unwrap_err().to_string();
    assert!(
        error.starts_with("model.crf is true: ONNX has no operator for the best path"),
        "{error}"
    );
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
    let overrides = [&CRF[..], &[("train.ema_decay", "0.9"), ("train.epochs", "2")]].concat();
    let start = |name: &str| {
        let experiment = experiment(folder.path(), &overrides).unwrap();
        (create(&folder.path().join(name), &experiment), experiment)
    };
    let (whole, experiment) = start("whole");
    finish(experiment.run(&whole, &mut ()));
    let (stopped, experiment) = start("stopped");
    let outcome = experiment.run(&stopped, &mut StopAfter(17)).unwrap();
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    let resumed = Experiment::resume(&stopped).unwrap().experiment;
    finish(resumed.run(&stopped, &mut ()));
    for file in ["metrics.jsonl", "best.safetensors", "last.safetensors", "config.toml"] {
        let read = |run: &RunDir| std::fs::read(run.path().join(file)).unwrap();
        assert!(read(&whole) == read(&stopped), "{file}");
    }
}

#[test]
fn what_does_not_fit_a_crf_is_refused_before_training() {
    let folder = data("");
    let error =
        |overrides: &[(&str, &str)]| experiment(folder.path(), overrides).unwrap_err().to_string();
    let with = |key, value| error(&[CRF[0], (key, value)]);
    for (key, value, expected) in [
        ("train.loss", "cross-entropy", "none, as the CRF is the loss"),
        ("train.class_weights", "balanced", "none, as paths have no weights"),
        ("train.bptt_steps", "4", "0, as a CRF scores whole sequences"),
        ("model.readout", "last", "steps, as a CRF scores every step"),
    ] {
        let message = format!("{key} is given, but model.crf is true: expected {expected}");
        assert_eq!(with(key, value), message);
    }
    let message = "--set model.crf_constraints=bio: model.crf_constraints is given, but model.crf is false: expected \
                   true";
    assert_eq!(error(&[CRF[1]]), message);
    let message = "train.monitor is auc: expected loss, accuracy, balanced_accuracy, f1, span_f1, span_precision or \
                   span_recall for these targets";
    assert_eq!(with("train.monitor", "auc"), message);

    let sentences = folder.path().join("sentences.jsonl");
    let lines =
        "{\"text\": \"a b\", \"target\": \"x\"}\n{\"text\": \"b\", \"target\": \"y\"}\n".repeat(5);
    std::fs::write(&sentences, lines).unwrap();
    let sentences = [CRF[0], ("data.dataset", sentences.to_str().unwrap())];
    let text = TAGS.replace("valid = \"DIR/tags_VALID.jsonl\"\n", "");
    let overrides = sentences.map(|(key, value)| Override::set(key, value));
    let config = ExperimentConfig::parse(&text, &overrides).unwrap();
    let message = "model.crf is true, but the targets are one class per sequence: expected one class per time step";
    assert_eq!(Experiment::new(config).unwrap_err().to_string(), message);

    // The labels of the data, and their order.
    write(folder.path(), "TRAIN", 1, 200, "{\"tokens\": [\"begin\"], \"target\": [\"S-X\"]}\n");
    let message = "model.crf_constraints is bio, but the labels are";
    assert!(error(&CRF[..2]).starts_with(message), "{}", error(&CRF[..2]));
    write(folder.path(), "TRAIN", 1, 200, "{\"tokens\": [\"inside\"], \"target\": [\"I-X\"]}\n");
    let message =
        "model.crf_constraints forbids I-X at the start in the training data, sequence 201, step 1";
    assert_eq!(error(&CRF[..2]), message);
    assert!(experiment(folder.path(), &CRF[..1]).is_ok());
}
