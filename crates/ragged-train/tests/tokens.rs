//! Runs on tokens: what they learn, what they save, and what does not fit.

use std::fmt::Write;
use std::path::Path;

use ragged_datasets::formats::Format;
use ragged_runtime::{Error, Model, Scratch, softmax};
use ragged_train::config::Override;
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{Experiment, ExperimentConfig, Predictor, Result, RunDir};

const SENTIMENT: &str = "
seed = 2
[data]
dataset = \"DIR/sentences_TRAIN.jsonl\"
valid_fraction = 0.2
[model]
hidden_size = 8
readout = \"max\"
[model.embedding]
size = 6
dropout = 0.1
word_dropout = 0.05
[train]
epochs = 12
batch_size = 16
lr = 0.02
";

/// Sentences whose label is that of the only word that is not neutral.
fn sentences(folder: &Path, part: &str, count: usize, extra: &str) {
    let neutral = ["the", "film", "is", "a", "story"];
    let mut lines = String::new();
    for k in 0..count {
        let (word, label) =
            [("good", "pos"), ("bad", "neg"), ("fine", "pos"), ("poor", "neg")][k % 4];
        let mut words: Vec<&str> = (0..2 + k % 4).map(|t| neutral[(k / 4 + 2 * t) % 5]).collect();
        words.insert((k / 3) % (words.len() + 1), word);
        writeln!(lines, "{{\"text\": \"{}\", \"target\": \"{label}\"}}", words.join(" ")).unwrap();
    }
    std::fs::write(folder.join(format!("sentences_{part}.jsonl")), lines + extra).unwrap();
}

fn experiment(text: &str, folder: &Path, overrides: &[(&str, &str)]) -> Result<Experiment> {
    let text = text.replace("DIR", folder.to_str().unwrap());
    let overrides: Vec<_> =
        overrides.iter().map(|&(key, value)| Override::set(key, value)).collect();
    Experiment::new(ExperimentConfig::parse(&text, &overrides)?)
}

#[track_caller]
fn run(path: &Path, experiment: &Experiment) -> RunSummary {
    let run = RunDir::create(path, &experiment.config().to_toml().unwrap()).unwrap();
    match experiment.run(&run, &mut ()).unwrap() {
        RunOutcome::Finished(summary) => *summary,
        RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
    }
}

/// Checks that `ragged-runtime` predicts the same, bit for bit.
#[track_caller]
fn same_bits(run: &Path, predictor: &Predictor, texts: &[&str]) {
    let lines: String = texts.iter().map(|text| format!("{{\"text\": {text:?}}}\n")).collect();
    let want = predictor.predict_bytes(lines.as_bytes(), Format::JsonLines).unwrap();
    let model = Model::open(run).unwrap();
    let tokens: Vec<Vec<&str>> =
        texts.iter().map(|text| text.split(' ').filter(|t| !t.is_empty()).collect()).collect();
    let tokens: Vec<&[&str]> = tokens.iter().map(Vec::as_slice).collect();
    let outputs = model.predict_tokens(&tokens).unwrap();
    for (outputs, want) in outputs.iter().zip(&want.rows) {
        let rows: Vec<Vec<f64>> = outputs.chunks_exact(model.outputs()).map(softmax).collect();
        assert_eq!(rows, want.values);
    }
    let error = model.predict(&[&[1.0f32][..]]).unwrap_err().to_string();
    assert_eq!(error, "input: expected tokens, as in the training data, got features");
    let (mut y, mut scratch) = (vec![], Scratch::default());
    assert!(matches!(model.session(), Err(Error::Stepwise { .. })));
    let error = model.step(&mut [], &[0.0f32; 0], &mut y, &mut scratch).unwrap_err();
    assert!(matches!(error, Error::InputKind { .. }));
}

#[test]
fn a_classifier_of_sentences_is_trained_saved_and_used() {
    let folder = tempfile::tempdir().unwrap();
    sentences(folder.path(), "TRAIN", 200, "");
    sentences(
        folder.path(),
        "TEST",
        40,
        "{\"text\": \"good unheard words\", \"target\": \"pos\"}\n",
    );
    let experiment = experiment(SENTIMENT, folder.path(), &[]).unwrap();
    let unknown = experiment.notes().iter().find(|note| note.contains("in the test data"));
    assert_eq!(unknown.unwrap(), "tokens: 2 of 183 in the test data are unknown (1.1 %)");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let summary = run(&a, &experiment);
    assert!(summary.test.accuracy().unwrap() > 0.95, "{summary:?}");
    run(&b, &self::experiment(SENTIMENT, folder.path(), &[]).unwrap());
    for file in ["metrics.jsonl", "best.safetensors", "last.safetensors"] {
        assert!(
            std::fs::read(a.join(file)).unwrap() == std::fs::read(b.join(file)).unwrap(),
            "{file}"
        );
    }

    let predictor = Predictor::open(&a).unwrap();
    assert_eq!(predictor.tokens().columns()[0].vocabulary.len(), 10);
    let evaluation = predictor.evaluate(None, None).unwrap();
    assert_eq!(evaluation.metrics, summary.test);
    assert!(evaluation.notes.iter().any(|note| note.contains("2 of 183 in the test data")));
    let lines = b"{\"text\": \"the story is poor\"}\n{\"tokens\": [\"fine\"]}\n{\"text\": \"\"}\n";
    let predictions = predictor.predict_bytes(lines, Format::JsonLines).unwrap();
    let text = predictions.to_json_lines();
    let labels: Vec<&str> =
        text.lines().map(|line| &line[line.find("label").unwrap() + 8..][..3]).collect();
    assert_eq!(labels[..2], ["neg", "pos"]);
    let error = predictor.predict_bytes(b"{\"sequence\": [1]}\n", Format::JsonLines).unwrap_err();
    assert!(error.to_string().contains("expected tokens or a text"), "{error}");
    same_bits(&a, &predictor, &["the story is poor", "fine", "", "never seen"]);
    same_bits(&a, &predictor, &[""]);
    let onnx = predictor.to_onnx().unwrap();
    let vocabulary = br#""tokens":["<unknown>","#;
    assert!(onnx.windows(vocabulary.len()).any(|window| window == vocabulary));
    let config = std::fs::read_to_string(a.join("config.toml")).unwrap();
    let other = config.replace("tokenizer = \"words\"", "tokenizer = \"bytes\"");
    std::fs::write(a.join("config.toml"), other).unwrap();
    let error = Predictor::open(&a).unwrap_err().to_string();
    assert!(error.contains("data.read.tokenizer was \"words\" and is \"bytes\""), "{error}");
}

/// The tag of a word depends on its last letter, so that words that are not in the vocabulary need their letters.
#[test]
fn words_outside_the_vocabulary_are_read_by_their_characters() {
    let folder = tempfile::tempdir().unwrap();
    let word = |k: usize| {
        let letters = ["b", "c", "d", "f", "g"];
        let stem: String = (0..1 + k % 3).map(|t| letters[(k * 7 + t * 3 + k / 5) % 5]).collect();
        let (ending, tag) = [("a", "X"), ("o", "Y")][(k / 2) % 2];
        (stem + ending, tag)
    };
    for (part, begin, count) in [("TRAIN", 0, 60), ("VALID", 1000, 10), ("TEST", 2000, 20)] {
        let mut lines = String::new();
        for line in begin..begin + count {
            let words: Vec<_> = (0..1 + line % 5).map(|t| word(line * 13 + t * 29)).collect();
            let tokens: Vec<_> = words.iter().map(|(word, _)| word).collect();
            let tags: Vec<_> = words.iter().map(|(_, tag)| tag).collect();
            writeln!(lines, "{{\"tokens\": {tokens:?}, \"target\": {tags:?}}}").unwrap();
        }
        std::fs::write(folder.path().join(format!("tags_{part}.jsonl")), lines).unwrap();
    }
    let text = "
[data]
dataset = \"DIR/tags_TRAIN.jsonl\"
valid = \"DIR/tags_VALID.jsonl\"
vocabulary = { max_size = 1 }
[model]
hidden_size = 6
[model.embedding]
size = 3
CHARACTERS
[train]
epochs = 15
batch_size = 8
lr = 0.03
";
    let section = "[model.characters]\nembedding_size = 5\nhidden_size = 5\ncell = \"gru\"\n";
    let accuracy = |section: &str, name: &str| {
        let experiment =
            experiment(&text.replace("CHARACTERS", section), folder.path(), &[]).unwrap();
        let path = folder.path().join(name);
        let summary = run(&path, &experiment);
        let evaluation = Predictor::open(&path).unwrap().evaluate(None, None).unwrap();
        assert_eq!(evaluation.metrics, summary.test);
        let predictor = Predictor::open(&path).unwrap();
        same_bits(&path, &predictor, &["ba cbo zzo", "", "o", "ba ba"]);
        match predictor.to_onnx() {
            Ok(_) => assert!(section.is_empty()),
            Err(error) => {
                let message =
                    "model.characters.embedding_size is 5: the characters of tokens are not";
                assert!(error.to_string().starts_with(message), "{error}");
            }
        }
        summary.test.accuracy().unwrap()
    };
    let (with, without) = (accuracy(section, "with"), accuracy("", "without"));
    assert!(with > 0.95 && without < 0.8, "{with} with characters, {without} without");
}

#[test]
fn what_does_not_fit_is_named_before_training() {
    let folder = tempfile::tempdir().unwrap();
    sentences(folder.path(), "TRAIN", 20, "");
    std::fs::write(
        folder.path().join("numbers.jsonl"),
        "{\"sequence\": [1], \"target\": 1.5}\n".repeat(9),
    )
    .unwrap();
    let numbers = folder.path().join("numbers.jsonl");
    let numbers = numbers.to_str().unwrap();
    let check = |overrides: &[(&str, &str)], message: &str| {
        let error = experiment(SENTIMENT, folder.path(), overrides).unwrap_err().to_string();
        assert!(error.contains(message), "{error:?} has no {message:?}");
    };
    check(&[("data.dataset", numbers)], "model.embedding is given, but the data have no tokens");
    check(
        &[("model.kind", "fixed")],
        "model.kind is fixed, but the data have tokens: expected variable",
    );
    check(
        &[("train.bptt_steps", "5")],
        "train.bptt_steps is given, but the data have tokens: expected 0",
    );
    check(&[("model.embedding.size", "0")], "model.embedding.size is 0: expected 1 to 16384");
    check(
        &[("model.embedding.word_dropout", "2")],
        "model.embedding.word_dropout is 2: expected a number from 0 to 1",
    );
    check(&[("data.vocabulary.max_size", "0")], "data.vocabulary.max_size is 0: expected 1 to");
    check(&[("data.valid", numbers)], "data.valid_fraction is given: expected one of them");
    let valid = [("data.valid_fraction", "0"), ("data.valid", numbers)];
    check(&valid, "expected tokens or a text as in the sequences before, got no tokens");
}

#[test]
fn embeddings_begin_with_the_vectors_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    sentences(folder.path(), "TRAIN", 40, "");
    let path = folder.path().join("vectors.txt");
    std::fs::write(&path, "good 1 2 3 4 5 6\nunheard 0 0 0 0 0 0\nfilm 6 5 4 3 2 1\n").unwrap();
    let vectors = path.to_str().unwrap();
    let frozen = [("model.embedding.weights", vectors), ("model.embedding.freeze", "true")];
    let experiment = experiment(SENTIMENT, folder.path(), &frozen).unwrap();
    let note = experiment.notes().last().unwrap();
    assert!(note.starts_with("tokens: 2 of 9 entries have a vector in "), "{note}");
    let table =
        |experiment: &Experiment| experiment.parameters().state_dict()["embedding.weight"].clone();
    let before = table(&experiment).to_vec2::<f32>().unwrap();
    let run_path = folder.path().join("run");
    run(&run_path, &experiment);
    let predictor = Predictor::open(&run_path).unwrap();
    let good = predictor.tokens().columns()[0].vocabulary.index("good").unwrap() as usize;
    assert_eq!(before[good], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(table(&experiment).to_vec2::<f32>().unwrap(), before, "frozen");
    // A run that has begun does not need the file.
    std::fs::remove_file(&path).unwrap();
    Experiment::resume(&RunDir::open(&run_path).unwrap()).unwrap();

    std::fs::write(&path, "good 1 2\n").unwrap();
    let error = self::experiment(SENTIMENT, folder.path(), &frozen).unwrap_err().to_string();
    assert!(error.contains("model.embedding.size is 6, but the vectors of"), "{error}");
}

#[test]
fn a_sparse_table_is_trained_saved_and_used() {
    let folder = tempfile::tempdir().unwrap();
    sentences(folder.path(), "TRAIN", 80, "");
    sentences(folder.path(), "TEST", 16, "");
    let sparse = [("model.embedding.sparse", "true")];
    let experiment = experiment(SENTIMENT, folder.path(), &sparse).unwrap();
    let path = folder.path().join("run");
    let summary = run(&path, &experiment);
    assert!(summary.test.get("accuracy").unwrap() > 0.9, "{summary:?}");
    let predictor = Predictor::open(&path).unwrap();
    same_bits(&path, &predictor, &["the film is good", "poor"]);
}
