//! Faults of the folder of a run: what is damaged is mended from the rest or refused, and nothing that is whole is
//! lost.
#![cfg(unix)]

mod ground;

use std::fs;
use std::path::Path;
use std::process::Command;

use ground::{Ground, signal, text, wait_for_lines};

/// Interrupts a run in the middle.
fn interrupted(ground: &Ground, run: &str) {
    let mut child = ground.train(run).spawn().unwrap();
    wait_for_lines(&ground.path(run).join("metrics.jsonl"), 3, &mut child);
    signal(&child, "INT");
    child.wait_with_output().unwrap();
}

/// All files below a folder with their content.
fn content(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(content(&path)),
            false => files.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    files.sort();
    files
}

/// The run was once trained to its end, and then had no result.
#[test]
fn damaged_metrics_are_written_anew_from_the_checkpoint() {
    let ground = Ground::long();
    interrupted(&ground, "run");
    let path = ground.path("run/metrics.jsonl");
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[20] ^= 8;
    let damages: [(&str, Option<&[u8]>); 4] = [
        ("flipped", Some(&flipped)),
        ("short", Some(&whole[..10])),
        ("empty", Some(b"")),
        ("gone", None),
    ];
    for (run, damage) in damages {
        let status =
            Command::new("cp").arg("-r").args([ground.path("run"), ground.path(run)]).status();
        assert!(status.unwrap().success());
        let metrics = ground.path(run).join("metrics.jsonl");
        match damage {
            Some(bytes) => fs::write(&metrics, bytes).unwrap(),
            None => fs::remove_file(&metrics).unwrap(),
        }
        let output = ground.resume(run).output().unwrap();
        assert!(output.status.success(), "{run}: {}", text(&output));
        let warning = format!("warning: {run}/metrics.jsonl: line 1 is damaged");
        assert!(text(&output).contains(&warning), "{}", text(&output));
        ground.check_end(run, run);
    }
}

/// A resume that finds nothing readable once began anew, and emptied the metrics.
#[test]
fn a_run_without_a_readable_checkpoint_is_left_as_it_is() {
    let ground = Ground::long();
    interrupted(&ground, "run");
    for name in ["last", "previous", "best"] {
        let path = ground.path(&format!("run/{name}.safetensors"));
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(&path, bytes).unwrap();
    }
    let before = content(&ground.path("run"));
    let output = ground.resume("run").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let error = text(&output);
    assert!(
        error.contains("error: run: no checkpoint can be read: run/last.safetensors: damaged"),
        "{error}"
    );
    assert!(error.contains("run/best.safetensors: damaged"), "{error}");
    assert!(content(&ground.path("run")) == before);
}

/// The run once went on writing, into the folder of the next run of that name.
#[test]
fn a_run_whose_folder_was_moved_ends() {
    let ground = Ground::long();
    let mut child = ground.command(&["train", "--config", "config.toml", "--out", "run"]);
    let mut child = child
        .args(["--set", "train.epochs=100000", "--set", "train.early_stopping.patience=100000"])
        .spawn()
        .unwrap();
    wait_for_lines(&ground.path("run/metrics.jsonl"), 3, &mut child);
    fs::rename(ground.path("run"), ground.path("moved")).unwrap();
    let output = ground.train("run").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("run: moved or deleted during the training"),
        "{}",
        text(&output)
    );
    ground.check_end("run", "the second run");
}

/// A reader of a named pipe waits until another process opens it for writing.
#[test]
fn a_pipe_in_the_place_of_a_file_is_an_error() {
    let ground = Ground::long();
    interrupted(&ground, "run");
    for name in ["last.safetensors", "metrics.jsonl"] {
        let path = ground.path("run").join(name);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let output = ground.resume("run").output().unwrap();
        let error = text(&output);
        assert!(error.contains(&format!("run/{name}: expected a regular file")), "{error}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
}

/// A relative path was once looked for from the current directory alone.
#[test]
fn a_run_finds_its_data_from_everywhere() {
    let config = "[data]\ndataset = \"table.csv\"\n[train]\nepochs = 2\n";
    let mut table = String::from("series_id,x,target\n");
    (0..20).for_each(|k| table += &format!("s{k},{k},{k}\n"));
    let ground = Ground::with(config, &table);
    let elsewhere = tempfile::tempdir().unwrap();
    let run = ground.path("whole").display().to_string();
    for words in [vec!["evaluate", &run], vec!["train", "--resume", &run]] {
        let mut command = ground.command(&words);
        let output = command.current_dir(elsewhere.path()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", text(&output));
    }
    // With another file in its place, the run is refused all the same.
    fs::write(elsewhere.path().join("table.csv"), table.replace("s1,1,1", "s1,1,2")).unwrap();
    let mut command = ground.command(&["evaluate", &run]);
    let output = command.current_dir(elsewhere.path()).output().unwrap();
    assert!(
        text(&output).contains("table.csv: the training and test data have changed"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_test_loss_that_is_not_finite_names_its_sequences() {
    let config = "[model]\ncell = \"rnn\"\nnonlinearity = \"relu\"\n[data]\ndataset = \"table.csv\"\n\
                  transforms = []\n[train]\nepochs = 2\n";
    let mut table = String::from("series_id,x,target\n");
    (0..20).for_each(|k| table += &format!("s{k},0.{k},{k}\n"));
    let ground = Ground::with(config, &table);
    let extreme = table.replace("s3,0.3", "s3,3e38").replace("s5,0.5", "s5,3e38");
    fs::write(ground.path("extreme.csv"), extreme).unwrap();
    let output =
        ground.command(&["evaluate", "whole", "--dataset", "extreme.csv"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output);
    assert!(error.contains("error: the loss on the test data is "), "{error}");
    assert!(error.contains(" in sequence s3, s5: values of the data"), "{error}");
}
