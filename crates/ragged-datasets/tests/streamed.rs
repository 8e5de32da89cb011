//! Data that stay in their files: the examples are those of data in memory.

use std::path::{Path, PathBuf};

use ragged_datasets::formats::{self, ReadOptions, Schema, StreamOptions, Streamed, Task};
use ragged_datasets::{Dataset, Example, InMemory, fingerprint};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet").join(name)
}

fn open(path: &Path, options: &ReadOptions, cache_bytes: usize) -> Streamed {
    Streamed::open(path, options, None, StreamOptions { cache_bytes }).unwrap()
}

/// An example as a text, in which NaN is equal to NaN.
fn shown(example: &Example) -> String {
    format!("{example:?}")
}

/// Everything that a data set says, for any cache and any order of access.
fn check(path: &Path, options: &ReadOptions, data: &InMemory) {
    for cache_bytes in [0, 3000, 1 << 30] {
        let streamed = open(path, options, cache_bytes);
        assert_eq!(streamed.len(), data.len());
        assert_eq!(
            (streamed.features(), streamed.target_kind()),
            (data.features(), data.target_kind())
        );
        assert_eq!(streamed.feature_names(), data.feature_names());
        assert_eq!(streamed.token_columns(), data.token_columns());
        assert_eq!(streamed.static_columns(), data.static_columns());
        assert_eq!(
            (streamed.target_summary(), streamed.columns()),
            (&*data.target_summary(), data.columns())
        );
        assert_eq!(streamed.schema(), &Schema::of(data));
        let stride = (1..data.len()).rev().find(|k| !data.len().is_multiple_of(*k)).unwrap_or(1);
        for k in 0..data.len() {
            for index in [k, data.len() - 1 - k, k * stride % data.len()] {
                let (got, expected) =
                    (streamed.get(0, index).unwrap(), data.get(0, index).unwrap());
                assert_eq!(shown(&got), shown(&expected), "{index}");
                assert_eq!(streamed.length(0, index).unwrap(), expected.sequence.len());
                assert_eq!(streamed.id(index), data.id(index));
            }
        }
        assert_eq!(fingerprint(&streamed).unwrap(), data.fingerprint());
        let error = streamed.get(0, data.len()).unwrap_err().to_string();
        assert!(error.contains("is out of range"), "{error}");
    }
}

fn same_as_in_memory(path: &Path, options: &ReadOptions) {
    check(path, options, &formats::read(path, options).unwrap());
}

#[test]
fn small_files_have_the_same_examples() {
    for name in ["list", "list-types", "polars", "steps", "step-values", "texts"] {
        if cfg!(feature = "parquet") && name != "texts" {
            same_as_in_memory(&fixture(&format!("{name}.parquet")), &ReadOptions::default());
        }
        same_as_in_memory(&fixture(&format!("{name}.jsonl")), &ReadOptions::default());
    }
}

/// Three blocks of lines, with tokens that occur in some of them only, and values of which 32 bits lose too much.
#[test]
fn blocks_share_texts_classes_and_precision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.jsonl");
    let line = |k: usize| {
        let steps = k * 7 % 23 + 1;
        let values: Vec<String> =
            (0..steps).map(|t| format!("{}.25", 1_700_000_000 + k * 40 + t)).collect();
        let tokens: Vec<String> =
            (0..steps).map(|t| format!("\"w{}\"", (k + t * t) / 37)).collect();
        let (values, tokens) = (values.join(","), tokens.join(","));
        let target = ["late", "early", "never"][k / 3 % 2 + usize::from(k > 7000)];
        format!(
            "{{\"id\": {k}, \"sequence\": [{values}], \"tokens\": [{tokens}], \"target\": \"{target}\"}}\n"
        )
    };
    std::fs::write(&path, (0..8000).map(line).collect::<String>()).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 2 << 20);
    let options = ReadOptions::default();
    let data = formats::read(&path, &options).unwrap();
    assert!(data.examples()[0].sequence.exact_values().is_some());
    let streamed = open(&path, &options, 1 << 20);
    assert_eq!(streamed.token_columns(), data.token_columns());
    for index in (0..8000).step_by(61).chain((0..8000).rev().step_by(997)) {
        assert_eq!(streamed.get(0, index).unwrap(), data.get(0, index).unwrap(), "{index}");
    }
    assert_eq!(fingerprint(&streamed).unwrap(), data.fingerprint());
    assert_eq!(streamed.schema(), &Schema::of(&data));
    // Several files, and the schema of other data.
    std::fs::write(folder.path().join("more.jsonl"), line(3) + &line(5)).unwrap();
    let schema = Schema::of(&data);
    let all = formats::read_as(folder.path(), &options, &schema).unwrap();
    let cache = StreamOptions::default();
    let streamed = Streamed::open(folder.path(), &options, Some(&schema), cache).unwrap();
    assert_eq!((streamed.len(), fingerprint(&streamed).unwrap()), (8002, all.fingerprint()));
    assert_eq!(streamed.get(0, 8001).unwrap(), all.get(0, 8001).unwrap());
    // An error has its line also beyond the first block.
    let bad = folder.path().join("bad.jsonl");
    let text = std::fs::read_to_string(&path).unwrap() + "{\"sequence\": [1, []]}\n";
    std::fs::write(&bad, text).unwrap();
    let expected = formats::read(&bad, &options).unwrap_err().to_string();
    let got = Streamed::open(&bad, &options, None, cache).err().unwrap().to_string();
    assert!(expected.contains("line 8001, column"), "{expected}");
    assert_eq!(got, expected);
}

#[test]
fn repeated_steps_and_given_tasks_are_those_of_the_options() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(
        &path,
        "{\"text\": \"ab\", \"target\": [\"x\", \"y\", \"x\"]}\n{\"text\": \"\", \"target\": []}\n",
    )
    .unwrap();
    let options = ReadOptions {
        task: Some(Task::Transcription),
        repeat: std::num::NonZeroU8::new(3),
        tokenizer: ragged_datasets::tokens::Tokenizer::Characters.into(),
        ..ReadOptions::default()
    };
    same_as_in_memory(&path, &options);
    let streamed = open(&path, &options, 0);
    assert_eq!(streamed.length(0, 0).unwrap(), 6);
}

#[test]
fn what_cannot_be_streamed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "series_id,x\na,1\n").unwrap();
    let error = |path: &Path| {
        let cache = StreamOptions::default();
        let error = Streamed::open(path, &ReadOptions::default(), None, cache).err().unwrap();
        error.to_string().replacen(&format!("{}: ", path.display()), "", 1)
    };
    assert_eq!(
        error(&path),
        "csv files cannot be streamed: expected jsonl, or parquet with one row for each sequence (`ragged convert` \
         writes them)"
    );
    std::fs::create_dir(folder.path().join("b")).unwrap();
    assert!(error(folder.path()).contains("expected files to stream from, got a folder"));
    assert!(error(&folder.path().join("b")).contains("expected a file, got an empty folder"));
    if cfg!(feature = "parquet") {
        let long = error(&fixture("long.parquet"));
        assert!(long.contains("`ragged convert` writes such a file"), "{long}");
        let item = error(&fixture("bad/null-in-list.parquet"));
        assert!(item.starts_with("row 2, column 2, item 1: expected a value"), "{item}");
    }
    // A file that changes after it was opened.
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "{\"sequence\": [1, 2]}\n").unwrap();
    let streamed = open(&path, &ReadOptions::default(), 0);
    std::fs::write(&path, "{\"sequence\": [1  ]}\n").unwrap();
    let error = streamed.get(0, 0).unwrap_err().to_string();
    assert!(error.ends_with("a.jsonl: the file has changed since it was opened"), "{error}");
}
