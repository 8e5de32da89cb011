//! Targets of every kind in data that stay in their files: the decisions, errors and sums are those of data in memory.

use std::path::Path;

use proptest::prelude::*;
use ragged_datasets::formats::{self, ReadOptions, Schema, StreamOptions, Streamed, Task};
use ragged_datasets::{Dataset, InMemory, TargetKind};

fn open(
    path: &Path,
    options: &ReadOptions,
    schema: Option<&Schema>,
) -> ragged_datasets::Result<Streamed> {
    Streamed::open(path, options, schema, StreamOptions { cache_bytes: 0 })
}

/// Compares all that a data set says of its targets. Returns the kind, or the error.
fn check(path: &Path, options: &ReadOptions, schema: Option<&Schema>) -> Result<InMemory, String> {
    let data = match schema {
        Some(schema) => formats::read_as(path, options, schema),
        None => formats::read(path, options),
    };
    let (data, streamed) = match (data, open(path, options, schema)) {
        (Ok(data), Ok(streamed)) => (data, streamed),
        (Err(expected), Err(got)) => {
            assert_eq!(got.to_string(), expected.to_string());
            return Err(got.to_string());
        }
        (data, streamed) => panic!("{:?} in memory, {:?} streamed", data.err(), streamed.err()),
    };
    assert_eq!(streamed.target_kind(), data.target_kind());
    assert_eq!(streamed.target_summary(), data.target_summary());
    assert_eq!(streamed.fingerprint(), data.fingerprint());
    assert_eq!(streamed.columns(), data.columns());
    // Those on the content need other data: ten sequences, or several features.
    assert_eq!(streamed.notes(), data.notes());
    assert_eq!((streamed.len(), streamed.schema()), (data.len(), &Schema::of(&data)));
    for index in 0..data.len() {
        let (got, expected) = (streamed.get(0, index).unwrap(), data.get(0, index).unwrap());
        // NaN is equal to NaN as a text.
        assert_eq!(format!("{got:?}"), format!("{expected:?}"));
        assert_eq!(streamed.length(0, index).unwrap(), got.sequence.len());
        assert_eq!(streamed.id(index), data.id(index));
    }
    Ok(data)
}

/// The kinds of targets, and a list of other ones.
const KINDS: usize = 10;

/// The task of a kind that is not the one that targets of its form have by themselves.
fn task_of(kind: usize) -> Option<Task> {
    match kind {
        4 => Some(Task::StepRegression),
        8 => Some(Task::Transcription),
        _ => None,
    }
}

/// A target of one of the kinds, for a sequence of a length, made of some small numbers.
fn target(kind: usize, length: usize, picks: &[usize]) -> String {
    let name = |k: usize| ["\"walk\"", "\"run\"", "\"7\"", "\"7.0\""][picks[k % picks.len()]];
    let number = |k: usize| ["0", "1", "-2.5", "0.25"][picks[k % picks.len()]];
    let missing = |k: usize| ["null", "1", "0", "3"][picks[k % picks.len()]];
    let list = |item: &dyn Fn(usize) -> String, count: usize| {
        format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(", "))
    };
    let names = |count| list(&|k| name(k).into(), count);
    match kind {
        0 => name(0).into(),
        1 => number(0).into(),
        2 => list(&|k| number(k).into(), 2),
        3 => names(length),
        4 => list(&|k| number(k).into(), length),
        5 => list(&|k| list(&|j| number(k + j).into(), 2), length),
        6 => format!("{{\"a\": {}, \"b\": {}}}", name(0), missing(1)),
        7 => {
            let values = list(&|k| missing(k).into(), length);
            format!("{{\"b\": {values}, \"a\": {}}}", names(length))
        }
        8 => names(picks[0]),
        9 => ["0", "1", "1.0", "0"][picks[0]].into(),
        _ => ["null", "[]", "{}", "[[1], [2, 3]]", "{\"c\": 1}", "[1, \"x\"]", "[null]", "1e60"]
            [picks[0] + 4 * (picks[1] % 2)]
            .into(),
    }
}

/// The lines of a data set, in one or more files.
fn lines() -> impl Strategy<Value = (Option<Task>, Vec<Vec<String>>)> {
    let tasks =
        [Task::Classification, Task::Regression, Task::SequenceLabelling, Task::StepRegression];
    let task = prop::option::weighted(0.2, prop::sample::select(tasks.to_vec()));
    (0..KINDS, task, any::<bool>()).prop_flat_map(|(kind, task, ids)| {
        let task = task_of(kind).or(task);
        let kinds = prop_oneof![60 => Just(kind), 1 => 0..=KINDS];
        let picks = prop::collection::vec(0..4usize, 8);
        let length = prop_oneof![1 => Just(0), 9 => 1..4usize];
        let line = (kinds, length, picks, 0..20u8).prop_map(move |(kind, length, picks, luck)| {
            let id = if ids && luck > 0 { format!("\"id\": \"s{luck}\", ") } else { String::new() };
            // Now and then a step too many.
            let steps = vec!["0.5"; length + usize::from(luck == 1)].join(", ");
            let target = target(kind, length, &picks);
            format!("{{{id}\"sequence\": [{steps}], \"target\": {target}}}\n")
        });
        let file = prop::collection::vec(line, 1..4);
        (Just(task), prop::collection::vec(file, 1..4))
    })
}

fn write(folder: &Path, files: &[Vec<String>]) {
    for (index, lines) in files.iter().enumerate() {
        std::fs::write(folder.join(format!("{index}.jsonl")), lines.concat()).unwrap();
    }
}

/// Compares some files, and each of them with the schema of the first.
fn check_files(task: Option<Task>, files: &[Vec<String>]) -> Result<TargetKind, String> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    let options = ReadOptions { task, ..Default::default() };
    let all = check(folder.path(), &options, None);
    let one = |index: usize| folder.path().join(format!("{index}.jsonl"));
    if let Ok(first) = check(&one(0), &options, None) {
        let schema = Schema::of(&first);
        let _ = check(folder.path(), &options, Some(&schema));
        let _ = check(&one(files.len() - 1), &options, Some(&schema.without_targets()));
    }
    all.map(|data| data.target_kind().clone())
}

proptest! {
    #[test]
    fn a_streamed_data_set_is_that_in_memory((task, files) in lines()) {
        let _ = check_files(task, &files);
    }
}

/// Tables of one or two targets in several files, whose cells are of one kind for the most part.
fn tables() -> impl Strategy<Value = (Option<Task>, Vec<String>)> {
    let tasks =
        [Task::Classification, Task::Regression, Task::SequenceLabelling, Task::StepRegression];
    let task = prop::option::weighted(0.4, prop::sample::select(tasks.to_vec()));
    let palettes = [
        &["walk", "run"][..],
        &["0.5", "2", "2.0"],
        &["0", "1"],
        &["walk", "", "walk"],
        &["1", "", "1.0"],
        &["x", "NA", "7"],
    ];
    let columns = prop::collection::vec(prop::sample::select(palettes.to_vec()), 1..3);
    (task, columns).prop_flat_map(|(task, columns)| {
        let row = prop::collection::vec(0..3usize, columns.len());
        // The rows of a series have the cells of its first row, or those of their own.
        let series = (any::<bool>(), prop::collection::vec(row, 1..4));
        let file = prop::collection::vec(series, 1..4).prop_map(move |all| {
            let names = ["target", "a,b"][columns.len() - 1];
            let mut text = format!("series_id,x,{names}\n");
            for (s, (same, rows)) in all.iter().enumerate() {
                for row in rows {
                    let picks = if *same { &rows[0] } else { row };
                    let cells = picks.iter().zip(&columns);
                    let cells: Vec<&str> = cells.map(|(&k, of)| of[k % of.len()]).collect();
                    text += &format!("s{s},0.5,{}\n", cells.join(","));
                }
            }
            text
        });
        (Just(task), prop::collection::vec(file, 1..4))
    })
}

proptest! {
    #[test]
    fn a_streamed_table_is_that_in_memory((task, files) in tables()) {
        let folder = tempfile::tempdir().unwrap();
        for (index, text) in files.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{index}.csv")), text).unwrap();
        }
        let mut options = ReadOptions { task, ..Default::default() };
        if files[0].starts_with("series_id,x,a,b") {
            options.csv.targets = Some(vec!["a".into(), "b".into()]);
        }
        let _ = check(folder.path(), &options, None);
    }
}

/// The data that are drawn have every kind.
#[test]
fn every_kind_is_streamed() {
    let kinds: Vec<String> = (0..KINDS)
        .map(|kind| {
            let line = |picks: &[usize]| {
                format!("{{\"sequence\": [1, 2], \"target\": {}}}\n", target(kind, 2, picks))
            };
            let files = [vec![line(&[0, 1, 2]), line(&[1, 0, 3])], vec![line(&[2, 3, 1])]];
            format!("{:?}", check_files(task_of(kind), &files).unwrap())
        })
        .collect();
    let expected = [
        "Classes([\"7\", \"run\", \"walk\"])",
        "Values(1)",
        "Values(2)",
        "StepClasses([\"7\", \"run\", \"walk\"])",
        "StepValues(1)",
        "StepValues(2)",
    ];
    assert_eq!(kinds[..6], expected);
    assert!(kinds[6].ends_with("per_step: false }") && kinds[7].ends_with("per_step: true }"));
    assert_eq!(kinds[8], "Labels([\"7\", \"run\"])");
    assert_eq!(kinds[9], "Classes([\"0\", \"1\"])");
}

/// The last of some lines is wrong. The message ends like this, and is that of data in memory.
#[test]
fn errors_are_those_of_data_in_memory() {
    let line = |target: &str| format!("{{\"sequence\": [1, 2], \"target\": {target}}}\n");
    let mut wrong = vec![];
    for (task, good, bad, end) in [
        (None, "0.5", "\"walk\"", "set the task to classification)"),
        (None, "[0.5, 1]", "[0.5, null]", "expected a number, got `NaN`, which is a missing value"),
        (None, "0.5", "1e60", "is too large for a 32-bit float"),
        (None, "0.5", "[0.5, 1]", "target: expected one number, got a list of 2"),
        (None, "[0.5, 1]", "[0.5]", "target: expected 2 numbers, got a list of 1"),
        (None, "\"walk\"", "1", "set the task to classification)"),
        (None, "\"walk\"", "[\"walk\"]", "expected one label for each of 2 steps, got `walk`"),
        (None, "[\"a\", \"b\"]", "[\"a\"]", "for each of 2 steps, got a list of 1"),
        (
            None,
            "[[1, 2], [3, 4]]",
            "[[1, 2]]",
            "2 numbers for each of 2 steps, got 2 for each of 1 steps",
        ),
        (None, "[[1], [3]]", "[1, [2]]", "target: expected lists of equal depth"),
        (None, "{\"a\": 1}", "{\"b\": 1}", "expected the targets a: missing a; unexpected b"),
        (None, "{\"a\": 0.5}", "{\"a\": \"x\"}", "data.read.csv.types can say target-category)"),
        (
            None,
            "{\"a\": 1}",
            "{\"a\": [1]}",
            "target: expected a list of values, one for each step",
        ),
        (
            None,
            "{\"a\": [1, 2]}",
            "{\"a\": [1]}",
            "expected a list of 2 values, one for each step, got 1",
        ),
        (None, "{\"a\": 1}", "2", "expected a value for each of a, got `2`"),
        (None, "{\"a\": null}", "{\"a\": null}", "expected values, got missing ones only"),
        (Some(Task::Regression), "0.5", "\"walk\"", "expected a number, got `walk`"),
        (Some(Task::Transcription), "[\"a\"]", "\"a\"", "expected a list of labels, got `a`"),
        (
            Some(Task::StepRegression),
            "[0.5, 1]",
            "0.5",
            "expected 1 numbers for each of 2 steps, got `0.5`",
        ),
    ] {
        // In one file, and in the second of two.
        for files in [
            vec![vec![line(good), line(good), line(bad)]],
            vec![vec![line(good), line(good)], vec![line(bad)]],
        ] {
            let error = check_files(task, &files).expect_err(bad);
            if !error.ends_with(end) {
                wrong.push(format!("{good} and {bad}: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A label that the training data do not have.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[vec![line("\"walk\"")], vec![line("\"walk\""), line("\"fly\"")]]);
    let options = ReadOptions::default();
    let schema = Schema::of(&check(&folder.path().join("0.jsonl"), &options, None).unwrap());
    let error = check(folder.path(), &options, Some(&schema)).unwrap_err();
    assert!(
        error.ends_with(
            "1.jsonl: line 2, column 1: expected one of the 1 known labels (walk), got `fly`"
        ),
        "{error}"
    );
}

#[test]
fn lengths_are_those_of_repeated_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "{\"sequence\": [1, 2], \"target\": [\"a\", \"b\", \"a\"]}\n").unwrap();
    let options = ReadOptions {
        task: Some(Task::Transcription),
        repeat: std::num::NonZeroU8::new(255),
        ..Default::default()
    };
    check(&path, &options, None).unwrap();
    assert_eq!(open(&path, &options, None).unwrap().length(0, 0).unwrap(), 510);
}
