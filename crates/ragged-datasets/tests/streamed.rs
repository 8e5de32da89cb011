//! Data that stay in their files: the examples are those of data in memory.

use std::path::{Path, PathBuf};

use ragged_datasets::formats::{
    self, ColumnType, ReadOptions, Schema, StreamOptions, Streamed, Task,
};
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
    let index = open(path, options, 0).index();
    for (cache_bytes, is_known) in [(0, false), (3000, true), (1 << 30, false)] {
        let cache = StreamOptions { cache_bytes };
        let streamed = match is_known {
            true => Streamed::open_with(&index, path, options, None, cache).unwrap().unwrap(),
            false => open(path, options, cache_bytes),
        };
        assert!(streamed.index() == index);
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
fn an_index_is_of_its_files_and_options_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "series_id,x,target\na,1,0\nb,2,1\n").unwrap();
    let (options, cache) = (ReadOptions::default(), StreamOptions::default());
    let streamed = open(&path, &options, 1 << 20);
    let index = streamed.index();
    let is_known = |index: &[u8], options: &ReadOptions, schema: Option<&Schema>| {
        Streamed::open_with(index, &path, options, schema, cache).unwrap().is_some()
    };
    assert!(is_known(&index, &options, None));
    assert!(!is_known(&index, &options, Some(streamed.schema())));
    let task = ReadOptions { task: Some(Task::Regression), ..options.clone() };
    assert!(!is_known(&index, &task, None));
    let parts = ReadOptions { parts: true, ..options.clone() };
    assert!(!is_known(&index, &parts, None));
    for at in [0, 40, index.len() / 2, index.len() - 1] {
        let mut damaged = index.clone();
        damaged[at] ^= 1;
        assert!(!is_known(&damaged, &options, None));
        assert!(!is_known(&index[..at], &options, None));
    }
    let other = folder.path().join("b.csv");
    std::fs::copy(&path, &other).unwrap();
    assert!(Streamed::open_with(&index, &other, &options, None, cache).unwrap().is_none());
    std::fs::write(&path, "series_id,x,target\na,1,0\nb,2,1\nc,3,1\n").unwrap();
    assert!(!is_known(&index, &options, None));
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

/// Rows of a table whose series follow one another: with times in any order, a category, static columns and empty cells.
fn table(series: usize, target: impl Fn(usize, usize) -> String) -> String {
    let mut table = "series_id,time,x,kind,place,size,target\n".to_string();
    for k in 0..series {
        let steps = k * 5 % 7 + 1;
        for t in 0..steps {
            let (time, kind) =
                ((steps - 1 - t + k) % steps, ["up", "down", "still"][(k + t * t) % 3]);
            let x = if (k + t) % 11 == 0 { String::new() } else { format!("{}.5", k * 10 + t) };
            let (place, size) = (["north", "south"][k % 2], k % 4);
            let target = target(k, t);
            table += &format!("s{k},{time},{x},{kind},{place},{size},{target}\n");
        }
    }
    table
}

fn typed() -> ReadOptions {
    let mut options = ReadOptions::default();
    let types = [
        ("kind", ColumnType::Category),
        ("place", ColumnType::StaticCategory),
        ("size", ColumnType::StaticNumber),
    ];
    options.csv.types = types.map(|(name, given)| (name.to_string(), given)).into();
    options
}

#[test]
fn tables_have_the_same_examples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let per_series = |k: usize, t: usize| {
        if t == 0 || k.is_multiple_of(3) {
            ["walk", "run"][k % 2].to_string()
        } else {
            String::new()
        }
    };
    let per_step = |k: usize, t: usize| format!("{}", k + t);
    let feeds = table(20, per_series);
    for text in [
        feeds.clone(),
        feeds.replace('\n', "\r\n"),
        feeds.replace('\n', "\r"),
        format!("\u{feff}\n{feeds}\n\n"),
        table(20, per_step),
    ] {
        std::fs::write(&path, text).unwrap();
        same_as_in_memory(&path, &typed());
    }
    for text in [
        "x,target\n1,5\n2,5\n",
        "text,target\n\"a b\",k\nc,l\nc,k\n",
        "series_id,text,target\nk,a b,1.5\nl,a,2\n",
    ] {
        std::fs::write(&path, text).unwrap();
        same_as_in_memory(&path, &ReadOptions::default());
    }
}

/// Three blocks of lines, of which none ends within a series.
#[test]
fn blocks_of_a_table_are_whole_series() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let text =
        table(30_000, |k, _| ["walk", "run", "stand"][k / 13_000].into()).replace('\n', "\r\n");
    std::fs::write(&path, &text).unwrap();
    assert!(text.len() > 3 << 20);
    let data = formats::read(&path, &typed()).unwrap();
    let streamed = open(&path, &typed(), 1 << 20);
    assert_eq!(streamed.schema(), &Schema::of(&data));
    assert_eq!(streamed.static_columns(), data.static_columns());
    for index in (0..30_000).step_by(171).chain((0..30_000).rev().step_by(2997)) {
        assert_eq!(
            shown(&streamed.get(0, index).unwrap()),
            shown(&data.get(0, index).unwrap()),
            "{index}"
        );
    }
    assert_eq!(fingerprint(&streamed).unwrap(), data.fingerprint());
    // A folder of two files. Both have a series `s0`.
    let small = table(3, |_, _| "run".into());
    std::fs::write(folder.path().join("b.csv"), &small).unwrap();
    let all = formats::read(folder.path(), &typed()).unwrap();
    let streamed = open(folder.path(), &typed(), 1 << 20);
    assert_eq!((streamed.len(), fingerprint(&streamed).unwrap()), (30_003, all.fingerprint()));
    assert_eq!(streamed.id(30_000), Some("s0"));
    // Series that are not together.
    let path = folder.path().join("b.csv");
    std::fs::write(&path, small + "s1,9,1,up,south,1,run\n").unwrap();
    let error = Streamed::open(&path, &typed(), None, StreamOptions::default()).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: line 13, column 1: series `s1` goes on after another one: expected the rows of each series one \
             after another, to stream them (sort the file by `series_id`, or use `ragged convert`, which reads it \
             into memory)",
            path.display()
        )
    );
    // A table that changes after it was opened.
    std::fs::write(&path, table(3, |_, _| "run".into())).unwrap();
    let streamed = open(&path, &typed(), 0);
    std::fs::write(&path, table(3, |_, _| "run".into()).replace("s1,0", "s1,7")).unwrap();
    assert!(streamed.get(0, 1).is_ok(), "another time is not seen");
    std::fs::write(&path, table(3, |_, _| "run".into())).unwrap();
    let streamed = open(&path, &typed(), 0);
    let mut other = table(3, |_, _| "run".into());
    let last = other.rfind("s2").unwrap();
    other.replace_range(last..last + 2, "s3");
    std::fs::write(&path, other).unwrap();
    let error = streamed.get(0, 1).unwrap_err().to_string();
    assert!(error.ends_with("b.csv: the file has changed since it was opened"), "{error}");
}

#[test]
fn what_cannot_be_streamed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    std::fs::write(&path, "@data\n1,2:x\n").unwrap();
    let error = |path: &Path| {
        let cache = StreamOptions::default();
        let error = Streamed::open(path, &ReadOptions::default(), None, cache).err().unwrap();
        error.to_string().replacen(&format!("{}: ", path.display()), "", 1)
    };
    assert_eq!(
        error(&path),
        "ts files cannot be streamed: expected csv, jsonl or parquet (`ragged convert` writes them)"
    );
    std::fs::create_dir(folder.path().join("b")).unwrap();
    assert!(error(folder.path()).contains("expected files to stream from, got a folder"));
    assert!(error(&folder.path().join("b")).contains("expected a file, got an empty folder"));
    if cfg!(feature = "parquet") {
        let long = error(&fixture("long.parquet"));
        assert!(
            long.contains("expected the rows of each series one after another, to stream them"),
            "{long}"
        );
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
