//! Forecasts from the command line.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn ragged(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ragged"));
    command.current_dir(folder).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A command that goes well; its stdout and stderr.
#[track_caller]
fn good(folder: &Path, words: &[&str]) -> (String, String) {
    let output = ragged(folder, words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// A command that fails with one line that ends with `part`.
#[track_caller]
fn bad(folder: &Path, words: &[&str], code: i32, part: &str) {
    let output = ragged(folder, words);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.trim_end().ends_with(part), "{stderr} does not end with {part}");
}

const CONFIG: &str = "
[model]
hidden_size = 6
[data]
dataset = \"sales.csv\"
valid_fraction = 0.2
[data.forecast]
window = 10
horizon = 4
targets = [\"demand\"]
known = [\"price\"]
[train]
epochs = 2
loss = \"quantile\"
";

/// Rows of two shops, with this number of rows after the end.
fn table(after: usize) -> String {
    let mut table = "series_id,time,price,demand\n".to_string();
    for shop in ["a", "b"] {
        for t in 0..40 + after {
            let price = t * 7 % 5;
            let demand = if t < 40 { (100 + t % 4 - price).to_string() } else { String::new() };
            let _ = writeln!(table, "{shop},{t},{price},{demand}");
        }
    }
    table
}

#[test]
fn a_run_is_described_trained_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("config.toml"), CONFIG).unwrap();
    fs::write(dir.join("sales.csv"), table(0)).unwrap();
    fs::write(dir.join("later.csv"), table(4)).unwrap();
    let (out, notes) = good(dir, &["train", "--config", "config.toml", "--dry-run"]);
    let notes = notes.replace("\n  ", " ");
    for note in [
        "note: forecast: the next 4 steps of `demand` from up to 10 steps of history; known in advance: `price`; other \
         columns: none",
        "note: forecast: 44 windows for training, 6 for validation, 10 for the test, of 2 series split in time",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
    assert!(out.contains("[data.forecast]\nwindow = 10\nhorizon = 4\n"), "{out}");
    assert!(
        out.contains("name = \"standardize\"") && out.contains("name = \"mean-fill\""),
        "{out}"
    );
    assert!(!dir.join("runs").exists());

    let (out, _) = good(dir, &["train", "--config", "config.toml", "--out", "run"]);
    assert!(out.contains("MASE") && out.contains("coverage"), "{out}");
    assert!(dir.join("run/forecast.svg").is_file());
    let (csv, _) = good(dir, &["predict", "run", "later.csv", "--svg", "later.svg"]);
    assert_eq!(csv.lines().next(), Some("series,id,step,q0.1,q0.5,q0.9"));
    assert_eq!(csv.lines().count(), 1 + 2 * 4);
    assert!(fs::read_to_string(dir.join("later.svg")).unwrap().contains("b: demand"));
    good(dir, &["predict", "run", "later.csv", "--output", "later.jsonl"]);
    let lines = fs::read_to_string(dir.join("later.jsonl")).unwrap();
    assert!(lines.starts_with("{\"series\":1,\"id\":\"a\",\"values\":[{\"q0.1\":"), "{lines}");
    // The same run can be evaluated, exported, and continued to the same end.
    let (again, _) = good(dir, &["evaluate", "run"]);
    assert!(again.contains(out.lines().find(|line| line.starts_with("metrics")).unwrap()));
    good(dir, &["export", "run", "model.onnx"]);
    let before = fs::read(dir.join("run/last.safetensors")).unwrap();
    good(dir, &["train", "--resume", "run"]);
    assert!(fs::read(dir.join("run/last.safetensors")).unwrap() == before);

    fs::write(dir.join("short.csv"), table(3)).unwrap();
    let message = "short.csv: series `a` has `price` for 3 steps after its end: expected 4, as the column is known in \
                   advance";
    bad(dir, &["predict", "run", "short.csv"], 2, message);
    let message = "--svg: expected none with -, whose predictions are written to stdout";
    bad(dir, &["predict", "run", "-", "--svg", "x.svg"], 2, message);
}

#[test]
fn bad_input_is_one_line_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("config.toml"), CONFIG).unwrap();
    fs::write(dir.join("sales.csv"), table(0)).unwrap();
    let check = |set: &str, message: &str| {
        bad(dir, &["train", "--config", "config.toml", "--set", set], 2, message);
        assert!(!dir.join("runs").exists(), "{set}");
    };
    check(
        "train.loss={ name = \"quantile\", quantiles = [0.5, 1.0] }",
        "train.loss.quantiles is 1: expected numbers above 0 and below 1",
    );
    check(
        "data.forecast.horizon=50",
        "data.forecast.horizon is 50, but series `a` has 40 steps up to its last target: expected at least 51",
    );
    check(
        "data.forecast.targets=[\"sales\"]",
        "--set data.forecast.targets=[\"sales\"]: data.forecast.targets has `sales`, which is not a column: expected \
         some of price, demand",
    );
    check(
        "data.forecast.known=[\"demand\"]",
        "data.forecast.targets has `demand`, which is known in advance: expected one of the two",
    );
    let message = "--svg: expected a run with a section data.forecast, whose forecasts are drawn";
    good(dir, &["train", "--epochs", "1", "--set", "data.sums.num_samples=8", "--out", "sums"]);
    bad(dir, &["predict", "sums", "sales.csv", "--svg", "x.svg"], 2, message);
}
