//! `tokenizer.json` files of Hugging Face: the ids of Python's `tokenizers`, and files that cannot be used.
//!
//! `validation/generate_tokenizer_fixtures.py` wrote the files in `tests/tokenizers`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ragged_datasets::formats::{self, Format, ReadOptions};
use ragged_datasets::tokens::{
    Encoded, TextTokenizer, TokenizerFile, VocabularyConfig, fit_vocabularies, with_tokenizer,
};
use ragged_datasets::{Dataset, Error, InMemory};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    results: std::collections::BTreeMap<String, Ids>,
}

#[derive(Deserialize)]
struct Ids {
    tokens: usize,
    ids: Vec<Vec<u32>>,
    ids_with_special_tokens: Vec<Vec<u32>>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers").join(name)
}

fn expected() -> Expected {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn options(name: &str) -> ReadOptions {
    let tokenizer = TextTokenizer::File(fixture(&format!("{name}.json")));
    ReadOptions { tokenizer, ..Default::default() }
}

fn json_lines(texts: &[String]) -> String {
    texts.iter().map(|text| json!({ "text": text }).to_string() + "\n").collect()
}

fn ids(dataset: &impl Dataset) -> Vec<Vec<u32>> {
    let ids = |index| dataset.get(0, index).unwrap().sequence.tokens().unwrap().ids().to_vec();
    (0..dataset.len()).map(ids).collect()
}

#[test]
fn the_ids_are_those_of_python() {
    let Expected { texts, results } = expected();
    assert_eq!(results.len(), 5);
    for (name, Ids { tokens, ids, ids_with_special_tokens }) in results {
        let file = TokenizerFile::read(&fixture(&format!("{name}.json"))).unwrap();
        assert_eq!(file.vocabulary().len(), tokens, "{name}");
        for (special, expected) in [(false, ids), (true, ids_with_special_tokens)] {
            for (text, expected) in texts.iter().zip(expected) {
                assert_eq!(file.ids(text, special).unwrap(), expected, "{name}: {text:?}");
                let found = file.split(text, special).unwrap();
                let found = found.iter().map(|token| file.vocabulary().index(token).unwrap());
                assert_eq!(found.collect::<Vec<_>>(), expected, "{name}: {text:?}");
            }
        }
    }
}

/// From a file of texts to the ids of a batch, in both formats that have texts.
#[test]
fn texts_of_json_lines_and_tables_become_the_ids() {
    let Expected { texts, results } = expected();
    for (name, Ids { ids: expected, ids_with_special_tokens, .. }) in results {
        let mut options = options(&name);
        let path = options.tokenizer.path().unwrap();
        let file = Arc::new(TokenizerFile::read(path).unwrap());
        // Read once, and then at every file.
        for opened in [None, Some(file.clone())] {
            options.tokenizer_file = opened;
            let lines = json_lines(&texts);
            let data = formats::parse(lines.as_bytes(), Format::JsonLines, &options, None).unwrap();
            assert!(data.notes()[0].contains(".json, without special ones (data.read.tokenizer)"));
            let encoder = with_tokenizer(&file, false, &data).unwrap();
            let encoded = Encoded::new(data, encoder).unwrap();
            assert_eq!(ids(&encoded), expected, "{name}");
            let column = &encoded.token_columns()[0];
            assert_eq!(column.texts, file.vocabulary().texts());
            let unknown = file.vocabulary().unknown();
            let all = expected.iter().flatten();
            let count = all.clone().filter(|&&id| Some(id) == unknown).count();
            assert_eq!(encoded.unknown().unwrap(), [(count, all.count())], "{name}");
        }
        // A cell of a table has no line break.
        let plain = |text: &&String| !text.contains(['\n', '\0']) && !text.trim().is_empty();
        let mut table = "text,target\n".to_string();
        for (k, text) in texts.iter().filter(plain).enumerate() {
            table += &format!("\"{text}\",{k}\n");
        }
        let data = formats::parse(table.as_bytes(), Format::Csv, &options, None).unwrap();
        let encoder = with_tokenizer(&file, false, &data).unwrap();
        let plain_ids = texts.iter().zip(&expected).filter(|(text, _)| plain(text));
        let plain_ids: Vec<_> = plain_ids.map(|(_, ids)| ids.clone()).collect();
        assert_eq!(ids(&Encoded::new(data, encoder).unwrap()), plain_ids, "{name}");

        options.special_tokens = true;
        let read = formats::parse(json_lines(&texts).as_bytes(), Format::JsonLines, &options, None);
        if name == "word-piece" {
            let data = read.unwrap();
            let encoder = with_tokenizer(&file, false, &data).unwrap();
            assert_eq!(ids(&Encoded::new(data, encoder).unwrap()), ids_with_special_tokens);
        } else {
            let message =
                "special_tokens is true, but the file adds none to a text: expected false";
            assert!(read.unwrap_err().to_string().ends_with(message), "{name}");
        }
    }
}

fn parse(text: &str, options: &ReadOptions) -> InMemory {
    formats::parse(text.as_bytes(), Format::JsonLines, options, None).unwrap()
}

#[test]
fn lists_of_tokens_are_looked_up_in_the_file() {
    let lists = "{\"tokens\": [\"the\", \"film\"]}\n{\"tokens\": [\"Google\"]}\n";
    let word_level = TokenizerFile::read(&fixture("word-level.json")).unwrap();
    let data = parse(lists, &options("word-level"));
    let encoder = with_tokenizer(&word_level, true, &data).unwrap();
    // Characters are those of the training data in any case.
    assert_eq!(
        encoder.characters().unwrap().len(),
        1 + "thefilmGoogle".chars().collect::<std::collections::HashSet<_>>().len()
    );
    let encoded = Encoded::new(data.clone(), encoder).unwrap();
    assert_eq!(
        (ids(&encoded), encoded.unknown().unwrap()),
        (vec![vec![0, 1], vec![2]], vec![(1, 3)])
    );

    let bpe = TokenizerFile::read(&fixture("byte-level-bpe.json")).unwrap();
    let error = Encoded::new(data.clone(), with_tokenizer(&bpe, false, &data).unwrap());
    let message = "column `tokens`: expected tokens of its vocabulary, which has no entry for unknown ones, got `the`";
    assert_eq!(error.unwrap_err().to_string(), message);
    assert!(
        !fit_vocabularies(&VocabularyConfig::default(), false, &data).unwrap().columns()[0]
            .vocabulary
            .is_given()
    );
    let numbers = parse("{\"sequence\": [1]}\n", &options("word-level"));
    let error = with_tokenizer(&word_level, false, &numbers).unwrap_err().to_string();
    assert_eq!(error, "token columns: expected tokens, got none");
}

/// Returns the message for a file with this content.
fn refused(content: impl AsRef<[u8]>) -> String {
    let error = TokenizerFile::parse(content.as_ref(), "x.json".as_ref()).unwrap_err();
    assert!(matches!(error, Error::Tokenizer { .. }) && error.is_configuration());
    let text = error.to_string();
    assert!(text.starts_with("tokenizer x.json: ") && !text.contains('\n'), "{text}");
    text["tokenizer x.json: ".len()..].to_string()
}

#[test]
fn files_that_are_no_tokenizer_are_refused() {
    let no = "no tokenizer.json of Hugging Face: ";
    for (content, reason) in [
        (&b""[..], "EOF while parsing a value at line 1 column 0"),
        (b"\xff\xfe", "invalid utf-8 sequence"),
        (b"{\"model\": {", "EOF while parsing an object at line 1 column 11"),
        (b"[1, 2]", "invalid type: "),
        (b"{}", "missing field `model`"),
        (b"{\"version\": \"2.0\", \"model\": {}}", "Unknown tokenizer version '2.0'"),
        (b"{\"model\": {\"type\": \"Fancy\", \"vocab\": {}}}", "data did not match any variant"),
        (b"{\"hidden_size\": 768, \"vocab_size\": 30522}", "missing field `model`"),
    ] {
        let text = refused(content);
        assert!(text.starts_with(&format!("{no}{reason}")), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.json");
    for path in [missing.as_path(), folder.path()] {
        let error = TokenizerFile::read(path).unwrap_err();
        let start = format!("tokenizer {}: ", path.display());
        assert!(matches!(&error, Error::Tokenizer { .. }) && error.to_string().starts_with(&start));
    }
    let options = ReadOptions { tokenizer: TextTokenizer::File(missing), ..Default::default() };
    let read = formats::parse(b"{\"text\": \"\"}\n", Format::JsonLines, &options, None);
    assert!(matches!(read, Err(Error::Tokenizer { .. })));
}

#[test]
fn files_whose_ids_cannot_be_relied_on_are_refused() {
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let text = std::fs::read_to_string(fixture(name)).unwrap();
        let mut value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        refused(value.to_string())
    };
    let text = change("byte-level-bpe.json", &|file| file["model"]["dropout"] = json!(0.1));
    assert_eq!(
        text,
        "model.dropout is 0.1, which makes the tokens of a text random: expected none"
    );
    let text = change("word-level.json", &|file| file["model"]["unk_token"] = json!("[NO]"));
    assert_eq!(text, "unk_token `[NO]` is not in the vocabulary of the model");
    let text = change("word-level.json", &|file| file["model"]["vocab"]["a"] = json!(1));
    assert_eq!(text, "vocabulary: index 1 is that of `a` and of `film`: expected one token");
    let text = change("word-level.json", &|file| file["model"]["vocab"]["a"] = json!(1 << 30));
    assert_eq!(text, "vocabulary: `a` has index 1073741824: expected one below 16777216");
    let text = change("byte-level-bpe.json", &|file| file["added_tokens"][1]["id"] = json!(400));
    let message =
        "added token `<extra>` is declared with id 400, but the vocabulary before it gives it 300";
    assert_eq!(text, message);
    let text = change("word-piece.json", &|file| file["model"]["vocab"] = json!({}));
    assert_eq!(text, "unk_token `[UNK]` is not in the vocabulary of the model");
    let text = change("word-piece.json", &|file| {
        file["model"]["vocab"].as_object_mut().unwrap().remove("[MASK]");
    });
    assert!(text.starts_with("added token `[MASK]` is declared with id 4, but"), "{text}");
    let text = change("unigram.json", &|file| {
        file["model"] = json!({"type": "Unigram", "vocab": []});
        file["added_tokens"] = json!([]);
    });
    assert_eq!(text, "its vocabulary is empty: expected at least one token");
}

/// Files that are cut off or have other bytes are refused or used, but do not end the process.
#[test]
fn damaged_files_do_not_panic() {
    let texts = expected().texts;
    let mut refused = 0;
    for name in ["word-piece", "byte-level-bpe", "bpe-with-unknown", "unigram", "word-level"] {
        let bytes = std::fs::read(fixture(&format!("{name}.json"))).unwrap();
        let mut damaged: Vec<Vec<u8>> =
            (0..bytes.len()).step_by(37).map(|at| bytes[..at].to_vec()).collect();
        for (k, at) in (0..bytes.len()).step_by(11).enumerate() {
            let mut other = bytes.clone();
            other[at] = b"9\",]}n0-"[k % 8];
            damaged.push(other);
        }
        for content in damaged {
            match TokenizerFile::parse(&content, "x.json".as_ref()) {
                Err(_) => refused += 1,
                Ok(file) => texts.iter().for_each(|text| drop(file.split(text, true))),
            }
        }
    }
    assert!(refused > 500, "{refused}");
}
