//! A corpus of files: truncated, contradictory and otherwise malformed files with their errors, and
//! files written by numpy with their values. `validation/generate_corpus.py` writes the corpus.

use std::path::{Path, PathBuf};

use ragged_datasets::formats::{self, ReadOptions};
use ragged_datasets::{Dataset, InMemory, Target, TargetKind};

/// Each malformed file and its error message after the path.
const MALFORMED: [(&str, &str); 57] = [
    (
        "csv-bad-number.csv",
        "line 3, column 2: expected a number, got `zwei`: data.read.csv.types says which columns are no numbers",
    ),
    ("csv-bad-utf8.csv", "line 2, column 3: invalid UTF-8"),
    ("csv-empty.csv", "line 1, column 1: expected at least one column of features, got none"),
    ("csv-header-only.csv", "line 2, column 1: expected a row, got the end of the file"),
    ("csv-open-quote.csv", "line 2, column 2: expected a closing quote, got the end of the file"),
    ("csv-same-time.csv", "line 4, column 2: expected a new time, got the time of line 2 again"),
    ("csv-truncated.csv", "line 3, column 3: expected 4 cells, got 2"),
    (
        "csv-wrong-count.csv",
        "line 3, column 3: expected 2 cells, got 3: expected quotes around a cell with a delimiter or a \
                 decimal comma",
    ),
    ("jsonl-array.jsonl", "line 1, column 1: expected an object, `{...}`"),
    ("jsonl-bad-number.jsonl", "line 1, column 21: invalid type: string \"2\", expected f64"),
    ("jsonl-bad-utf8.jsonl", "line 1, column 30: invalid UTF-8"),
    ("jsonl-deep.jsonl", "line 1, column 155: recursion limit exceeded"),
    ("jsonl-empty.jsonl", "line 1, column 1: expected a sequence, got the end of the file"),
    (
        "jsonl-nan.jsonl",
        "line 1, column 19: expected a number, got `NaN`: write null for a missing value",
    ),
    ("jsonl-truncated.jsonl", "line 2, column 24: EOF while parsing a list"),
    ("jsonl-wrong-width.jsonl", "line 1, column 1: step 2: expected 2 features, got 1"),
    (
        "npz-bad-header.npz",
        "values: header: expected a dictionary of descr, fortran_order and shape",
    ),
    ("npz-bad-version.npz", "values: expected format version 1 to 3, got 9"),
    ("npz-both.npz", "expected one of `lengths` and `offsets`, got both"),
    ("npz-complex.npz", "values: dtype `<c16` is not supported: expected numbers or texts"),
    ("npz-damaged.npz", "values: Invalid checksum"),
    ("npz-empty.npz", "invalid Zip archive: Could not find EOCD"),
    ("npz-falling-offsets.npz", "offsets[2]: expected at least 4, got 2"),
    ("npz-huge-header.npz", "values: expected a header of at most 65536 bytes, got 4000000000"),
    (
        "npz-huge-shape.npz",
        "values: shape [1000000000, 1000000000] is too large: expected at most 4294967296 bytes",
    ),
    ("npz-infinite.npz", "values: expected a finite number, got `inf`"),
    ("npz-label-out-of-range.npz", "targets: expected classes below 3, got 3"),
    ("npz-lying-shape.npz", "values: expected 4000000000 more bytes, got 64"),
    ("npz-negative.npz", "lengths[1]: expected at least 0, got -2"),
    ("npz-no-lengths.npz", "expected an array `lengths`, got none"),
    ("npz-not-a-zip.npz", "invalid Zip archive: Could not find EOCD"),
    ("npz-object.npz", "values: header: expected one plain dtype"),
    (
        "npz-overflow.npz",
        "lengths: expected a sum of 6, the number of rows of `values`, got an overflow",
    ),
    ("npz-short-shape.npz", "values: expected the end of the array, got more bytes"),
    ("npz-truncated.npz", "invalid Zip archive: Could not find EOCD"),
    (
        "npz-unknown.npz",
        "unknown array `sizes`: expected values, lengths or offsets, targets, labels, features, ids",
    ),
    ("npz-wrong-sum.npz", "lengths: expected a sum of 6, the number of rows of `values`, got 7"),
    ("npz-wrong-targets.npz", "targets: expected 4 (one per sequence) or 6 (one per step), got 3"),
    ("st-bad-dtype.safetensors", "values: dtype F8_E4M3 is not supported: expected plain numbers"),
    ("st-bad-json.safetensors", "invalid JSON in header: key must be a string at line 1 column 2"),
    (
        "st-bad-labels.safetensors",
        "metadata labels: expected a list of texts: expected value at line 1 column 1",
    ),
    ("st-empty.safetensors", "header too small"),
    ("st-huge-header.safetensors", "header too large"),
    ("st-huge-shape.safetensors", "overflow computing buffer size from shape and/or element type"),
    ("st-lying-offsets.safetensors", "invalid shape, data type, or offset for tensor"),
    ("st-truncated.safetensors", "incomplete metadata, file not fully covered"),
    ("ts-bad-number.ts", "line 2, column 5: expected a number, got `zwei`"),
    ("ts-bad-utf8.ts", "line 3, column 5: invalid UTF-8"),
    ("ts-empty.ts", "line 1, column 1: expected @data, got the end of the file"),
    ("ts-header-only.ts", "line 3, column 1: expected a series, got the end of the file"),
    ("ts-huge-dimensions.ts", "line 3, column 4: expected 18446744073709551615 dimensions, got 1"),
    ("ts-too-large.ts", "line 2, column 3: 2e39 is too large for a 32-bit float"),
    ("ts-truncated.ts", "line 6, column 6: expected 2 dimensions, got 1"),
    ("ts-unknown-label.ts", "line 3, column 3: expected a label of @classLabel, got `c`"),
    (
        "ts-utf16.ts",
        "line 1, column 1: expected a text in UTF-8, got UTF-16: save the file as UTF-8",
    ),
    ("ts-wrong-dimensions.ts", "line 4, column 6: expected 3 dimensions, got 2"),
    ("ts-wrong-length.ts", "line 4, column 1: expected 3 steps (@equalLength true), got 2"),
];

/// The valid files.
const GOOD: [&str; 10] = [
    "csv-crlf-bom.csv",
    "jsonl-crlf-bom.jsonl",
    "numpy-big-endian.npz",
    "numpy-compressed.npz",
    "numpy-f16-u8.npz",
    "numpy-f64.npz",
    "numpy-fortran.npz",
    "numpy-steps.npz",
    "st-good.safetensors",
    "ts-crlf-bom.ts",
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn read(name: &str) -> ragged_datasets::Result<InMemory> {
    formats::read(&corpus().join(name), &ReadOptions::default())
}

#[test]
fn every_malformed_file_has_its_error() {
    for (name, message) in MALFORMED {
        let path = corpus().join(name);
        let error = read(name).expect_err(name).to_string();
        assert_eq!(error, format!("{}: {message}", path.display()));
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn every_file_of_the_corpus_is_tested() {
    let mut files: Vec<_> = std::fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut known: Vec<_> = MALFORMED.iter().map(|(name, _)| *name).chain(GOOD).collect();
    known.sort_unstable();
    assert_eq!(files, known);
}

/// Byte order marks and carriage returns are not part of any value or name.
#[test]
fn texts_from_windows_are_read() {
    for name in ["ts-crlf-bom.ts", "csv-crlf-bom.csv", "jsonl-crlf-bom.jsonl"] {
        let data = read(name).unwrap();
        let lengths: Vec<_> = data.examples().iter().map(|e| e.sequence.len()).collect();
        assert_eq!(lengths, [2, 1], "{name}");
        if let Some(labels) = data.target_kind().labels() {
            assert!(labels.iter().all(|label| label.trim() == label && label.len() == 1));
        }
    }
}

#[test]
fn files_written_by_numpy_are_read() {
    let labels = |labels: &[&str]| labels.iter().map(|label| label.to_string()).collect::<Vec<_>>();
    let declared = TargetKind::Classes(labels(&["b", "é", "long label"]));
    let sorted = TargetKind::Classes(labels(&["b", "long label", "é"]));
    let class = |classes: [u32; 4]| classes.map(Target::Class).to_vec();
    let value = |values: [f32; 4]| values.map(|v| Target::Values(vec![v])).to_vec();
    let steps = |steps: [&[u32]; 4]| steps.map(|s| Target::StepClasses(s.to_vec())).to_vec();
    for (name, kind, targets) in [
        ("numpy-f64.npz", declared.clone(), class([1, 0, 1, 2])),
        ("numpy-compressed.npz", declared, class([1, 0, 1, 2])),
        ("numpy-f16-u8.npz", sorted.clone(), class([2, 0, 2, 1])),
        ("numpy-big-endian.npz", sorted, class([2, 0, 2, 1])),
        ("numpy-fortran.npz", TargetKind::Values(1), value([1.5, 2.0, -1.0, 0.0])),
        (
            "numpy-steps.npz",
            TargetKind::StepClasses(labels(&["b", "é", "long label"])),
            steps([&[0, 1, 1], &[], &[0, 2], &[1]]),
        ),
    ] {
        let data = read(name).unwrap();
        assert_eq!(data.target_kind(), &kind, "{name}");
        let got: Vec<_> = data.examples().iter().map(|e| e.target.clone()).collect();
        assert_eq!(got, targets, "{name}");
        let lengths: Vec<_> = data.examples().iter().map(|e| e.sequence.len()).collect();
        assert_eq!(lengths, [3, 0, 2, 1], "{name}");
        let values: Vec<f32> =
            data.examples().iter().flat_map(|e| e.sequence.values()).copied().collect();
        if name == "numpy-steps.npz" {
            assert_eq!(values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        } else {
            // Multiples of a quarter; the third value is missing.
            let expected = |k: usize| if k == 2 { f32::NAN } else { k as f32 / 4.0 };
            assert!((0..12).all(|k| values[k] == expected(k) || (k == 2 && values[k].is_nan())));
        }
    }
    let good = read("st-good.safetensors").unwrap();
    assert_eq!(good.examples()[1].sequence.values(), [2.0, 3.0, 4.0, 5.0]);
}
