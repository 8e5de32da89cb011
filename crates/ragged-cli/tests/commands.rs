//! Results on stdout, one line per error on stderr, and exit codes.

use std::path::Path;

use assert_cmd::Command;

/// Runs `ragged` in a folder. Returns the exit code, stdout and stderr.
fn ragged(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("ragged").unwrap().current_dir(folder).args(words).output();
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const SMALL: [&str; 9] = [
    "--epochs",
    "2",
    "--set",
    "data.sums.num_samples=30",
    "--set",
    "data.sums.held_out=20",
    "--set",
    "data.sums.seq_length=6",
    "--hidden-size=4",
];

#[test]
fn train_then_evaluate() {
    let folder = tempfile::tempdir().unwrap();
    for (model, name) in [("variable", "variable-sums"), ("fixed", "fixed-sums")] {
        let words = [&["train", "--model", model], &SMALL[..]].concat();
        let (code, stdout, stderr) = ragged(folder.path(), &words);
        assert_eq!(code, 0, "{stderr}");
        let test = stdout.lines().find(|line| line.starts_with("test ")).unwrap();
        assert!(test.contains("R2") && test.contains("20 sequences"), "{test}");
        assert!(stdout.ends_with(&format!("run       runs/{name}/1\n")), "{stdout}");
        assert!(stderr.contains("epoch 2/2"), "{stderr}");
        let run = folder.path().join("runs").join(name).join("1");
        for file in ["config.toml", "metrics.jsonl", "best.safetensors", "last.safetensors"] {
            assert!(run.join(file).is_file(), "{file}");
        }
        let (code, stdout, _) = ragged(folder.path(), &["evaluate", run.to_str().unwrap()]);
        assert_eq!(code, 0);
        let metric = |line: &str| line.split_whitespace().nth(2).unwrap().parse::<f64>().unwrap();
        assert_eq!(metric(&stdout), metric(test));
    }
}

/// An error is one line with its place, has the right exit code, and leaves no file behind.
#[test]
fn errors_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("broken.ts"), "@classLabel true a b\n@data\n1,2:a\n1,x:b\n").unwrap();
    std::fs::write(path("empty.ts"), "@classLabel true a b\n@data\n").unwrap();
    std::fs::write(path("unknown.toml"), "[train]\nepoch = 3\n").unwrap();
    std::fs::create_dir(path("taken")).unwrap();
    let before = || std::fs::read_dir(folder.path()).unwrap().count();
    let count = before();
    let check = |words: &[&str], code: i32, part: &str| {
        let (got, stdout, stderr) = ragged(folder.path(), words);
        assert_eq!(got, code, "{words:?}: {stderr}");
        assert_eq!(stdout, "", "{words:?}");
        assert_eq!(stderr.lines().count(), 1, "{words:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(part), "{words:?}: {stderr}");
        assert_eq!(before(), count, "{words:?} left something behind");
    };
    check(&["train", "--config", "none.toml"], 2, "none.toml: No such file");
    check(&["train", "--config", "."], 2, ".: Is a directory");
    let unknown = "unknown.toml: line 2, column 1: unknown key `train.epoch`";
    check(&["train", "--config", "unknown.toml"], 2, unknown);
    check(
        &["train", "--set", "train.epoch=3"],
        2,
        "--set train.epoch=3: unknown key `train.epoch`",
    );
    check(&["train", "--epochs", "0"], 2, "--epochs 0: train.epochs is 0: expected 1 to 1000000");
    check(
        &["train", "--epochs", "many"],
        2,
        "--epochs many: train.epochs: expected a whole number",
    );
    check(&["train", "--hidden-size", "9999999"], 2, "model.hidden_size is 9999999");
    check(&["train", "--batch-size", "0"], 2, "train.batch_size is 0");
    check(&["train", "--lr=-1"], 2, "train.lr is -1");
    check(
        &["train", "--model", "both"],
        2,
        "--model both: model.kind is \"both\": expected `fixed` or `variable`",
    );
    check(
        &["train", "--model", "fixed", "--dataset", "variable-sums"],
        2,
        "lengths of variable-sums vary",
    );
    check(&["train", "--dataset", "none.ts"], 2, "none.ts: no such file");
    check(
        &["train", "--dataset", "JapaneseVowels"],
        2,
        "JapaneseVowels_TRAIN.ts: no such file: download it with `ragged download JapaneseVowels`",
    );
    check(
        &["train", "--dataset", "broken.ts"],
        2,
        "broken.ts: line 4, column 3: expected a number",
    );
    check(&["train", "--dataset", "empty.ts"], 2, "empty.ts: line 3, column 1: expected a series");
    check(&["train", "--out", "taken"], 2, "taken: exists already");
    check(&["evaluate", "nowhere"], 2, "nowhere: not a run directory");
    check(&["evaluate", "broken.ts"], 2, "broken.ts: not a run directory");
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["trane"][..], &["train", "--epoch", "3"], &["train", "--set", "x"], &[]] {
        let (code, _, stderr) = ragged(folder.path(), words);
        assert_eq!(code, 2, "{words:?}");
        assert!(!stderr.is_empty(), "{words:?}");
    }
}
