//! Parquet files of other programs, and files that cannot be read.
//!
//! `validation/generate_parquet_fixtures.py` wrote the files in `tests/parquet`, with their content as JSON lines.

use std::path::{Path, PathBuf};

use ragged_datasets::formats::{self, ColumnType, CsvColumns, Format, ReadOptions, Role, Schema};
use ragged_datasets::{Dataset, InMemory, TargetKind};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet")
}

fn read(name: &str) -> InMemory {
    formats::read(&folder().join(name), &ReadOptions::default()).unwrap()
}

/// The content of the examples; the texts of tokens and not their indices, and one bit pattern for NaN.
fn content(data: &InMemory) -> Vec<(Vec<u64>, Vec<String>, String)> {
    let columns = data.token_columns();
    let texts = |ids: &[u32]| -> Vec<String> {
        let text =
            |(at, id): (usize, &u32)| columns[at % columns.len()].texts[*id as usize].clone();
        ids.iter().enumerate().map(text).collect()
    };
    let example = |example: &ragged_datasets::Example| {
        let bits = |v: f64| if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() };
        let values = match example.sequence.exact_values() {
            Some(values) => values.iter().copied().map(bits).collect(),
            None => example.sequence.values().iter().map(|&v| bits(v.into())).collect(),
        };
        let tokens = example.sequence.tokens().map_or(vec![], |tokens| texts(tokens.ids()));
        (values, tokens, format!("{:?}", example.target))
    };
    data.examples().iter().map(example).collect()
}

#[test]
fn files_of_other_programs_have_the_examples_of_their_lines() {
    let names =
        ["list", "list-types", "polars", "steps", "step-values", "long", "long-pandas", "texts"];
    for name in names {
        let lines = read(&format!("{name}.jsonl"));
        let schema = Schema::of(&lines);
        // The columns of a table may have another order.
        let path = folder().join(format!("{name}.parquet"));
        let table = formats::read_as(&path, &ReadOptions::default(), &schema).unwrap();
        assert_eq!(content(&table), content(&lines), "{name}");
        assert_eq!(table.ids(), lines.ids(), "{name}");
        assert_eq!(table.feature_names(), lines.feature_names(), "{name}");
        // Without a schema, the file says what is predicted.
        let table = formats::read(&path, &ReadOptions::default()).unwrap();
        assert_eq!(table.target_kind(), lines.target_kind(), "{name}");
        assert_eq!(table.fingerprint() == lines.fingerprint(), name != "list-types", "{name}");
    }
}

/// `list-types` has its columns in another order than its lines, so only the order of the features differs.
#[test]
fn columns_are_described() {
    let data = read("list-types.parquet");
    let roles: Vec<(&str, Role)> =
        data.columns().iter().map(|c| (c.name.as_str(), c.role)).collect();
    let expected = [
        ("height", Role::Feature(0)),
        ("target", Role::Target),
        ("speed", Role::Feature(1)),
        ("series_id", Role::Id),
    ];
    assert_eq!(roles, expected);
    let pandas = read("long-pandas.parquet");
    let note = "column `__index_level_0__` is left out, as the numbers of the rows";
    assert_eq!(pandas.notes(), [note]);
    assert_eq!(pandas.columns()[1].to_string(), "time: dates and times without a time zone");
    let long = read("long.parquet");
    assert_eq!(long.columns()[1].to_string(), "time: dates and times with a time zone");
}

#[test]
fn every_bad_file_has_its_error() {
    let hint = "data.read.csv.types says if it is ignored";
    let kinds = |got: &str| format!("expected numbers or texts, got {got}: {hint}");
    let files = [
        ("map", format!("column 2: column `extra`: {}", kinds("maps"))),
        ("struct", format!("column 2: column `extra`: {}", kinds("groups of columns (structs)"))),
        ("nested-list", format!("column 1: column `x`: {}", kinds("lists of lists"))),
        ("binary", format!("column 2: column `extra`: {}", kinds("binary data"))),
        ("date-feature", format!("column 1: column `x`: {}", kinds("dates and times"))),
        (
            "null-in-list",
            "row 2, column 2, item 1: expected a value, got null in a list of `x`: NaN is a missing value".into(),
        ),
        (
            "null-list",
            "row 2, column 2: expected a list, got null in `x`: an empty list is a sequence without a step".into(),
        ),
        (
            "unequal-lists",
            "row 2, column 2: expected 1 items in `y`, one for each step, got 2".into(),
        ),
        (
            "text-in-series",
            "row 1, column 3: expected a number, got `1`: targets are in a column `target`, or in those that \
             csv.targets names; data.read.csv.types says if `y` is a category, a text or ignored"
                .into(),
        ),
        ("infinite", "row 2, column 1, item 1: expected a finite number, got `inf`".into()),
        ("no-name", "row 2, column 1: expected the name of a series, got an empty cell".into()),
        ("same-time", "row 2, column 2: expected a new time, got the time of row 1 again".into()),
        ("no-rows", "expected a row, got none".into()),
        (
            "one-target",
            "column 2: column `target_a` has one target for each sequence: expected a list, as of the other targets"
                .into(),
        ),
        (
            "zstd",
            "column 1: column `x` is compressed by zstd: expected snappy, gzip, lz4 or none".into(),
        ),
        ("truncated", "not a Parquet file, or not all of one: Invalid Parquet file. Corrupt footer".into()),
        ("empty", "not a Parquet file, or not all of one: ".into()),
        ("damaged", "column 1: ".into()),
    ];
    let bad = folder().join("bad");
    assert_eq!(std::fs::read_dir(&bad).unwrap().count(), files.len());
    for (name, message) in files {
        let path = bad.join(format!("{name}.parquet"));
        let error = formats::read(&path, &ReadOptions::default()).expect_err(name).to_string();
        let expected = format!("{}: {message}", path.display());
        let is_open = ["empty", "damaged"].contains(&name);
        assert!(error == expected || is_open && error.starts_with(&expected), "{name}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// Columns that are not read may contain anything.
#[test]
fn types_and_ignored_columns_are_those_of_the_configuration() {
    let ignored = |name: &str| {
        let types = [(name.to_string(), ColumnType::Ignored)].into();
        ReadOptions { csv: CsvColumns { types, ..Default::default() }, ..Default::default() }
    };
    for name in ["map", "struct", "binary"] {
        let path = folder().join(format!("bad/{name}.parquet"));
        let data = formats::read(&path, &ignored("extra")).unwrap();
        assert_eq!(data.examples()[0].sequence.values(), [1.0, 2.0], "{name}");
    }
    let path = folder().join("bad/date-feature.parquet");
    let types = [("x".to_string(), ColumnType::Time)].into();
    let csv = CsvColumns {
        types,
        series: Some("y".into()),
        features: Some(vec!["y".into()]),
        ..Default::default()
    };
    let options = ReadOptions { csv, ..Default::default() };
    assert_eq!(formats::read(&path, &options).unwrap().len(), 2);
}

/// The types of the file decide: digits in a column of texts are texts.
#[test]
fn static_values_and_several_columns_of_tokens_come_back() {
    let csv = "series_id,time,speed,store,kind,weight,city,target\n\
               a,0,1.5,x,7,70.5,Rome,walk\n\
               a,1,2.5,y,8,70.5,Rome,walk\n\
               b,0,3.5,y,7,,Oslo,run\n";
    let types = [
        ("weight", ColumnType::StaticNumber),
        ("city", ColumnType::StaticCategory),
        ("kind", ColumnType::Category),
    ];
    let types = types.map(|(name, kind)| (name.to_string(), kind)).into();
    let options =
        ReadOptions { csv: CsvColumns { types, ..Default::default() }, ..Default::default() };
    let data = formats::parse(csv.as_bytes(), Format::Csv, &options, None).unwrap();
    let bytes = formats::to_bytes(&data, Format::Parquet).unwrap();
    let back = formats::parse(&bytes, Format::Parquet, &ReadOptions::default(), None).unwrap();
    assert_eq!(content(&back), content(&data));
    assert_eq!(
        (back.static_columns(), back.token_columns()),
        (data.static_columns(), data.token_columns())
    );
    assert_eq!((back.fingerprint(), back.ids()), (data.fingerprint(), data.ids()));
    // Later files are read by the same names.
    let schema = Schema::of(&data);
    let again =
        formats::parse(&bytes, Format::Parquet, &ReadOptions::default(), Some(&schema)).unwrap();
    assert_eq!(again.fingerprint(), data.fingerprint());
    for format in [Format::Csv, Format::JsonLines, Format::Npz] {
        let error = formats::to_bytes(&data, format).unwrap_err().to_string();
        assert!(error.contains("cannot hold") && error.contains(".parquet"), "{error}");
    }
}

#[test]
fn values_of_64_bits_and_lists_of_labels_come_back() {
    let csv = "series_id,stamp,target\na,1700000000.25,1\na,1700000040.5,1\nb,1700000080.75,2\n";
    let data = formats::parse(csv.as_bytes(), Format::Csv, &ReadOptions::default(), None).unwrap();
    assert!(data.examples()[0].sequence.exact_values().is_some());
    let bytes = formats::to_bytes(&data, Format::Parquet).unwrap();
    let back = formats::parse(&bytes, Format::Parquet, &ReadOptions::default(), None).unwrap();
    assert_eq!(
        (back.fingerprint(), back.target_kind()),
        (data.fingerprint(), &TargetKind::Values(1))
    );

    let lines = b"{\"tokens\": [\"a\", \"b\"], \"target\": [\"x\"]}\n{\"tokens\": [\"c\"], \"target\": []}\n\
                  {\"tokens\": [], \"target\": [\"y\", \"x\", \"x\"]}\n";
    let options =
        ReadOptions { task: Some(formats::Task::Transcription), ..ReadOptions::default() };
    let data = formats::parse(lines, Format::JsonLines, &options, None).unwrap();
    let bytes = formats::to_bytes(&data, Format::Parquet).unwrap();
    let back = formats::parse(&bytes, Format::Parquet, &options, None).unwrap();
    assert_eq!(back.fingerprint(), data.fingerprint());
}

/// The row groups of a written file are small enough to be read one at a time.
#[test]
fn large_files_have_several_row_groups() {
    let line = |k: usize| {
        let values: Vec<String> = (0..400_000).map(|t| ((t + k) % 97).to_string()).collect();
        format!("{{\"sequence\": [{}], \"target\": {k}.5}}\n", values.join(","))
    };
    let lines: String = (0..6).map(line).collect();
    let data =
        formats::parse(lines.as_bytes(), Format::JsonLines, &ReadOptions::default(), None).unwrap();
    let bytes = formats::to_bytes(&data, Format::Parquet).unwrap();
    let back = formats::parse(&bytes, Format::Parquet, &ReadOptions::default(), None).unwrap();
    assert_eq!(back.fingerprint(), data.fingerprint());
}
