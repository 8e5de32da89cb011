//! The task that the targets of a file decide, in every format, and the error of every target that does
//! not match the others.

use std::io::Write;

use ragged_datasets::formats::{self, Format, ReadOptions, Schema, Task};
use ragged_datasets::{Dataset, InMemory, Result, Target, TargetKind};

fn read(text: &str, format: Format, task: Option<Task>) -> Result<InMemory> {
    let options = ReadOptions { task, ..Default::default() };
    formats::parse(text.as_bytes(), format, &options, None)
}

fn classes(labels: &[&str]) -> TargetKind {
    TargetKind::Classes(labels.iter().map(|label| label.to_string()).collect())
}

/// A table of one series per target, of two rows each.
fn table(targets: &[&str]) -> String {
    let series = targets.iter().enumerate();
    let rows = series.map(|(k, target)| format!("s{k},1,{target}\ns{k},2,{target}\n"));
    format!("series_id,x,target\n{}", rows.collect::<String>())
}

fn lines(targets: &[&str]) -> String {
    targets.iter().map(|t| format!("{{\"sequence\": [1, 2], \"target\": {t}}}\n")).collect()
}

#[track_caller]
fn refused(text: &str, format: Format, task: Option<Task>, message: &str) {
    let error = read(text, format, task).expect_err(message).to_string();
    assert_eq!(error, message);
}

#[test]
fn one_bad_cell_does_not_turn_regression_into_classification() {
    let names = "but 6 of 8 targets are numbers (if they are the names of classes, set the task to \
                 classification)";
    let numbers = ["0.5", "1.75", "3"];
    for (cell, reason) in [
        ("NA", "expected a number, got `NA`, which is a missing value".to_string()),
        ("nan", "expected a number, got `nan`, which is a missing value".into()),
        ("?", "expected a number, got `?`, which is a missing value".into()),
        ("inf", format!("expected a number, got `inf`, {names}")),
        ("12.5x", format!("expected a number, got `12.5x`, {names}")),
        ("n/a", format!("expected a number, got `n/a`, {names}")),
    ] {
        let text = table(&[&numbers[..], &[cell]].concat());
        let message = format!("line 8, column 3: target: {reason}");
        refused(&text, Format::Csv, None, &message);
    }
    let comma = "line 8, column 3: target: expected a number, got `1,250`: expected a point before the \
                 decimals and no separators between thousands";
    refused(&table(&["0.5", "1.75", "3", "\"1,250\""]), Format::Csv, None, comma);
    // A whole column with decimal commas is a column of numbers.
    let comma = "line 2, column 3: target: expected a number, got `0,5`: expected a point before the \
                 decimals and no separators between thousands";
    refused(&table(&["\"0,5\"", "\"1,75\""]), Format::Csv, None, comma);
}

#[test]
fn most_cells_decide_and_a_task_overrides_them() {
    let kind = |targets: &[&str], task| {
        read(&table(targets), Format::Csv, task).unwrap().target_kind().clone()
    };
    assert_eq!(kind(&["0.5", "2"], None), TargetKind::Values(1));
    assert_eq!(kind(&["walk", "run", "3"], None), classes(&["3", "run", "walk"]));
    let task = Some(Task::Classification);
    assert_eq!(kind(&["3", "1", "x"], task), classes(&["1", "3", "x"]));
    assert_eq!(kind(&["walk", "NA"], task), classes(&["NA", "walk"]));
    let message = "line 4, column 3: target: expected a label, got `NA`, which is a missing value (if it \
                   is the name of a class, set the task to classification)";
    refused(&table(&["walk", "NA", "run"]), Format::Csv, None, message);
    // Among labels that are numbers, a missing value is no class.
    let message = "line 4, column 3: target: expected a label, got `nan`, which is a missing value";
    refused(&table(&["1.0", "nan", "0.0"]), Format::Csv, task, message);
    let message = "line 2, column 3: target: expected a number, got `walk`";
    refused(&table(&["walk", "run"]), Format::Csv, Some(Task::Regression), message);
}

#[test]
fn numbers_are_compared_as_numbers() {
    let spelled = "series_id,x,target\na,1,0.5\na,2,0.50\nb,1,1\nb,2,1.0\nb,3,\n";
    let data = read(spelled, Format::Csv, None).unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Values(1));
    assert_eq!(data.examples()[0].target, Target::Values(vec![0.5]));
    assert_eq!(data.target_summary(), "target: regression, 2 values from 0.5 to 1");
    let data = read(&table(&["1", "1.0", "0", "0.0"]), Format::Csv, Some(Task::Classification));
    let data = data.unwrap();
    assert_eq!(data.target_kind(), &classes(&["0", "1"]));
    let targets: Vec<_> = data.examples().iter().map(|e| e.target.clone()).collect();
    assert_eq!(targets, [1, 1, 0, 0].map(Target::Class));
    assert_eq!(
        data.notes(),
        ["target: `0` and `0.0` are one class", "target: `1` and `1.0` are one class"]
    );
    assert_eq!(data.target_summary(), "target: classification, 2 classes: 0, 1");
}

#[test]
fn labels_are_trimmed() {
    let text = "series_id,x,target\na,1,\"run \"\na,2,run\nb,1, walk\n";
    let data = read(text, Format::Csv, None).unwrap();
    assert_eq!(data.target_kind(), &classes(&["run", "walk"]));
    let data = read(&lines(&["\"run \"", "\"run\""]), Format::JsonLines, None).unwrap();
    assert_eq!(data.target_kind(), &classes(&["run"]));
}

#[test]
fn missing_targets_are_errors_at_their_line() {
    refused(
        &table(&["1", "", "3"]),
        Format::Csv,
        None,
        "line 4, column 3: target: expected one number, got none",
    );
    let text = "x,target\n1,0.5\n2,NA\n3,1.5\n4,2\n";
    let message = "line 3, column 2: target: expected a number, got `NA`, which is a missing value";
    refused(text, Format::Csv, None, message);
    let text = "x,target\n1,0.5\n2,\n3,1.5\n4,2\n";
    refused(text, Format::Csv, None, "line 3, column 2: expected a target, got an empty cell");
    // A column without any target is none.
    let data = read(&table(&["", ""]), Format::Csv, None).unwrap();
    assert_eq!(data.target_summary(), "target: none");
}

#[test]
fn a_target_that_changes_is_one_per_step() {
    let data = read("x,target\n1,a\n2,b\n", Format::Csv, None).unwrap();
    assert_eq!(
        data.target_summary(),
        "target: sequence labelling (one target per step), 2 classes: a, b"
    );
    let data = read("x,target_a,target_b\n1,1,2\n2,1,3\n", Format::Csv, None).unwrap();
    assert_eq!(
        data.target_summary(),
        "target: step regression (one target per step), 4 values in 2 columns from 1 to 3"
    );
}

#[test]
fn mixed_targets_in_json_are_refused() {
    let message = "line 2, column 1: target: expected a text, as in 2 of 3 targets, got the number 3 (if \
                   it is the name of a class, set the task to classification)";
    refused(&lines(&["\"a\"", "3", "\"b\""]), Format::JsonLines, None, message);
    let message = "line 3, column 1: target: expected a number, got `b`, but 2 of 3 targets are numbers \
                   (if they are the names of classes, set the task to classification)";
    refused(&lines(&["1.5", "3", "\"b\""]), Format::JsonLines, None, message);
    let message = "line 2, column 1: target: expected one number, got none";
    refused(&lines(&["1.5", "null"]), Format::JsonLines, None, message);
    let data = read(&lines(&["1", "\"b\"", "1.0"]), Format::JsonLines, Some(Task::Classification));
    assert_eq!(data.unwrap().target_kind(), &classes(&["1", "b"]));
}

#[test]
fn whole_numbers_are_exact_labels() {
    let targets = ["16777216", "16777217", "20240101001", "18446744073709551615"];
    let data = read(&lines(&targets), Format::JsonLines, Some(Task::Classification)).unwrap();
    assert_eq!(data.target_kind(), &classes(&targets));
}

/// An `.npz` archive of two sequences of two steps, with targets of a dtype and shape.
fn archive(descr: &str, shape: &str, targets: &[u8]) -> Vec<u8> {
    let array = |descr: &str, shape: &str, data: &[u8]| {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    };
    let floats = [1f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat();
    let lengths = [2i64, 2].map(i64::to_le_bytes).concat();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, array) in [
        ("values.npy", array("<f4", "(4, 1)", &floats)),
        ("lengths.npy", array("<i8", "(2,)", &lengths)),
        ("targets.npy", array(descr, shape, targets)),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(&array).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Several labels at once: a list of 0 and 1 was once read as a class for each step.
#[test]
fn lists_of_zeros_and_ones_are_values() {
    let text = "{\"sequence\": [[1], [2]], \"target\": [0, 1]}\n{\"sequence\": [[3]], \"target\": [1, 0]}\n";
    let data = read(text, Format::JsonLines, None).unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Values(2));
    let text = text.replace("[0, 1]", "0").replace("[1, 0]", "1");
    let data = read(&text, Format::JsonLines, None).unwrap();
    assert_eq!(data.target_kind(), &classes(&["0", "1"]));
}

#[test]
fn targets_of_arrays() {
    let read = |descr: &str, shape: &str, targets: &[u8], task| {
        let options = ReadOptions { task, ..Default::default() };
        formats::parse(&archive(descr, shape, targets), Format::Npz, &options, None)
    };
    let nan = [f64::NAN, 1.0].map(f64::to_le_bytes).concat();
    let message = "sequence 1: target: expected a number, got `NaN`, which is a missing value";
    assert_eq!(read("<f8", "(2,)", &nan, None).unwrap_err().to_string(), message);
    let task = Some(Task::Classification);
    let message = "sequence 1: target: expected a label, got `NaN`, which is a missing value";
    assert_eq!(read("<f8", "(2,)", &nan, task).unwrap_err().to_string(), message);
    let floats = [1f64, 2.0].map(f64::to_le_bytes).concat();
    let data = read("<f8", "(2, 1)", &floats, None).unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Values(1));
    let floats = [1f64, 0.0].map(f64::to_le_bytes).concat();
    let data = read("<f8", "(2, 1)", &floats, None).unwrap();
    assert_eq!(data.target_kind(), &classes(&["0", "1"]));
    let data = read("<f8", "(2,)", &floats, task).unwrap();
    assert_eq!(data.target_kind(), &classes(&["0", "1"]));
    // A column vector of integers is one class per sequence.
    let integers = [7i64, 3].map(i64::to_le_bytes).concat();
    let data = read("<i8", "(2, 1)", &integers, None).unwrap();
    assert_eq!(data.target_kind(), &classes(&["3", "7"]));
    let four = [7i64, 3, 3, 7].map(i64::to_le_bytes).concat();
    let message = "targets: expected shape [B] or [B, 1] for one class per sequence, or numbers in \
                   floating point, got [2, 2]";
    assert_eq!(read("<i8", "(2, 2)", &four, None).unwrap_err().to_string(), message);
    let data = read("<i8", "(2, 2)", &four, Some(Task::Regression)).unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Values(2));
    let large = [9_223_372_036_854_775_813u64, 9_223_372_036_854_775_812].map(u64::to_le_bytes);
    let data = read("<u8", "(2,)", &large.concat(), None).unwrap();
    assert_eq!(data.target_kind(), &classes(&["9223372036854775812", "9223372036854775813"]));
}

#[test]
fn a_folder_is_decided_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let read = || formats::read(folder.path(), &ReadOptions::default());
    // The target changes within a series of the second file only.
    write("a.csv", "x,target\n1,0.5\n2,0.50\n");
    write("b.csv", "x,target\n1,0.5\n2,0.75\n");
    let data = read().unwrap();
    assert_eq!(data.target_kind(), &TargetKind::StepValues(1));
    write("c.csv", "x,target\n1,high\n2,high\n");
    let error = read().unwrap_err().to_string();
    assert!(
        error.contains("c.csv: line 2, column 2: target: expected a number, got `high`"),
        "{error}"
    );
}

#[test]
fn another_spelling_of_a_declared_label_is_the_label() {
    let text = "@classLabel true 1 2\n@data\n5:1.0\n6:2\n";
    let data = read(text, Format::Ts, None).unwrap();
    assert_eq!(data.target_kind(), &classes(&["1", "2"]));
    let schema = Schema::of(&data);
    let later = b"series_id,x,target\na,1,1.00\n";
    let later = formats::parse(later, Format::Csv, &ReadOptions::default(), Some(&schema)).unwrap();
    assert_eq!(later.examples()[0].target, Target::Class(0));
}
