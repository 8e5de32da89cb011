//! What the columns of a file are read as, in the same form for every format, and what is noted about
//! their content.

use ragged_datasets::formats::{self, Format, ReadOptions, Role};
use ragged_datasets::{Dataset, InMemory, Target};

fn read(text: &str, format: Format) -> ragged_datasets::Result<InMemory> {
    formats::parse(text.as_bytes(), format, &ReadOptions::default(), None)
}

fn columns(data: &InMemory) -> Vec<String> {
    data.columns().iter().map(|column| format!("{} = {column}", column.name)).collect()
}

#[test]
fn a_table_has_a_role_for_each_column() {
    let table =
        "Unnamed: 0,series_id,time,b,target,a\n0,s,2024-01-01,1,4,2\n1,s,2024-01-02,2,4,3\n";
    let data = read(table, Format::Csv).unwrap();
    assert_eq!(
        columns(&data),
        [
            "Unnamed: 0 = left out: the numbers of the rows",
            "series_id = names of the sequences",
            "time = time: dates and times without a time zone",
            "b = feature",
            "target = target: numbers, the same in all rows of a sequence",
            "a = feature",
        ]
    );
    assert_eq!(data.columns()[5].role, Role::Feature(1));
}

#[test]
fn every_format_names_its_parts() {
    let lines = "{\"id\": 1, \"sequence\": [[1, 2], [3, 4]], \"target\": [\"up\", \"down\"]}\n";
    let data = read(lines, Format::JsonLines).unwrap();
    let target = "target: names of classes, one for each step";
    let (ids, features) = ("names of the sequences", ["sequence[:, 0]", "sequence[:, 1]"]);
    let expected = [
        format!("id = {ids}"),
        format!("{} = feature", features[0]),
        format!("{} = feature", features[1]),
        format!("target = {target}"),
    ];
    assert_eq!(columns(&data), expected);
    for format in [Format::Npz, Format::Safetensors] {
        let bytes = formats::to_bytes(&data, format).unwrap();
        let data = formats::parse(&bytes, format, &ReadOptions::default(), None).unwrap();
        let expected = [
            format!("ids = {ids}"),
            "lengths = lengths of the sequences".into(),
            "values[:, 0] = feature".into(),
            "values[:, 1] = feature".into(),
            format!("targets = {target}"),
            "labels = names of the classes".into(),
        ];
        assert_eq!(columns(&data), expected);
    }
    let ts = "@timeStamps true\n@targetLabel true\n@data\n(0,1),(1,2):(0,3),(1,4):0.5\n";
    let expected = [
        "@timeStamps = time: numbers",
        "dimension 1 = feature",
        "dimension 2 = feature",
        "@targetLabel = target: numbers, one for each sequence",
    ];
    assert_eq!(columns(&read(ts, Format::Ts).unwrap()), expected);
}

#[test]
fn a_given_task_and_known_targets_are_reasons() {
    let lines = b"{\"sequence\": [1], \"target\": 3}\n";
    let options = ReadOptions { task: Some(formats::Task::Classification), ..Default::default() };
    let data = formats::parse(lines, Format::JsonLines, &options, None).unwrap();
    let last = |data: &InMemory| columns(data).pop().unwrap();
    let expected = "target = target: names of classes, one for each sequence, by the given task";
    assert_eq!(last(&data), expected);
    let schema = formats::Schema::of(&data);
    let data = formats::parse(lines, Format::JsonLines, &ReadOptions::default(), Some(&schema));
    let expected =
        "target = target: names of classes, one for each sequence, as in the training data";
    assert_eq!(last(&data.unwrap()), expected);
}

/// A row without a time zone among rows in UTC could belong to another place, hours away.
#[test]
fn times_of_one_series_have_one_form() {
    let table = "time,x\n2024-01-01T00:00:00Z,1\n2024-01-01T01:00:00,2\n";
    assert_eq!(
        read(table, Format::Csv).unwrap_err().to_string(),
        "line 3, column 1: expected a date and time with a time zone, as before, got \
         `2024-01-01T01:00:00`, which is a date and time without a time zone"
    );
    let ts = "@timeStamps true\n@classLabel false\n@data\n(0,1),(2004-10-01 18:30:05,2)\n";
    assert_eq!(
        read(ts, Format::Ts).unwrap_err().to_string(),
        "line 4, column 8: expected a number, as before, got `2004-10-01 18:30:05`, which is a date \
         and time without a time zone"
    );
}

#[test]
fn a_constant_feature_and_classes_that_look_alike_are_noted() {
    let table = "series_id,a,b,target\ns,1,7,Big  dog\nt,2,7,Big dog\nu,3,7,big dog\n";
    assert_eq!(
        read(table, Format::Csv).unwrap().notes(),
        [
            "target: classes `Big  dog` and `Big dog` differ only in white space",
            "target: classes `Big dog` and `big dog` differ only in case",
            "feature `b` has the same value in every step",
        ]
    );
}

/// Looking up each name among all others took a minute for 64,000 columns.
#[test]
fn very_wide_files_are_read() {
    const WIDTH: usize = 64_000;
    let names = |letter: &str| (0..WIDTH).map(|k| format!("{letter}{k}")).collect::<Vec<_>>();
    let cells = vec!["1"; WIDTH].join(",");
    let table = format!("{}\n{cells}\n", names("f").join(","));
    let data = read(&table, Format::Csv).unwrap();
    assert_eq!((data.features(), data.columns().len()), (WIDTH, WIDTH));
    let ts = format!("@classLabel true {}\n@data\n1,2:c7\n", names("c").join(" "));
    assert_eq!(read(&ts, Format::Ts).unwrap().examples()[0].target, Target::Class(7));
}
