//! Losses, class weights, scaled targets and metrics from the command line.

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

/// Wrong usage: one line that contains `part`, and exit code 2 before anything is written.
#[track_caller]
fn bad(folder: &Path, words: &[&str], part: &str) {
    let output = ragged(folder, words);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(part), "{stderr} lacks {part}");
    assert!(!folder.join("runs").exists(), "{words:?}");
}

/// The number after a word in a text.
fn number_after(text: &str, word: &str) -> f64 {
    let rest = text.split(word).nth(1).unwrap_or_else(|| panic!("no {word} in {text}"));
    rest.trim_start().split([' ', ',', '\n']).next().unwrap().parse().unwrap()
}

/// Series of 2 to 4 steps; `target` is the text of the target.
fn table(count: usize, target: impl Fn(usize, f64) -> String) -> String {
    let mut table = "series_id,x,target\n".to_string();
    for k in 0..count {
        let level = (k * 37 % 100) as f64 / 50.0 - 1.0;
        for step in 0..2 + k % 3 {
            let _ = writeln!(table, "{k},{},{}", level + 0.01 * step as f64, target(k, level));
        }
    }
    table
}

/// One of ten targets is rare, and it overlaps with the common ones.
#[test]
fn balanced_weights_find_the_rare_class() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let label = |k: usize, level: f64| {
        let rare = level > 0.6 && k.is_multiple_of(2);
        if rare { "rare".to_string() } else { "common".to_string() }
    };
    fs::write(dir.join("imbalanced.csv"), table(200, label)).unwrap();
    let train = ["train", "--dataset", "imbalanced.csv", "--epochs", "30", "--out"];
    let (plain, _) = good(dir, &[&train[..], &["plain"]].concat());
    let weighted = [&train[..], &["weighted", "--set", "train.class_weights=balanced"]].concat();
    let (weighted, stderr) = good(dir, &weighted);
    let recall = |out: &str| {
        let line = out.lines().find(|line| line.starts_with("recall")).unwrap().to_string();
        number_after(&line, "rare")
    };
    assert!(recall(&weighted) > 0.9 && recall(&weighted) >= recall(&plain), "{plain}{weighted}");
    assert!(weighted.contains("balanced accuracy") && weighted.contains("ROC AUC"), "{weighted}");
    // There are no validation data, which is said once.
    assert_eq!(stderr.matches("advice: ").count(), 1, "{stderr}");
    let summary = fs::read_to_string(dir.join("weighted/summary.json")).unwrap();
    assert!(summary.contains("\"label\": \"rare\""), "{summary}");

    let unknown = [&train[..], &["x", "--set", "train.class_weights={ rar = 2 }"]].concat();
    bad(dir, &unknown, "train.class_weights has the label \"rar\": expected some of common, rare");
    let many = "train.loss={ name = \"cross-entropy\", weight = [1, 2, 3] }";
    let many = [&train[..], &["x", "--set", many]].concat();
    bad(dir, &many, "train.loss.weight has 3 numbers: expected 2, one per class");
    bad(
        dir,
        &[&train[..], &["x", "--loss", "mse"]].concat(),
        "train.loss is mse, but the targets are classes",
    );
    let auc = [&train[..], &["x", "--set", "train.monitor=auc"]].concat();
    bad(dir, &auc, "train.monitor is auc, which is measured on validation data only");
}

/// Targets near 250,000: R2 was -15,673 once, since the loss was that of the unscaled targets.
#[test]
fn values_are_scaled_for_the_loss_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let value = |_, level: f64| format!("{}", 250_000.0 + 20_000.0 * level);
    fs::write(dir.join("values.csv"), table(40, value)).unwrap();
    let train = ["train", "--dataset", "values.csv", "--epochs", "60", "--out"];
    let (out, stderr) = good(dir, &[&train[..], &["run"]].concat());
    assert!(number_after(&out, "R2") > 0.95, "{out}");
    assert!(number_after(&out, "MAE") > 1.0 && out.contains("of standardised targets"), "{out}");
    // 32 training sequences are trained in batches of two, so there are more than ten updates an epoch.
    assert!(stderr.contains("advice: without validation data"), "{stderr}");
    let config = fs::read_to_string(dir.join("run/config.toml")).unwrap();
    assert!(config.contains("batch_size = 2\n"), "{config}");
    assert!(config.contains("target_transform = \"standardize\""), "{config}");
    let (predictions, _) = good(dir, &["predict", "run", "values.csv"]);
    let first = predictions.lines().nth(1).unwrap().split(',').next_back().unwrap().to_string();
    assert!((200_000.0..300_000.0).contains(&first.parse::<f64>().unwrap()), "{predictions}");
    let (evaluated, _) = good(dir, &["evaluate", "run"]);
    assert_eq!(number_after(&evaluated, "R2"), number_after(&out, "R2"));

    let large = [&train[..], &["large", "--batch-size", "64"]].concat();
    let (_, stderr) = good(dir, &large);
    assert!(stderr.contains("updates the weights only once"), "{stderr}");

    let loss = "train.loss={ name = \"quantile\", quantiles = [0.1, 0.9] }";
    let (out, _) = good(dir, &[&train[..], &["quantiles", "--set", loss]].concat());
    assert!(out.contains("coverage") && !out.contains("R2"), "{out}");
    let (predictions, _) = good(dir, &["predict", "quantiles", "values.csv"]);
    assert!(predictions.starts_with("series,id,q0.1,q0.9\n"), "{predictions}");
    good(dir, &["export", "quantiles", "quantiles.onnx"]);
    let (out, _) = good(dir, &[&train[..], &["gaussian", "--loss", "gaussian"]].concat());
    assert!(number_after(&out, "R2") > 0.9, "{out}");

    let outside = "train.loss={ name = \"quantile\", quantiles = [0.5, 1.0] }";
    let outside = [&train[..], &["x", "--set", outside]].concat();
    bad(dir, &outside, "train.loss.quantiles is 1: expected numbers above 0 and below 1");
    bad(
        dir,
        &[&train[..], &["x", "--loss", "hubber"]].concat(),
        "train.loss is \"hubber\": expected `mse`",
    );
    let typo = "train.loss={ name = \"huber\", delt = 1 }";
    bad(dir, &[&train[..], &["x", "--set", typo]].concat(), "unknown key `train.loss.delt`");
    let weights = [&train[..], &["x", "--set", "train.class_weights=balanced"]].concat();
    bad(dir, &weights, "train.class_weights is given, but train.loss is mse");
    bad(dir, &[&train[..], &["x", "--loss", "bce"]].concat(), "train.loss is bce, but a target");
    let scaled = ["x", "--loss", "poisson", "--set", "data.target_transform=standardize"];
    bad(dir, &[&train[..], &scaled].concat(), "data.target_transform is standardize, but");
}

#[test]
fn zeros_and_ones_are_classes_unless_they_are_said_to_be_values() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let value = |_, level: f64| u8::from(level > 0.0).to_string();
    fs::write(dir.join("binary.csv"), table(60, value)).unwrap();
    let train = ["train", "--dataset", "binary.csv", "--epochs", "20", "--out"];
    let (out, stderr) = good(dir, &[&train[..], &["classes"]].concat());
    assert!(
        out.contains("accuracy") && stderr.contains("0 and 1 are two classes (set the task"),
        "{stderr}"
    );
    let (out, _) = good(dir, &[&train[..], &["values", "--task", "regression"]].concat());
    assert!(out.contains("R2"), "{out}");
    let bce = ["labels", "--task", "regression", "--loss", "bce"];
    let (out, _) = good(dir, &[&train[..], &bce].concat());
    assert!(out.contains("F1"), "{out}");
    let (predictions, _) = good(dir, &["predict", "labels", "binary.csv"]);
    assert!(predictions.starts_with("series,id,p_1\n"), "{predictions}");
    let counts = |_, level: f64| format!("{}", (3.0 * level).round());
    fs::write(dir.join("counts.csv"), table(60, counts)).unwrap();
    let poisson = ["train", "--dataset", "counts.csv", "--loss", "poisson", "--out", "x"];
    bad(dir, &poisson, "a target of the training data is -");
}

/// A class and a number from one model.
#[test]
fn heads_are_listed_trained_evaluated_and_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let mut table = "series_id,x,activity,speed\n".to_string();
    for k in 0..80usize {
        let level = (k * 37 % 100) as f64 / 50.0 - 1.0;
        let activity = if level > 0.0 { "run" } else { "walk" };
        let speed = if k.is_multiple_of(4) { String::new() } else { format!("{}", 10.0 * level) };
        for step in 0..2 + k % 3 {
            let x = level + 0.01 * step as f64;
            let _ = writeln!(table, "{k},{x},{activity},{speed}");
        }
    }
    fs::write(dir.join("gait.csv"), table).unwrap();
    let options = ["--dataset", "gait.csv", "--targets", "activity,speed", "--epochs", "20"];
    let more = ["--set", "train.heads.speed={ loss = \"quantile\", weight = 0.5 }"];
    let train = [&["train"][..], &options, &more].concat();
    let (out, _) = good(dir, &[&train[..], &["--dry-run"]].concat());
    let heads: Vec<&str> = out.lines().filter(|line| line.starts_with("# head")).collect();
    assert_eq!(
        heads,
        [
            "# head activity  2 classes  cross-entropy  weight 1    outputs 1 to 2",
            "# head speed     value      quantile       weight 0.5  outputs 3 to 5"
        ]
    );
    bad(
        dir,
        &[&train[..], &["--loss", "mse"]].concat(),
        "train.loss is given, but there are several heads",
    );
    bad(
        dir,
        &[&train[..], &["--set", "train.heads.sped.weight=1"]].concat(),
        "--set train.heads.sped.weight=1: train.heads.sped is no target: expected some of activity, speed",
    );
    let (out, stderr) = good(dir, &[&train[..], &["--out", "run"]].concat());
    assert!(number_after(&out, "activity.accuracy") > 0.9, "{out}");
    assert!(number_after(&out, "speed.r2") > 0.5, "{out}");
    assert!(stderr.contains("20 of 80 values of `speed` are missing, and do"), "{stderr}");
    let (out, _) = good(dir, &["evaluate", "run"]);
    assert!(out.contains("\nactivity\n\ntrue  predicted"), "{out}");
    let (out, _) = good(dir, &["predict", "run", "gait.csv"]);
    let header = "series,id,activity.label,activity.p(run),activity.p(walk),speed.q0.1,speed.q0.5,speed.q0.9";
    assert_eq!((out.lines().next(), out.lines().count()), (Some(header), 81));
    // The summary of a file with such targets.
    let lines = "{\"sequence\": [1], \"target\": {\"activity\": \"walk\", \"speed\": 1.5}}\n\
                 {\"sequence\": [2], \"target\": {\"activity\": \"run\", \"speed\": null}}\n";
    fs::write(dir.join("gait.jsonl"), lines).unwrap();
    let (out, _) = good(dir, &["data", "gait.jsonl"]);
    assert!(out.contains("target     activity per sequence, 2 classes: run 1, walk 1\n"), "{out}");
    assert!(out.contains("target     speed per sequence, always 1.5, 1 of 2 missing\n"), "{out}");
}
