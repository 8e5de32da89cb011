//! Tokens in files: what is read, what is refused, and what is written back.

use ragged_datasets::formats::{self, Format, ReadOptions, Schema};
use ragged_datasets::tokens::{Encoded, Tokenizer, VocabularyConfig, fit_vocabularies};
use ragged_datasets::transforms::{TransformConfig, Transformed, fit};
use ragged_datasets::{AugmentConfig, Augmented, Dataset, InMemory, TargetKind};

fn read(text: &str) -> Result<InMemory, String> {
    read_with(text, &ReadOptions::default(), None)
}

fn read_with(
    text: &str,
    options: &ReadOptions,
    schema: Option<&Schema>,
) -> Result<InMemory, String> {
    formats::parse(text.as_bytes(), Format::JsonLines, options, schema).map_err(|e| e.to_string())
}

/// The texts of all tokens of a sequence.
fn texts(data: &impl Dataset, index: usize) -> Vec<String> {
    let example = data.get(0, index).unwrap();
    let ids = example.sequence.tokens().unwrap().ids().to_vec();
    ids.into_iter().map(|id| data.token_columns()[0].texts[id as usize].clone()).collect()
}

#[test]
fn texts_and_lists_of_tokens_are_sequences() {
    let lines = "{\"text\": \"Good film.\", \"target\": \"pos\"}\n\
                 {\"tokens\": [\"a b\", 17, -3], \"target\": \"neg\"}\n\
                 {\"text\": \"\", \"target\": \"neg\"}\n";
    let data = read(lines).unwrap();
    assert_eq!(texts(&data, 0), ["Good", "film", "."]);
    assert_eq!(texts(&data, 1), ["a b", "17", "-3"]);
    let note = "texts are divided into words (data.read.tokenizer)";
    assert!(data.notes().iter().any(|said| said == note), "{:?}", data.notes());
    assert_eq!((data.features(), data.length(0, 2).unwrap()), (0, 0));
    assert_eq!(data.target_kind(), &TargetKind::Classes(vec!["neg".into(), "pos".into()]));
    let options = ReadOptions { tokenizer: Tokenizer::Characters.into(), ..Default::default() };
    assert_eq!(texts(&read_with(lines, &options, None).unwrap(), 0).len(), 10);
}

#[test]
fn one_label_for_each_token_is_sequence_labelling() {
    let data = read("{\"tokens\": [\"a\", \"dog\"], \"target\": [\"DET\", \"NOUN\"]}\n").unwrap();
    assert_eq!(data.target_kind(), &TargetKind::StepClasses(vec!["DET".into(), "NOUN".into()]));
    let error = read("{\"tokens\": [\"a\", \"dog\"], \"target\": [\"DET\"]}\n").unwrap_err();
    assert!(error.contains("expected one label for each of 2 steps"), "{error}");
}

#[test]
fn numbers_and_tokens_belong_to_the_same_steps() {
    let lines = "{\"sequence\": [[1, 2], [3, 4]], \"tokens\": [\"x\", \"y\"], \"target\": 1.5}\n";
    let data = read(lines).unwrap();
    assert_eq!((data.features(), texts(&data, 0)), (2, vec!["x".to_string(), "y".into()]));
    // Transforms change the numbers, and cut both.
    let truncate = TransformConfig::Truncate { max_length: 1, keep: Default::default() };
    let pipeline = fit(&[TransformConfig::Standardize, truncate], &data).unwrap();
    let cut = Transformed::new(data, pipeline).unwrap();
    assert_eq!(cut.get(0, 0).unwrap().sequence.values(), [-1.0, -1.0]);
    assert_eq!(texts(&cut, 0), ["x"]);

    let error = read("{\"sequence\": [1, 2], \"tokens\": [\"x\"]}\n").unwrap_err();
    assert_eq!(error, "line 1, column 1: expected 2 tokens, one for each step, got 1");
}

/// Transforms and augmentation of features leave tokens without features as they are.
#[test]
fn tokens_without_numbers_pass_through_transforms() {
    let data = read("{\"text\": \"to be or not\"}\n{\"text\": \"\"}\n").unwrap();
    let pipeline = fit(&[TransformConfig::Standardize], &data).unwrap();
    let data = Transformed::new(data, pipeline).unwrap();
    let config = AugmentConfig { jitter: 1.0, scaling: 1.0, time_mask: 2 };
    let data = Augmented::new(data, config, 1).unwrap();
    assert_eq!(texts(&data, 0), ["to", "be", "or", "not"]);
    assert_eq!(texts(&data, 1), [""; 0]);
}

#[test]
fn lines_that_do_not_fit_are_named() {
    #[track_caller]
    fn check(lines: &str, message: &str) {
        assert_eq!(read(lines).unwrap_err(), message);
    }
    let both = "{\"text\": \"a\", \"tokens\": [\"a\"]}\n";
    check(both, "line 1, column 1: expected `text` or `tokens`, got both");
    let none = "{\"target\": 1}\n";
    check(none, "line 1, column 1: expected `sequence`, `tokens` or `text`, got none of them");
    let mixed = "{\"text\": \"a\"}\n{\"sequence\": [1]}\n";
    let message =
        "line 2, column 1: expected tokens or a text as in the sequences before, got no tokens";
    check(mixed, message);
    let mixed = "{\"sequence\": [1]}\n{\"text\": \"a\"}\n";
    let message =
        "line 2, column 1: expected no tokens as in the sequences before, got tokens or a text";
    check(mixed, message);
    let number = "{\"tokens\": [1.5]}\n";
    let error = read(number).unwrap_err();
    assert!(error.contains("expected a token: a text or a whole number"), "{error}");
}

#[test]
fn later_files_need_the_tokens_of_the_training_data() {
    let train = read("{\"text\": \"a b\", \"target\": \"x\"}\n").unwrap();
    let schema = Schema::of(&train);
    let later = |lines| read_with(lines, &ReadOptions::default(), Some(&schema));
    assert!(later("{\"tokens\": [\"c\"], \"target\": \"x\"}\n").is_ok());
    let error = later("{\"sequence\": [1], \"target\": \"x\"}\n").unwrap_err();
    assert!(error.contains("expected tokens or a text as in the sequences before"), "{error}");

    let encoder = fit_vocabularies(&VocabularyConfig::default(), false, &train).unwrap();
    let numbers = read("{\"sequence\": [1]}\n").unwrap();
    let error = Encoded::new(numbers, encoder).unwrap_err().to_string();
    assert_eq!(error, "token columns: expected tokens, got none");
}

#[test]
fn tokens_are_written_and_read_back() {
    let lines = "{\"id\":\"1\",\"tokens\":[\"é\",\"b c\"],\"target\":\"x\"}\n\
                 {\"id\":\"2\",\"tokens\":[],\"target\":\"y\"}\n";
    let data = read(lines).unwrap();
    let written = formats::to_bytes(&data, Format::JsonLines).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), lines);
    let lines = "{\"sequence\":[[1.0],[2.5]],\"tokens\":[\"a\",\"b\"]}\n";
    let both = read(lines).unwrap();
    let written = formats::to_bytes(&both, Format::JsonLines).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), lines);
    for format in [Format::Csv, Format::Ts, Format::Npz, Format::Safetensors] {
        let error = formats::to_bytes(&data, format).unwrap_err().to_string();
        assert!(error.contains("cannot hold these tokens"), "{error}");
    }
}

/// The fingerprint covers the texts, and not the order in which a file mentions them first.
#[test]
fn other_texts_are_other_data() {
    let sum = |lines| read(lines).unwrap().fingerprint();
    let text = sum("{\"text\": \"a b\"}\n");
    assert_eq!(text, sum("{\"tokens\": [\"a\", \"b\"]}\n"));
    assert_ne!(text, sum("{\"text\": \"b a\"}\n"));
    assert_ne!(text, sum("{\"text\": \"a c\"}\n"));
}

#[test]
fn repeated_texts_are_noted_only_if_the_tokens_are_equal() {
    let line = |k: usize| format!("{{\"text\": \"word number {k}\", \"target\": \"x\"}}\n");
    let different: String = (0..20).map(line).collect();
    assert!(!read(&different).unwrap().notes().iter().any(|note| note.contains("repeat")));
    let repeated = different + &line(3);
    assert!(
        read(&repeated).unwrap().notes().iter().any(|note| note.contains("repeats sequence 4"))
    );
}
