//! `ragged data`: what it prints for a file, a data set and generated data, and its errors.

use std::path::Path;

use assert_cmd::Command;

fn data(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("ragged").unwrap();
    let output = command.current_dir(folder).arg("data").args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const TABLE: &str = "series_id,x,y,target\na,1,2,k\na,3,,k\nb,1,2,l\nc,1,2,l\nc,1,2,l\nc,1,2,l\n";

#[test]
fn a_file_is_described_with_the_cost_of_batches() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.csv"), TABLE).unwrap();
    let words = ["x.csv", "--batch-size", "2", "--max-tokens", "3", "--svg", "lengths.svg"];
    let (code, stdout, stderr) = data(folder.path(), &words);
    assert_eq!(code, 0, "{stderr}");
    for line in [
        "sequences  3",
        "features   2",
        "  series_id  names of the sequences",
        "  x          feature: 1 to 3",
        "  y          feature: always 2, 1 of 6 missing",
        "  target     target: names of classes, the same in all rows of a sequence",
        "steps      6: 1 to 3 per sequence, mean 2.0, median 2",
        "missing    1 of 12 values (8.3 %)",
        "classes    2 per sequence: k 1, l 2",
        "target: classification, 2 classes: k, l",
    ] {
        assert!(stdout.lines().any(|got| got == line), "{stdout} lacks {line}");
    }
    // Lengths 1, 2 and 3 once each.
    assert_eq!(
        stdout.matches("######################################## 1\n").count(),
        3,
        "{stdout}"
    );
    let row = |name: &str| {
        let line = stdout.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.trim_start()[name.len()..].split_whitespace().map(String::from).collect::<Vec<_>>()
    };
    // Sorted, 1 and 2 or 2 and 3 share a batch: one step of padding.
    let bucketed = row("2 sequences, bucketed ");
    assert_eq!((bucketed[0].as_str(), bucketed[4].as_str()), ("2", "14.3"), "{bucketed:?}");
    let tokens = row("at most 3 steps, bucketed ");
    assert_eq!(tokens[..4], ["2", "3", "to", "3"], "{tokens:?}");
    let svg = std::fs::read_to_string(folder.path().join("lengths.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("length (steps)"), "{svg}");
}

#[test]
fn how_a_table_was_understood_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let table = ",Series_ID,x,target\n0,a,1,0.5\n1,a,2,0.50\n2,b,3,14.25\n";
    std::fs::write(folder.path().join("x.csv"), table).unwrap();
    let (code, stdout, stderr) = data(folder.path(), &["x.csv"]);
    assert_eq!(code, 0, "{stderr}");
    for line in [
        "  (column 1)  left out: the numbers of the rows",
        "  x           feature: 1 to 3",
        "  target      target: numbers, the same in all rows of a sequence",
        "target: regression, 2 values from 0.5 to 14.25",
    ] {
        assert!(stdout.lines().any(|got| got == line), "{stdout} lacks {line}");
    }
    let notes = "note: x.csv: column 1 has no name and is left out, as the numbers of the rows\n\
                 note: x.csv: column `Series_ID` is read as `series_id`\n";
    assert_eq!(stderr, notes);
}

#[test]
fn a_data_set_has_two_parts_and_generated_data_one() {
    let folder = tempfile::tempdir().unwrap();
    let series = "@classLabel true b a\n@data\n1,2:a\n3:b\n";
    std::fs::create_dir(folder.path().join("data")).unwrap();
    for part in ["TRAIN", "TEST"] {
        std::fs::write(folder.path().join(format!("data/Tiny_{part}.ts")), series).unwrap();
    }
    let (code, stdout, _) = data(folder.path(), &["Tiny"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("Tiny_TRAIN.ts") && stdout.contains("Tiny_TEST.ts"), "{stdout}");
    assert_eq!(stdout.matches("classes    2 per sequence: b 1, a 1").count(), 2, "{stdout}");
    let (code, stdout, _) = data(folder.path(), &["variable-sums"]);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("sequences  1000") && stdout.contains("1 to 50 per sequence"),
        "{stdout}"
    );
}

#[test]
fn errors_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.csv"), "x\n1\ntwo\n").unwrap();
    let check = |words: &[&str], code: i32, part: &str| {
        let (got, stdout, stderr) = data(folder.path(), words);
        assert_eq!((got, stdout.as_str()), (code, ""), "{words:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(part), "{stderr} lacks {part}");
    };
    check(&["x.csv"], 2, "x.csv: line 3, column 1: expected a number, got `two`");
    check(&["none.npz"], 2, "none.npz: No such file");
    check(&["Nowhere"], 2, "download it with `ragged download Nowhere`");
    check(&["x.csv", "--batch-size", "0"], 2, "--batch-size 0: expected at least 1");
    let (code, _, stderr) = data(folder.path(), &["x.csv", "--task", "guessing"]);
    assert!(
        code == 2 && stderr.contains("invalid value 'guessing' for '--task <TASK>'"),
        "{stderr}"
    );
}

#[test]
fn tokens_are_listed_by_their_frequency() {
    let folder = tempfile::tempdir().unwrap();
    let lines =
        "{\"text\": \"a rose is a rose\", \"target\": 1.5}\n{\"text\": \"\", \"target\": 2}\n";
    std::fs::write(folder.path().join("x.jsonl"), lines).unwrap();
    let (code, stdout, stderr) = data(folder.path(), &["x.jsonl"]);
    assert_eq!(code, 0, "{stderr}");
    for line in [
        "  tokens   tokens",
        "features   0",
        "tokens     3 different: \"a\" 2, \"rose\" 2, \"is\" 1",
        "steps      5: 0 to 5 per sequence, mean 2.5, median 5",
    ] {
        assert!(stdout.lines().any(|got| got == line), "{stdout} lacks {line}");
    }
}
