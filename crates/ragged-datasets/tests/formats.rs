//! What each format contains, and its errors.

use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions, Schema, Task};
use ragged_datasets::{Dataset, Example, InMemory, Result, Sequence, Target, TargetKind};

fn parse(bytes: &[u8], format: Format) -> Result<InMemory> {
    formats::parse(bytes, format, &ReadOptions::default(), None)
}

#[track_caller]
fn check(format: Format, text: &str, message: &str) {
    assert_eq!(parse(text.as_bytes(), format).expect_err(message).to_string(), message);
}

#[test]
fn columns_have_roles_by_name() {
    let text = "series_id,time,speed,height,target\r\n\
                a,1,1.25, 0.3 ,walk\r\nb,0,3.5,,\r\na,0,1.5,0.2,walk\r\nb,7,-1,NA,run\r\n";
    let table = parse(text.as_bytes(), Format::Csv).unwrap();
    assert_eq!(table.ids(), Some(&["a".to_string(), "b".into()][..]));
    assert_eq!(table.target_kind(), &TargetKind::Classes(vec!["run".into(), "walk".into()]));
    let [a, b] = table.examples() else { panic!("two series") };
    assert_eq!((a.sequence.values(), &a.target), (&[1.5, 0.2, 1.25, 0.3][..], &Target::Class(1)));
    assert_eq!((b.sequence.row(0).unwrap()[0], &b.target), (3.5, &Target::Class(0)));
    assert!(b.sequence.row(0).unwrap()[1].is_nan() && b.sequence.row(1).unwrap()[1].is_nan());
    // A byte order mark is not part of the first name.
    let marked = parse(format!("\u{feff}{text}").as_bytes(), Format::Csv).unwrap();
    assert_eq!(marked.fingerprint(), table.fingerprint());

    let names = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect());
    let csv = CsvColumns {
        series: Some("id".into()),
        time: Some("when".into()),
        features: names(&["y", "x"]),
        types: Default::default(),
        time_features: vec![],
        targets: names(&["next", "after"]),
        delimiter: ';',
    };
    let text = "x;when;id;y;next;note;after\n1;2024-01-02;s;2;5;hello;6\n3;2024-01-01;s;4;5;;6\n";
    let options = ReadOptions { csv, ..Default::default() };
    let table = formats::parse(text.as_bytes(), Format::Csv, &options, None).unwrap();
    assert_eq!(table.target_kind(), &TargetKind::Values(2));
    assert_eq!(table.examples()[0].sequence.values(), [4.0, 3.0, 2.0, 1.0]);
    assert_eq!(table.examples()[0].target, Target::Values(vec![5.0, 6.0]));

    // One series with a target per step. The task decides whether digits are labels; 0 and 1 are by default.
    let text = "x,target\n1,0\n2,1\n3,2\n";
    let table = parse(text.as_bytes(), Format::Csv).unwrap();
    assert_eq!(table.target_kind(), &TargetKind::StepValues(1));
    let text = "x,target\n1,0\n2,1\n3,1\n";
    let table = parse(text.as_bytes(), Format::Csv).unwrap();
    assert_eq!(table.target_kind(), &TargetKind::StepClasses(vec!["0".into(), "1".into()]));
    let note =
        "target: the numbers 0 and 1 are two classes (set the task to regression for values)";
    assert_eq!(table.notes(), [note]);
    let options = ReadOptions { task: Some(Task::StepRegression), ..Default::default() };
    let table = formats::parse(text.as_bytes(), Format::Csv, &options, None).unwrap();
    assert_eq!((table.target_kind(), table.notes().len()), (&TargetKind::StepValues(1), 0));
    let options = ReadOptions { task: Some(Task::SequenceLabelling), ..Default::default() };
    let table = formats::parse(text.as_bytes(), Format::Csv, &options, None).unwrap();
    assert_eq!(table.target_kind(), &TargetKind::StepClasses(vec!["0".into(), "1".into()]));
    assert_eq!(table.examples()[0].target, Target::StepClasses(vec![0, 1, 1]));
    assert_eq!(table.ids(), None);
}

#[test]
fn malformed_tables() {
    let check = |text, message| check(Format::Csv, text, message);
    check("", "line 1, column 1: expected at least one column of features, got none");
    check("series_id,x\n", "line 2, column 1: expected a row, got the end of the file");
    check("x,target,x\n1,2,3\n", "line 1, column 3: column `x` occurs twice");
    check(
        "series_id,time\n1,2\n",
        "line 1, column 1: expected at least one column of features, got none",
    );
    check("x,y\n1,2\n1\n", "line 3, column 2: expected 2 cells, got 1");
    let message = "line 3, column 3: expected 2 cells, got 3: expected quotes around a cell with a \
                   delimiter or a decimal comma";
    check("x,y\n1,2\n1,2,3\n", message);
    check(
        "x,y\n1,2\n\n1,z\n",
        "line 4, column 2: expected a number, got `z`: data.read.csv.types says which columns are no numbers",
    );
    check(
        "x,y\r\n1,2\r\n\r\n1,z\r\n",
        "line 4, column 2: expected a number, got `z`: data.read.csv.types says which columns are no numbers",
    );
    check(
        "x,y\n1,\"2\n\"\n1,z",
        "line 4, column 2: expected a number, got `z`: data.read.csv.types says which columns are no numbers",
    );
    check("x\n1\ninf\n", "line 3, column 1: expected a number, got `inf`");
    check("x\n1e39\n", "line 2, column 1: 1e39 is too large for a 32-bit float");
    check("time,x\nnoon,1\n", "line 2, column 1: expected a number or a date and time, got `noon`");
    let message = "line 3, column 1: expected a new time, got the time of line 2 again";
    check("time,x\n4,1\n4.0,1\n", message);
    let options = ReadOptions { task: Some(Task::Classification), ..Default::default() };
    let error = formats::parse(b"x,target\n1,a\n2,b\n", Format::Csv, &options, None).unwrap_err();
    let message = "line 3, column 2: expected one target for the whole series, got `a` and `b`";
    assert_eq!(error.to_string(), message);
    let message = "line 3, column 2: expected a target, got an empty cell";
    check("x,target\n1,a\n2,\n3,b\n", message);
    let message = "line 4, column 3: target: expected one label, got none";
    check("series_id,x,target\na,1,k\na,2,k\nb,1,\n", message);
    let kind = TargetKind::Classes(vec!["a".into(), "b".into()]);
    let error = formats::parse(
        b"x,target\n1,c\n",
        Format::Csv,
        &ReadOptions::default(),
        Some(&Schema::from(&kind)),
    );
    let message = "line 2, column 2: expected one of the 2 known labels (a, b), got `c`";
    assert_eq!(error.unwrap_err().to_string(), message);
    let error = parse(b"x,y\n1,\xff\n", Format::Csv).unwrap_err().to_string();
    assert_eq!(error, "line 2, column 2: invalid UTF-8");
    let error = parse(b"x,\xff\n1,1\n", Format::Csv).unwrap_err().to_string();
    assert_eq!(error, "line 1, column 2: invalid UTF-8");
    let csv = CsvColumns { series: Some("id".into()), ..Default::default() };
    let options = ReadOptions { csv, ..Default::default() };
    let error = formats::parse(b"x,y\n1,2\n", Format::Csv, &options, None).unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 1: expected a column `id`, got x, y");
    let csv = CsvColumns { delimiter: 'é', ..Default::default() };
    let options = ReadOptions { csv, ..Default::default() };
    let error = formats::parse(b"x,y\n1,2\n", Format::Csv, &options, None).unwrap_err();
    assert_eq!(error.to_string(), "csv.delimiter is `é`: expected one ASCII character");
}

#[test]
fn json_lines_have_steps_and_targets_of_all_kinds() {
    let text = "\u{feff}{\"sequence\": [[1, null], [2.5, 3e2]], \"target\": \"b\", \"id\": \"first\"}\r\n\n\
                {\"sequence\": [], \"target\": \"a\", \"id\": 2}\n";
    let data = parse(text.as_bytes(), Format::JsonLines).unwrap();
    assert_eq!(data.ids(), Some(&["first".to_string(), "2".into()][..]));
    assert_eq!(data.target_kind(), &TargetKind::Classes(vec!["a".into(), "b".into()]));
    let values = data.examples()[0].sequence.values();
    assert!(values[1].is_nan() && values[0] == 1.0 && values[2..] == [2.5, 300.0]);
    let kind = |target: &str| {
        let text = format!("{{\"sequence\": [1, 2], \"target\": {target}}}\n");
        let data = parse(text.as_bytes(), Format::JsonLines).unwrap();
        assert_eq!(data.features(), 1);
        data.target_kind().clone()
    };
    assert_eq!(kind("null"), TargetKind::NONE);
    assert_eq!(kind("1.5"), TargetKind::Values(1));
    assert_eq!(kind("[1, 2, 3]"), TargetKind::Values(3));
    assert_eq!(kind("[\"x\", \"y\"]"), TargetKind::StepClasses(vec!["x".into(), "y".into()]));
    assert_eq!(kind("[[1, 2], [3, 4]]"), TargetKind::StepValues(2));
}

#[test]
fn malformed_json_lines() {
    let check = |text, message| check(Format::JsonLines, text, message);
    check("", "line 1, column 1: expected a sequence, got the end of the file");
    check("\n\n", "line 3, column 1: expected a sequence, got the end of the file");
    check("{\"sequence\": [1]\n", "line 1, column 16: EOF while parsing an object");
    check("{\"sequence\": [1]} x\n", "line 1, column 19: trailing characters");
    check(
        "{\"target\": 1}\n",
        "line 1, column 1: expected `sequence`, `tokens` or `text`, got none of them",
    );
    let message = "line 1, column 10: unknown field `targets`, expected one of `id`, `sequence`, `text`, `tokens`, `target`";
    check("{\"targets\": 1}\n", message);
    check(
        "{\"sequence\": [[1], [1, 2]]}\n",
        "line 1, column 1: step 2: expected 1 features, got 2",
    );
    check("{\"sequence\": [[]]}\n", "line 1, column 1: step 1: expected 1 features, got 0");
    check(
        "{\"sequence\": [[1]]}\n{\"sequence\": [[1, 2]]}",
        "line 2, column 1: expected 1 features, got 2",
    );
    check("{\"sequence\": [1e400]}\n", "line 1, column 19: number out of range");
    for (column, token, line) in [
        (15, "NaN", "{\"sequence\": [NaN]}\n"),
        (16, "nan", "{\"sequence\": [nan]}\n"),
        (16, "-Infinity", "{\"sequence\": [-Infinity]}\n"),
        (29, "NaN", "{\"sequence\": [1], \"target\": NaN}\n"),
    ] {
        let error = parse(line.as_bytes(), Format::JsonLines).unwrap_err().to_string();
        let reason = format!("expected a number, got `{token}`: write null for a missing value");
        assert_eq!(error, format!("line 1, column {column}: {reason}"));
    }
    let message = "line 2, column 1: target: expected one number, got a list of 2";
    check("{\"sequence\": [1], \"target\": [1]}\n{\"sequence\": [1], \"target\": [1, 2]}", message);
    let message = "line 2, column 1: target: expected one number, got none";
    check("{\"sequence\": [1], \"target\": 1}\n{\"sequence\": [1]}\n", message);
    let message =
        "line 1, column 1: target: expected one label for each of 2 steps, got a list of 1";
    check("{\"sequence\": [1, 2], \"target\": [\"a\"]}\n", message);
    check(
        "{\"sequence\": [1], \"target\": [[1], 2]}",
        "line 1, column 1: target: expected lists of equal depth",
    );
    let nested = format!("{{\"sequence\": [1], \"target\": {}", "[".repeat(100_000));
    let error = parse(nested.as_bytes(), Format::JsonLines).unwrap_err().to_string();
    assert!(error.contains("recursion limit"), "{error}");
}

#[test]
fn formats_are_known_by_ending_or_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.JSONL");
    std::fs::write(&path, "{\"sequence\": [1]}\n").unwrap();
    assert_eq!(formats::read(&path, &ReadOptions::default()).unwrap().len(), 1);
    let odd = folder.path().join("data.txt");
    std::fs::copy(&path, &odd).unwrap();
    let error = formats::read(&odd, &ReadOptions::default()).unwrap_err().to_string();
    let message = "data.txt: unknown file ending: expected one of ts, csv, jsonl, npz, safetensors, parquet, \
                   or the name of the format";
    assert!(error.ends_with(message), "{error}");
    let options = ReadOptions { format: Some("jsonl".parse().unwrap()), ..Default::default() };
    assert_eq!(formats::read(&odd, &options).unwrap().len(), 1);
    let error = "xml".parse::<Format>().unwrap_err().to_string();
    assert_eq!(error, "format is `xml`: expected one of ts, csv, jsonl, npz, safetensors, parquet");
}

#[test]
fn a_file_is_written_completely_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.ts");
    let target = Target::StepClasses(vec![0]);
    let example = Example::new(Sequence::new(vec![1.0], 1).unwrap(), target);
    let data = InMemory::new(vec![example], TargetKind::StepClasses(vec!["a".into()])).unwrap();
    std::fs::write(&path, "before").unwrap();
    let error = formats::write(&path, &data).unwrap_err().to_string();
    assert!(error.ends_with("x.ts: the ts format cannot hold a target for each step"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    formats::write(&folder.path().join("x.csv"), &data).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_folder_is_a_list_of_files_or_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let read = || formats::read(root, &ReadOptions::default());
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let ends = |result: Result<InMemory>, message: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.ends_with(message), "{error}");
    };
    ends(read(), "expected a file, got an empty folder");
    write("b.csv", "x,target\n3,one\n");
    write("a.jsonl", "{\"sequence\": [1, 2], \"target\": \"two\"}\n");
    write(".hidden", "?");
    let data = read().unwrap();
    assert_eq!(data.examples()[0].sequence.values(), [1.0, 2.0]);
    assert_eq!(data.target_kind(), &TargetKind::Classes(vec!["one".into(), "two".into()]));
    write("c.csv", "x,y,target\n3,4,one\n");
    ends(read(), "c.csv: line 1, column 1: expected the features x: unexpected y");
    write("c.csv", "x,target\n3,1.5,\n");
    ends(
        read(),
        "c.csv: line 2, column 3: expected 2 cells, got 3, the last one empty: expected no delimiter \
         at the end of a row",
    );
    write("c.csv", "x\n3\n");
    ends(read(), "c.csv: line 2, column 1: target: expected one label, got none");
    write("x/1.csv", "x\n3\n");
    ends(read(), "expected files, or one folder for each class, got both");
    for name in ["a.jsonl", "b.csv", "c.csv"] {
        std::fs::remove_file(root.join(name)).unwrap();
    }
    write("x/0.csv", "x\n1\n2\n");
    write("w/0.jsonl", "{\"sequence\": [5], \"target\": 3}\n");
    let data = read().unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Classes(vec!["w".into(), "x".into()]));
    let seen: Vec<_> =
        data.examples().iter().map(|e| (e.sequence.values()[0], e.target.clone())).collect();
    let class = Target::Class;
    assert_eq!(seen, [(5.0, class(0)), (1.0, class(1)), (3.0, class(1))]);
    std::fs::create_dir(root.join("x/deeper")).unwrap();
    ends(read(), "deeper: expected a file in the folder of a class, got a folder");
    std::fs::remove_dir_all(root.join("x")).unwrap();
    std::fs::remove_dir_all(root.join("w")).unwrap();
    write("Set_TRAIN.ts", "");
    write("Set_TEST.ts", "");
    ends(read(), "expected the path of one file, got a folder of training and test files");
}

#[test]
fn lists_of_labels_are_read_and_written_as_json_lines() {
    let options = |text: &str| -> formats::ReadOptions { serde_json::from_str(text).unwrap() };
    let lines = b"{\"tokens\": [\"a\", \"b\"], \"target\": [\"Y\", \"X\", \"Y\"]}\n{\"tokens\": [], \"target\": []}\n";
    let task = options(r#"{"task": "transcription", "repeat": 2}"#);
    let data = formats::parse(lines, Format::JsonLines, &task, None).unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Labels(vec!["X".into(), "Y".into()]));
    let first = &data.examples()[0];
    assert_eq!((first.sequence.len(), &first.target), (4, &Target::Labels(vec![1, 0, 1])));
    let once = options(r#"{"task": "transcription"}"#);
    let data = formats::parse(lines, Format::JsonLines, &once, None).unwrap();
    let written = formats::to_bytes(&data, Format::JsonLines).unwrap();
    let again = formats::parse(&written, Format::JsonLines, &once, None).unwrap();
    assert_eq!((again.examples(), again.fingerprint()), (data.examples(), data.fingerprint()));
    let error = formats::to_bytes(&data, Format::Csv).unwrap_err().to_string();
    assert!(error.contains("cannot hold"), "{error}");
}
