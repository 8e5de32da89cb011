//! Runs on texts that a `tokenizer.json` file divides: what they train, what they save, and what does not fit.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ragged_datasets::formats::Format;
use ragged_datasets::tokens::TokenizerFile;
use ragged_runtime::{Model, softmax};
use ragged_train::config::Override;
use ragged_train::fit::{StepRecord, TrainState};
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{Error, Experiment, ExperimentConfig, Observer, Predictor, Result, RunDir};
use serde_json::{Value, json};

const CONFIG: &str = "
seed = 2
[data]
dataset = \"films_TRAIN.jsonl\"
base = \"DIR\"
valid_fraction = 0.2
read = { tokenizer = \"tokenizer.json\" }
[model]
hidden_size = 8
readout = \"max\"
[model.embedding]
size = 6
[train]
epochs = 8
batch_size = 16
lr = 0.02
[checkpoint]
every_steps = 3
";

/// Words in lower case, of which some have two parts. Index 5 has no token.
fn tokenizer() -> Value {
    let tokens = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "", "film", "is", "a", "story", "go", "##od",
        "ba", "##d", "fine", "po", "##or",
    ];
    let vocabulary = tokens.iter().enumerate().filter(|(_, token)| !token.is_empty());
    let vocabulary: serde_json::Map<_, _> =
        vocabulary.map(|(id, token)| (token.to_string(), json!(id))).collect();
    let special = |id: &str| json!({ "SpecialToken": { "id": id, "type_id": 0 } });
    json!({
        "version": "1.0",
        "truncation": { "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0 },
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]"), { "Sequence": { "id": "A", "type_id": 0 } }, special("[SEP]")],
            "pair": [],
            "special_tokens": {
                "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] },
                "[SEP]": { "id": "[SEP]", "ids": [3], "tokens": ["[SEP]"] },
            },
        },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    })
}

/// Sentences whose label is that of the only word that is not neutral.
fn sentences(count: usize) -> String {
    let neutral = ["The", "film", "is", "a", "story"];
    let mut lines = String::new();
    for k in 0..count {
        let words = [("good", "pos"), ("bad", "neg"), ("Fine", "pos"), ("poor", "neg")];
        let (word, label) = words[k % 4];
        let mut words: Vec<&str> = (0..2 + k % 4).map(|t| neutral[(k / 4 + 2 * t) % 5]).collect();
        words.insert((k / 3) % (words.len() + 1), word);
        lines += &(json!({ "text": words.join(" "), "target": label }).to_string() + "\n");
    }
    lines
}

/// A folder with the texts and the tokenizer in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("films_TRAIN.jsonl", sentences(80));
    let unheard = json!({ "text": "good unheard words", "target": "pos" }).to_string();
    write("films_TEST.jsonl", sentences(20) + &unheard + "\n");
    write("tokenizer.json", tokenizer().to_string());
    folder
}

fn experiment(folder: &Path, overrides: &[(&str, &str)]) -> Result<Experiment> {
    let text = CONFIG.replace("DIR", folder.to_str().unwrap());
    let overrides: Vec<_> =
        overrides.iter().map(|&(key, value)| Override::set(key, value)).collect();
    Experiment::new(ExperimentConfig::parse(&text, &overrides)?)
}

fn create(path: PathBuf, experiment: &Experiment) -> RunDir {
    RunDir::create(&path, &experiment.config().to_toml().unwrap()).unwrap()
}

#[track_caller]
fn finish(experiment: &Experiment, run: &RunDir) -> RunSummary {
    match experiment.run(run, &mut ()).unwrap() {
        RunOutcome::Finished(summary) => *summary,
        RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
    }
}

struct StopAfter(u64);

impl Observer for StopAfter {
    fn update(&mut self, record: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        let done = record.updates >= self.0;
        Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// Starts a run and stops it after some updates.
fn interrupted(path: PathBuf, experiment: &Experiment) -> RunDir {
    let run = create(path, experiment);
    let outcome = experiment.run(&run, &mut StopAfter(10)).unwrap();
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    run
}

#[test]
fn a_run_has_the_vocabulary_of_the_file_and_keeps_the_file() {
    let folder = folder();
    let experiment = experiment(folder.path(), &[]).unwrap();
    let notes = experiment.notes().join("\n");
    for note in [
        "texts are divided into the tokens of tokenizer.json, without special ones (data.read.tokenizer)",
        "tokens: vocabulary of 17 entries of the tokenizer's file, `[UNK]` for unknown tokens",
        "tokens: 0 of ",
        " in the training data are unknown (0.0 %)",
        "tokens: 2 of ",
        " in the test data are unknown (",
    ] {
        assert!(notes.contains(note), "{notes}\nlacks {note}");
    }
    let rows = experiment.parameters().state_dict()["embedding.weight"].dims().to_vec();
    assert_eq!(rows, [17, 6]);
    let whole = create(folder.path().join("whole"), &experiment);
    let summary = finish(&experiment, &whole);
    assert!(summary.test.accuracy().unwrap() > 0.9, "{summary:?}");
    let content = fs::read(folder.path().join("tokenizer.json")).unwrap();
    assert_eq!(fs::read(whole.tokenizer()).unwrap(), content);

    // What follows needs the copy only.
    let again = self::experiment(folder.path(), &[]).unwrap();
    let stopped = interrupted(folder.path().join("stopped"), &again);
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let resumed = Experiment::resume(&stopped).unwrap().experiment;
    assert!(resumed.position().is_some());
    assert_eq!(finish(&resumed, &stopped).test, summary.test);
    for file in ["metrics.jsonl", "best.safetensors", "last.safetensors", "tokenizer.json"] {
        let bytes = |run: &RunDir| fs::read(run.path().join(file)).unwrap();
        assert!(bytes(&whole) == bytes(&stopped), "{file}");
    }
    let predictor = Predictor::open(whole.path()).unwrap();
    let evaluation = predictor.evaluate(None, None).unwrap();
    assert_eq!(evaluation.metrics, summary.test);
    assert!(evaluation.notes.iter().any(|note| note.starts_with("tokens: 2 of ")));
    predicts_as_the_runtime(&whole, &predictor);
    assert!(predictor.to_onnx().is_ok());
}

/// Checks predictions for texts, for lists of tokens and, in `ragged-runtime`, for ids and tokens.
fn predicts_as_the_runtime(run: &RunDir, predictor: &Predictor) {
    let texts = ["the story is poor", "fine", "", "GOOD  unseen", "café 😀"];
    let lines: String = texts.map(|text| json!({ "text": text }).to_string() + "\n").concat();
    let want = predictor.predict_bytes(lines.as_bytes(), Format::JsonLines).unwrap();
    let labels = want.to_json_lines();
    assert!(labels.lines().next().unwrap().contains("\"label\":\"neg\""), "{labels}");

    let file = TokenizerFile::read(&run.tokenizer()).unwrap();
    let ids = texts.map(|text| file.ids(text, false).unwrap());
    assert_eq!(ids[3], [10, 11, 1]);
    let tokens = texts.map(|text| file.split(text, false).unwrap());
    let lists: String =
        tokens.iter().map(|tokens| json!({ "tokens": tokens }).to_string() + "\n").collect();
    let of_lists = predictor.predict_bytes(lists.as_bytes(), Format::JsonLines).unwrap();
    let model = Model::open(run.path()).unwrap();
    let by_id = model.predict_ids(&ids.each_ref().map(Vec::as_slice)).unwrap();
    let tokens =
        tokens.each_ref().map(|tokens| tokens.iter().map(String::as_str).collect::<Vec<_>>());
    let by_token = model.predict_tokens(&tokens.each_ref().map(Vec::as_slice)).unwrap();
    assert_eq!(by_id, by_token);
    for ((want, list), outputs) in want.rows.iter().zip(&of_lists.rows).zip(&by_id) {
        assert_eq!(want.values, list.values);
        assert_eq!(want.values, [softmax(outputs)]);
    }
    // Words are no tokens, and nothing says that the run would read them as others.
    let error = model.predict_tokens(&[&["the"], &["a", "good"]]).unwrap_err().to_string();
    assert_eq!(error, "sequence 2, step 2 is `good`: expected a token of the run's tokenizer.json");
    let error = model.predict_ids(&[&[1, 17]]).unwrap_err().to_string();
    assert_eq!(error, "sequence 1, step 2 is id 17: expected an id below 17");
}

#[test]
fn a_changed_file_is_refused() {
    let folder = folder();
    let original = folder.path().join("tokenizer.json");
    let experiment = experiment(folder.path(), &[]).unwrap();
    let run = interrupted(folder.path().join("run"), &experiment);
    let resume = || Experiment::resume(&run).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(resume(), Ok(()));

    // The file of the configuration: the run would go on with its copy, if it were forced.
    let mut other = tokenizer();
    other["normalizer"] = Value::Null;
    fs::write(&original, other.to_string()).unwrap();
    let error = resume().unwrap_err();
    assert!(
        error.contains("the file of data.read.tokenizer, was a file with the SHA-256"),
        "{error}"
    );
    let forced = Experiment::resume_changed(&run).unwrap();
    assert_eq!(forced.differences.len(), 1);
    finish(&forced.experiment, &run);
    assert_eq!(run.read_summary().unwrap().unwrap().forced.len(), 1);
    Predictor::open(run.path()).unwrap();

    // The copy in the run.
    fs::write(&original, tokenizer().to_string()).unwrap();
    fs::write(run.tokenizer(), other.to_string()).unwrap();
    let error = resume().unwrap_err();
    assert!(error.contains("the tokenizer was a file with the SHA-256 sum"), "{error}");
    let error = Predictor::open(run.path()).unwrap_err();
    assert!(matches!(&error, Error::RunChanged { .. }), "{error}");
    assert!(error.to_string().contains("the tokenizer was a file with"), "{error}");
    // Without the copy, the file of the configuration is as good if it is the same.
    fs::remove_file(run.tokenizer()).unwrap();
    Predictor::open(run.path()).unwrap();
    let config = fs::read_to_string(run.config()).unwrap();
    fs::write(run.config(), config.replace("\"tokenizer.json\"", "\"bytes\"")).unwrap();
    let error = Predictor::open(run.path()).unwrap_err().to_string();
    assert!(
        error.contains("the tokenizer was a file with") && error.contains("is absent"),
        "{error}"
    );
    fs::write(run.config(), config).unwrap();
    fs::remove_file(&original).unwrap();
    let error = Predictor::open(run.path()).unwrap_err().to_string();
    assert!(error.starts_with("tokenizer tokenizer.json: No such file"), "{error}");
}

#[test]
fn special_tokens_are_added_if_they_are_requested() {
    let folder = folder();
    let special = [("data.read.special_tokens", "true"), ("train.epochs", "1")];
    let experiment = experiment(folder.path(), &special).unwrap();
    let note = "texts are divided into the tokens of tokenizer.json, with special ones (data.read.tokenizer)";
    assert!(experiment.notes().iter().any(|found| found == note));
    let run = create(folder.path().join("run"), &experiment);
    finish(&experiment, &run);
    let predictor = Predictor::open(run.path()).unwrap();
    let predictions =
        predictor.predict_bytes(b"{\"text\": \"good\"}\n", Format::JsonLines).unwrap();
    let model = Model::open(run.path()).unwrap();
    let outputs = model.predict_ids(&[&[2, 10, 11, 3]]).unwrap();
    assert_eq!(predictions.rows[0].values, [softmax(&outputs[0])]);

    // Without them, the texts would be divided in another way.
    let config = fs::read_to_string(run.config()).unwrap();
    let without = config.replace("special_tokens = true\n", "");
    fs::write(run.config(), without).unwrap();
    let error = Predictor::open(run.path()).unwrap_err().to_string();
    assert!(error.contains("data.read.special_tokens was true and is absent"), "{error}");
}

#[test]
fn word_vectors_are_those_of_the_tokens() {
    let folder = folder();
    let path = folder.path().join("vectors.txt");
    fs::write(&path, "film 1 2 3 4 5 6\n##od 6 5 4 3 2 1\nFilm 0 0 0 0 0 0\nnowhere 0 0 0 0 0 0\n")
        .unwrap();
    let vectors = [("model.embedding.weights", path.to_str().unwrap())];
    let experiment = experiment(folder.path(), &vectors).unwrap();
    let note = experiment.notes().last().unwrap();
    assert!(note.starts_with("tokens: 2 of 17 entries have a vector in "), "{note}");
    let table = experiment.parameters().state_dict()["embedding.weight"].to_vec2::<f32>().unwrap();
    assert_eq!(table[6], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(table[11], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
}

#[test]
fn what_contradicts_the_file_is_named() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let check = |overrides: &[(&str, &str)], message: &str| {
        let error = experiment(folder.path(), overrides).unwrap_err();
        let usage = match &error {
            Error::Config(_) => true,
            Error::Data(error) => error.is_configuration(),
            _ => false,
        };
        let error = error.to_string();
        assert!(usage && error.contains(message), "{error:?} has no {message:?}");
    };
    let own = "is given, but data.read.tokenizer is tokenizer.json, which has a vocabulary of its own: expected none";
    for (option, value) in [("lowercase", "true"), ("min_freq", "2"), ("max_size", "9")] {
        let key = format!("data.vocabulary.{option}");
        check(&[(&key, value)], &format!("--set {key}={value}: {key} {own}"));
    }
    let rule = [("data.read.tokenizer", "words"), ("data.read.special_tokens", "true")];
    check(
        &rule,
        "data.read.special_tokens is true, but data.read.tokenizer is no tokenizer.json file",
    );
    let message = "data.read.tokenizer is \"wordz\": expected `words`, `white-space`, `characters`, `bytes` or \
                   `PATH.json`";
    check(&[("data.read.tokenizer", "wordz")], message);
    check(
        &[("data.read.tokenizer", "[1]")],
        "data.read.tokenizer: expected text in quotes, got a list",
    );
    check(
        &[("data.read.tokenizer", "none.json")],
        "tokenizer none.json: No such file or directory",
    );

    fs::write(path("cut.json"), &tokenizer().to_string()[..200]).unwrap();
    let message = "cut.json: no tokenizer.json of Hugging Face: EOF while parsing";
    check(&[("data.read.tokenizer", "cut.json")], message);
    fs::write(path("config.json"), "{\"hidden_size\": 768}").unwrap();
    let message = "config.json: no tokenizer.json of Hugging Face: missing field `model`";
    check(&[("data.read.tokenizer", "config.json")], message);

    let numbers = "{\"sequence\": [1, 2], \"target\": \"a\"}\n".repeat(9)
        + "{\"sequence\": [3], \"target\": \"b\"}\n";
    fs::write(path("numbers.jsonl"), numbers).unwrap();
    let message = "data.read.tokenizer is tokenizer.json, but the data have no texts: expected no data.read.tokenizer";
    check(&[("data.dataset", &path("numbers.jsonl"))], message);

    // Without a token for unknown ones.
    let model = json!({ "type": "BPE", "vocab": { "a": 0, "b": 1 }, "merges": [] });
    fs::write(path("bpe.json"), json!({ "model": model }).to_string()).unwrap();
    let bpe = ("data.read.tokenizer", "bpe.json");
    let message = "model.embedding.word_dropout is 0.1, but the file of data.read.tokenizer has no token for unknown \
                   ones: expected 0";
    check(&[bpe, ("model.embedding.word_dropout", "0.1")], message);
    let notes = experiment(folder.path(), &[bpe]).unwrap().notes().join("\n");
    assert!(
        notes.contains("vocabulary of 2 entries of the tokenizer's file, none for unknown tokens"),
        "{notes}"
    );
}

/// The index of unknown tokens is not 0 here.
#[test]
fn dropped_words_are_unknown_tokens_of_the_file() {
    let folder = folder();
    let all = [
        ("model.embedding.word_dropout", "1"),
        ("train.epochs", "1"),
        ("train.optimizer", "{ name = \"sgd\" }"),
    ];
    let experiment = experiment(folder.path(), &all).unwrap();
    let table = |experiment: &Experiment| {
        experiment.parameters().state_dict()["embedding.weight"].to_vec2::<f32>().unwrap()
    };
    let before = table(&experiment);
    let run = create(folder.path().join("run"), &experiment);
    finish(&experiment, &run);
    let after = table(&experiment);
    let changed: Vec<usize> = (0..17).filter(|&row| before[row] != after[row]).collect();
    assert_eq!(changed, [1]);
}
