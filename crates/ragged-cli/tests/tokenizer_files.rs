//! Texts that a `tokenizer.json` file divides, from the command line.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Words, with indices that begin with the token for unknown ones.
const TOKENIZER: &str = r#"{
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab":
        {"[UNK]": 0, "good": 1, "bad": 2, "film": 3, "!": 4}}
}"#;

const CONFIG: &str = "
[data]
dataset = \"films.csv\"
read = { tokenizer = \"tokenizer.json\" }
[model]
hidden_size = 4
[model.embedding]
size = 5
[train]
epochs = 2
batch_size = 8
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = "\"Good film!\",pos\n\"bad, bad film\",neg\n".repeat(20);
    fs::write(folder.path().join("films.csv"), format!("text,target\n{rows}")).unwrap();
    fs::write(folder.path().join("tokenizer.json"), TOKENIZER).unwrap();
    fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    folder
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ragged"));
    command.current_dir(folder).args(words);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn good(output: Output) -> (String, String) {
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_run_shows_trains_and_keeps_its_tokenizer() {
    let folder = folder();
    let dir = folder.path();
    let dry = ["train", "--config", "config.toml", "--dry-run"];
    let (stdout, stderr) = good(command(dir, &dry).output().unwrap());
    assert!(stdout.contains("tokenizer = \"tokenizer.json\""), "{stdout}");
    assert!(stdout.contains("# embedding.weight             [5, 5]"), "{stdout}");
    let stderr = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for note in [
        "texts are divided into the tokens of tokenizer.json, without special ones",
        "tokens: vocabulary of 5 entries of the tokenizer's file, `[UNK]` for unknown tokens",
        "in the training data are unknown (",
        "in the test data are unknown (",
    ] {
        assert!(stderr.contains(note), "{stderr}\nlacks {note}");
    }
    assert!(!dir.join("runs").exists());

    good(command(dir, &["train", "--config", "config.toml", "--out", "run"]).output().unwrap());
    assert_eq!(fs::read_to_string(dir.join("run/tokenizer.json")).unwrap(), TOKENIZER);
    fs::remove_file(dir.join("tokenizer.json")).unwrap();
    good(command(dir, &["evaluate", "run"]).output().unwrap());
    good(command(dir, &["train", "--resume", "run"]).output().unwrap());
    // From another folder, line by line.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = dir.join("run");
    let mut predict = command(elsewhere.path(), &["predict", run.to_str().unwrap(), "-"]);
    let mut child = predict.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = b"{\"text\": \"A GOOD film\"}\n{\"text\": \"\"}\n";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let (stdout, _) = good(child.wait_with_output().unwrap());
    assert_eq!(stdout.lines().count(), 2);
    assert!(stdout.lines().all(|line| line.contains("label")), "{stdout}");

    // A copy that was changed would give other predictions.
    let changed = TOKENIZER.replace("\"good\": 1, \"bad\": 2", "\"good\": 2, \"bad\": 1");
    fs::write(run.join("tokenizer.json"), changed).unwrap();
    for words in [["predict", "run", "films.csv"], ["train", "--resume", "run"]] {
        let output = command(dir, &words).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
        assert!(stderr.contains("the tokenizer was a file with the SHA-256 sum"), "{stderr}");
    }
}

#[test]
fn files_that_cannot_be_used_are_wrong_usage() {
    let folder = folder();
    let dir = folder.path();
    fs::write(dir.join("cut.json"), &TOKENIZER[..TOKENIZER.len() / 2]).unwrap();
    fs::write(dir.join("other.json"), "{\"a\": 1}").unwrap();
    for (setting, part) in [
        ("data.read.tokenizer=none.json", "tokenizer none.json: No such file"),
        (
            "data.read.tokenizer=cut.json",
            "tokenizer cut.json: no tokenizer.json of Hugging Face: EOF",
        ),
        (
            "data.read.tokenizer=other.json",
            "tokenizer other.json: no tokenizer.json of Hugging Face",
        ),
        ("data.read.tokenizer=words.txt", "data.read.tokenizer is \"words.txt\": expected `words`"),
        (
            "data.vocabulary.min_freq=2",
            "data.vocabulary.min_freq is given, but data.read.tokenizer",
        ),
        ("data.read.special_tokens=true", "tokenizer.json: special_tokens is true, but"),
    ] {
        let words = ["train", "--config", "config.toml", "--set", setting];
        let output = command(dir, &words).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(part), "{stderr} lacks {part}");
        assert!(!dir.join("runs").exists());
    }
}
