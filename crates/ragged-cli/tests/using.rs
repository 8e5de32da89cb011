//! A run in use: predictions and tests on other data, and what is said before training.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn ragged(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ragged"));
    command.current_dir(folder).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A command that goes well; its stdout.
#[track_caller]
fn good(folder: &Path, words: &[&str]) -> String {
    let output = ragged(folder, words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A command that fails with one line on stderr and leaves no file behind.
#[track_caller]
fn bad(folder: &Path, words: &[&str], code: i32, part: &str) {
    let count = || fs::read_dir(folder).unwrap().count();
    let before = count();
    let output = ragged(folder, words);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains(part), "{stderr} lacks {part}");
    assert!(output.stdout.is_empty());
    assert_eq!(count(), before, "{words:?} left something behind");
}

/// Two classes that the first number tells apart: series of 1 to 4 steps with two features.
fn jsonl(count: usize, with_targets: bool) -> String {
    let line = |k: usize| {
        let (up, label) = if k.is_multiple_of(2) { (2.0, "up, or so") } else { (-2.0, "down") };
        let step = format!("[{}, {}]", up + (k % 7) as f64 / 10.0, k % 3);
        let steps = vec![step; 1 + k % 4].join(", ");
        let target =
            if with_targets { format!(", \"target\": \"{label}\"") } else { String::new() };
        format!("{{\"sequence\": [{steps}]{target}}}\n")
    };
    (0..count).map(line).collect()
}

#[test]
fn a_run_predicts_in_words_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("all.jsonl"), jsonl(60, true)).unwrap();
    fs::write(dir.join("new.jsonl"), jsonl(25, false)).unwrap();
    let words = ["train", "--dataset", "all.jsonl", "--epochs", "40", "--out", "run", "--lr=0.05"];
    good(dir, &words);
    for file in ["loss.svg", "confusion.svg", "confusion.txt", "summary.json"] {
        assert!(dir.join("run").join(file).is_file(), "{file}");
    }

    let csv = good(dir, &["predict", "run", "new.jsonl"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "series,label,p(down),\"p(up, or so)\"");
    assert_eq!(lines.len(), 26);
    for (k, line) in lines[1..].iter().enumerate() {
        let label = if k % 2 == 0 { "\"up, or so\"" } else { "down" };
        assert!(line.starts_with(&format!("{},{label},", k + 1)), "{line}");
    }
    good(dir, &["predict", "run", "new.jsonl", "--output", "out.csv"]);
    assert_eq!(fs::read_to_string(dir.join("out.csv")).unwrap(), csv);
    let said = good(dir, &["predict", "run", "new.jsonl", "--output", "out.jsonl"]);
    assert_eq!(said, "predicted 25 sequences, in out.jsonl\n");
    let lines = fs::read_to_string(dir.join("out.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["series"], &first["label"]), (&1.into(), &"up, or so".into()));
    let p = |name: &str| first["probabilities"][name].as_f64().unwrap();
    assert!((p("down") + p("up, or so") - 1.0).abs() < 1e-12 && p("down") < 0.5);
    // Targets in the input change nothing.
    assert_eq!(good(dir, &["predict", "run", "all.jsonl"]).lines().count(), 61);

    // Tested on all of another file; on its own test data it says what the training said.
    fs::write(dir.join("other.jsonl"), jsonl(30, true)).unwrap();
    let said = good(dir, &["evaluate", "run", "--dataset", "other.jsonl"]);
    assert!(said.starts_with("test      accuracy 1.0000"), "{said}");
    assert!(said.contains("on 30 sequences") && said.contains("mean F1   1.0000"), "{said}");
    let own = good(dir, &["evaluate", "run"]);
    assert!(own.contains("on 12 sequences"), "{own}");
    let table = fs::read_to_string(dir.join("run/confusion.txt")).unwrap();
    assert!(own.contains(table.trim_end()), "{own}");

    let hole = jsonl(3, false).replacen("[-1.9", "[null, 0], [-1.9", 1);
    fs::write(dir.join("hole.jsonl"), hole).unwrap();
    let part = "hole.jsonl: sequence 2, step 1: feature 1 is missing";
    bad(dir, &["predict", "run", "hole.jsonl", "--output", "never.csv"], 2, part);
    fs::write(dir.join("broken.jsonl"), jsonl(3, false) + "{\"sequence\": [[1, x]]}\n").unwrap();
    let words = ["predict", "run", "broken.jsonl", "--output", "never.csv"];
    bad(dir, &words, 2, "broken.jsonl: line 4, column ");
    fs::write(dir.join("wide.jsonl"), "{\"sequence\": [[1, 2, 3]]}\n").unwrap();
    bad(dir, &["predict", "run", "wide.jsonl"], 2, "wide.jsonl: ");
    bad(dir, &["predict", "run", "none.jsonl"], 2, "none.jsonl: no such file");
    bad(
        dir,
        &["predict", "run", "new.jsonl", "--output", "out.txt"],
        2,
        "out.txt: expected a name that ends in .csv or .jsonl",
    );
    bad(dir, &["predict", "run", "new.jsonl", "--output", "no/where.csv"], 1, "no/where.csv: ");
    bad(dir, &["predict", "nowhere", "new.jsonl"], 2, "nowhere: not a run directory");
    bad(dir, &["evaluate", "run", "--dataset", "none.ts"], 2, "none.ts: no such file");
    fs::write(dir.join("label.jsonl"), "{\"sequence\": [[1, 2]], \"target\": \"left\"}\n").unwrap();
    bad(dir, &["evaluate", "run", "--dataset", "label.jsonl"], 2, "label.jsonl: line 1");
}

/// Standard input: each line is answered before the next one is written, by the bytes of the prediction for a file.
#[test]
fn lines_on_standard_input_are_answered_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("all.jsonl"), jsonl(30, true)).unwrap();
    fs::write(dir.join("new.jsonl"), jsonl(6, false)).unwrap();
    good(dir, &["train", "--dataset", "all.jsonl", "--epochs", "2", "--out", "run"]);
    good(dir, &["predict", "run", "new.jsonl", "--output", "want.jsonl"]);
    let want = fs::read_to_string(dir.join("want.jsonl")).unwrap();

    let mut command = Command::new(env!("CARGO_BIN_EXE_ragged"));
    command.current_dir(dir).args(["predict", "run", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut requests = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for (request, want) in jsonl(6, false).lines().zip(want.lines()) {
        write!(requests, "{request}\n\n").unwrap();
        assert_eq!(answers.next().unwrap().unwrap(), want);
    }
    // The lines between were empty: this is line 13.
    writeln!(requests, "{{\"sequence\": [[1, x]]}}").unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.starts_with("error: standard input: line 13, column 19: expected"), "{stderr}");

    let words = ["predict", "run", "-", "--output", "out.csv"];
    assert_eq!(ragged(dir, &words).status.code(), Some(2));
}

/// A file of sequences without steps was once an error of the softmax.
#[test]
fn sequences_without_steps_have_no_labels_of_steps() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let line = "{\"sequence\": [[1], [2]], \"target\": [\"a\", \"b\"]}\n";
    fs::write(dir.join("all.jsonl"), line.repeat(20)).unwrap();
    fs::write(dir.join("new.jsonl"), "{\"sequence\": []}\n".repeat(2)).unwrap();
    good(dir, &["train", "--dataset", "all.jsonl", "--epochs", "1", "--out", "run"]);
    assert_eq!(good(dir, &["predict", "run", "new.jsonl"]), "series,step,label,p(a),p(b)\n");
}

/// `validation/check_onnx.py` checks the predictions of exported models.
#[test]
fn a_run_is_exported_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("all.jsonl"), jsonl(30, true)).unwrap();
    let train = ["train", "--dataset", "all.jsonl", "--epochs", "2", "--out", "run"];
    good(dir, &train);
    let said = good(dir, &["export", "run", "model.onnx"]);
    assert_eq!(said, "exported the model of epoch 2, in model.onnx\n");
    let bytes = fs::read(dir.join("model.onnx")).unwrap();
    // Field 1 is the version of the format, 8. The labels are in the metadata.
    assert_eq!(bytes[..2], [8, 8]);
    let labels = br#"["down","up, or so"]"#;
    assert!(bytes.windows(labels.len()).any(|window| window == labels));
    // The same run gives the same bytes, which replace those of the file.
    good(dir, &["export", "run", "model.onnx"]);
    assert_eq!(fs::read(dir.join("model.onnx")).unwrap(), bytes);

    let ending = "model.txt: expected a name that ends in .onnx";
    bad(dir, &["export", "run", "model.txt"], 2, ending);
    bad(dir, &["export", "nowhere", "new.onnx"], 2, "nowhere: not a run directory");
    bad(dir, &["export", "run", "no/where.onnx"], 1, "no/where.onnx: ");
    fs::create_dir(dir.join("taken.onnx")).unwrap();
    bad(dir, &["export", "run", "taken.onnx"], 1, "taken.onnx: ");
    assert_eq!(fs::read_dir(dir.join("taken.onnx")).unwrap().count(), 0);
    fs::create_dir(dir.join("begun")).unwrap();
    fs::copy(dir.join("run/config.toml"), dir.join("begun/config.toml")).unwrap();
    bad(dir, &["export", "begun", "new.onnx"], 1, "begun/last.safetensors: ");
    let projected =
        [&train[..6], &["projected", "--set", "model.proj_size=3", "--set", "model.hidden_size=5"]];
    good(dir, &projected.concat());
    let reason =
        "model.proj_size is 3: the LSTM operator of ONNX has no projection; expected a model";
    bad(dir, &["export", "projected", "new.onnx"], 2, reason);
    bad(dir, &["export", "projected", "model.onnx"], 2, reason);
    assert_eq!(fs::read(dir.join("model.onnx")).unwrap(), bytes);
}

#[test]
fn a_dry_run_says_all_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["train", "--dry-run", "--seed", "9", "--set", "data.sums.num_samples=100"];
    let said = good(folder.path(), &words);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // What it says is a configuration, with comments.
    fs::write(folder.path().join("said.toml"), &said).unwrap();
    let again = ["train", "--dry-run", "--config", "said.toml"];
    let configuration = |text: &str| -> String {
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(configuration(&good(folder.path(), &again)), configuration(&said));
    assert!(said.contains("seed = 9") && said.contains("num_samples = 100"), "{said}");
    for part in ["lstm.weight_ih_l0", "[60, 7]", "all parameters", "1456", "# 400 updates, about "]
    {
        assert!(said.contains(part), "{said} lacks {part}");
    }
}

/// An invalid value is reported with its place in the file, or with the flag that set it.
#[test]
fn contradictions_have_a_place() {
    let folder = tempfile::tempdir().unwrap();
    #[track_caller]
    fn check(folder: &Path, config: &str, set: &[&str], part: &str) {
        fs::write(folder.join("c.toml"), config).unwrap();
        let output = ragged(folder, &[&["train", "--dry-run", "--config", "c.toml"], set].concat());
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(stderr, format!("error: {part}\n"));
    }
    let dir = folder.path();
    let lr = "train.lr is -1: expected a number above 0";
    check(dir, "seed = 1\n[train]\nlr = -1\n", &[], &format!("c.toml: line 3, column 6: {lr}"));
    check(dir, "seed = 1\n[train]\nlr = 1\n", &["--lr=-1"], &format!("--lr -1: {lr}"));
    let both = "train.max_tokens is 9, but train.batch_size is 8: expected only one of the two";
    let config = "[train]\nbatch_size = 8\nmax_tokens = 9\n";
    check(dir, config, &[], &format!("c.toml: line 3, column 14: {both}"));
    let momentum = "train.schedule.momentum is given, but the optimizer has no momentum";
    let config = "[train]\noptimizer = { name = \"sgd\" }\n\
                  schedule = { name = \"one-cycle\", momentum = [0.8, 0.9] }\n";
    check(dir, config, &[], &format!("c.toml: line 3, column 45: {momentum}"));
    let monitor = "train.monitor is accuracy: expected loss, r2, mae or rmse for these targets";
    let place = "c.toml: line 1, column 17";
    check(dir, "train.monitor = \"accuracy\"\n", &[], &format!("{place}: {monitor}"));
    let group = "train.groups.parameters is \"lstn.*\": expected a pattern that matches a \
                 parameter outside the earlier groups";
    let config = "[[train.groups]]\nparameters = \"lstn.*\"\n";
    check(dir, config, &[], &format!("c.toml: line 2, column 14: {group}"));
}
