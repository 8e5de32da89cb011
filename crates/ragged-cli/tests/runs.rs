//! `ragged runs` and `ragged compare`: they list and compare runs, and change nothing.
#![cfg(unix)]

mod ground;

use std::fs;

use ground::{Ground, signal, text, wait_for_lines};

fn stdout(ground: &Ground, words: &[&str]) -> String {
    let output = ground.command(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_runs_of_a_folder_are_listed() {
    let ground = Ground::new();
    for (run, epochs) in [("runs/a/2", "3"), ("runs/a/10", "100000")] {
        let mut command = ground.train(run);
        command.args(["--set", &format!("train.epochs={epochs}")]);
        command.args(["--set", "train.early_stopping.patience=100000"]);
        let mut child = command.spawn().unwrap();
        if epochs == "3" {
            assert!(child.wait().unwrap().success());
            continue;
        }
        wait_for_lines(&ground.path(run).join("metrics.jsonl"), 2, &mut child);
        let listed = stdout(&ground, &["runs"]);
        assert!(listed.lines().nth(2).unwrap().contains("running, "), "{listed}");
        signal(&child, "INT");
        child.wait().unwrap();
    }
    fs::create_dir_all(ground.path("runs/broken")).unwrap();
    fs::write(ground.path("runs/broken/config.toml"), "sed = 1\n").unwrap();
    let listed = stdout(&ground, &["runs"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(lines[0].starts_with("run          data           model       state"), "{listed}");
    assert!(lines[1].starts_with("runs/a/2     variable-sums  lstm 6 x 2  finished"), "{listed}");
    assert!(lines[1].contains("test R2 "), "{listed}");
    assert!(lines[2].contains("interrupted, ") && lines[2].contains("valid R2 "), "{listed}");
    assert!(lines[3].contains("config.toml: line 1, column 1: unknown key `sed`"), "{listed}");
    assert_eq!(stdout(&ground, &["runs", "whole/top"]), "no runs in whole/top\n");
}

#[test]
fn runs_are_compared_by_what_differs() {
    let ground = Ground::new();
    let mut command = ground.train("other");
    let output = command.args(["--set", "seed=6", "--set", "train.ema_decay=0"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let compared = stdout(&ground, &["compare", "whole", "other", "--svg", "curves.svg"]);
    let rows: Vec<Vec<&str>> =
        compared.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["whole", "other"], "{compared}");
    assert_eq!(rows[1], ["seed", "5", "6"], "{compared}");
    assert_eq!(rows[2], ["train.ema_decay", "0.9", "0.0"], "{compared}");
    assert_eq!(rows[3][0], "epochs", "{compared}");
    assert!(rows.iter().any(|row| row[..2] == ["test", "R2"] && row.len() == 4), "{compared}");
    let svg = fs::read_to_string(ground.path("curves.svg")).unwrap();
    assert!(svg.contains("whole") && svg.contains("other"), "{svg}");
    let output = ground.command(&["compare", "whole"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = ground.command(&["compare", "whole", "nowhere"]).output().unwrap();
    assert!(text(&output).contains("nowhere: not a run directory"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(2));
    let output = ground.command(&["runs", "nowhere"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output).contains("nowhere: No such")), (Some(2), true));
}
