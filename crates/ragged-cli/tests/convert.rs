//! `ragged convert`: between all formats, what it refuses, and what it notes.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use ragged_datasets::formats::{self, Format, ReadOptions};

fn convert(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("ragged").unwrap();
    let output = command.current_dir(folder).arg("convert").args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const TABLE: &str =
    "series_id,x,y,target\na,1,2,walk\na,3,,walk\nb,1.5,2,run\nc,0.1,7,run\nc,1,2.25,run\n";

fn is_supported(format: &Format) -> bool {
    format.is_supported()
}

/// One chain through all formats.
#[test]
fn every_format_becomes_every_other_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("0.csv"), TABLE).unwrap();
    let options = ReadOptions::default();
    let read = |name: &str| formats::read(&folder.path().join(name), &options).unwrap();
    let data = read("0.csv");
    for from in Format::ALL.into_iter().filter(is_supported) {
        let first = format!("first.{}", from.name());
        let (code, stdout, stderr) = convert(folder.path(), &["0.csv", &first]);
        assert_eq!((code, stdout), (0, format!("wrote 3 sequences to {first}\n")), "{stderr}");
        for to in Format::ALL.into_iter().filter(is_supported) {
            let second = format!("second.{}", to.name());
            let (code, _, stderr) = convert(folder.path(), &[&first, &second]);
            assert_eq!(code, 0, "{from:?} {to:?}: {stderr}");
            assert_eq!(read(&second).fingerprint(), data.fingerprint(), "{from:?} {to:?}");
        }
    }
    let notes = convert(folder.path(), &["0.csv", "x.ts"]).2;
    assert_eq!(
        notes,
        "note: the names of the sequences are left out: ts has none\n\
         note: the names of the features are left out: ts has none\n"
    );
}

#[test]
fn options_say_how_the_input_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let table = "id;speed;kind;code;note\na;1.5;k;7;-\na;2.5;l;7;x\nb;9;k;8;y\n";
    fs::write(folder.path().join("in.txt"), table).unwrap();
    let words = [
        "in.txt",
        "out.jsonl",
        "--format",
        "csv",
        "--delimiter",
        ";",
        "--series",
        "id",
        "--targets",
        "code",
        "--types",
        "kind=category,note=ignored",
        "--task",
        "classification",
    ];
    let (code, _, stderr) = convert(folder.path(), &words);
    assert_eq!(code, 0, "{stderr}");
    let lines = fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    let first = r#"{"id":"a","sequence":{"speed":[1.5,2.5]},"tokens":["k","l"],"target":"7"}"#;
    assert_eq!(lines.lines().next().unwrap(), first);
    // Class names that are numbers.
    fs::write(folder.path().join("codes.csv"), "series_id,x,target\na,1,7\nb,2,8\nc,3,7\n")
        .unwrap();
    let words = ["codes.csv", "again.csv", "--task", "classification"];
    let (code, _, stderr) = convert(folder.path(), &words);
    assert_eq!(code, 0);
    let note = "note: again.csv is read with the task classification only: data.read.task = \"classification\"\n";
    assert_eq!(stderr, note);
}

#[test]
fn what_a_format_cannot_hold_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("texts.jsonl"), "{\"text\": \"a b\", \"target\": \"x\"}\n")
        .unwrap();
    fs::write(folder.path().join("steps.csv"), "series_id,x,target\na,1,k\na,2,l\n").unwrap();
    fs::write(folder.path().join("bad.csv"), "series_id,x,target\na,1,k\na,zwei,l\n").unwrap();
    let count = || fs::read_dir(folder.path()).unwrap().count();
    let before = count();
    let check = |words: &[&str], code: i32, part: &str| {
        let (got, stdout, stderr) = convert(folder.path(), words);
        assert_eq!((got, stdout.as_str()), (code, ""), "{words:?}: {stderr}");
        let last = stderr.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(part), "{stderr} lacks {part}");
        assert_eq!(count(), before, "{words:?}");
    };
    check(
        &["texts.jsonl", "x.ts"],
        2,
        "x.ts: the ts format cannot hold these tokens: write `.parquet`",
    );
    check(&["steps.csv", "x.ts"], 2, "x.ts: the ts format cannot hold a target for each step");
    check(&["bad.csv", "x.jsonl"], 2, "bad.csv: line 3, column 2: expected a number, got `zwei`");
    check(&["absent.csv", "x.jsonl"], 2, "absent.csv: no such file");
    check(&["steps.csv", "x.xml"], 2, "x.xml: unknown file ending: expected one of ts, csv,");
    check(&["steps.csv", "x.jsonl", "--tokenizer", "none"], 2, "--tokenizer none: ");
    // The input is fine.
    check(&["steps.csv", "no/x.jsonl"], 1, "no/x.jsonl: ");
    let (code, ..) = convert(folder.path(), &["steps.csv", "x.jsonl", "--types", "x"]);
    assert_eq!(code, 2);
}
