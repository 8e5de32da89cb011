//! Commands that `cargo xtask` passes on: which package gets them, with which arguments, and that
//! output and exit code are those of the program.
#![cfg(unix)]

use std::fs;
use std::process::{Command, Output};

/// Runs xtask with a stand-in for cargo that prints its arguments and exits with 7.
fn xtask(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.env("CARGO", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cargo_stand_in.sh"));
    command.env("FAILING", "*").env_remove("LOG").args(words).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(String::from).collect()
}

/// The arguments of cargo between `--manifest-path FILE` and `--`, and those after it.
fn forwarded(words: &[&str]) -> (String, Vec<String>) {
    let output = xtask(words);
    assert_eq!(output.status.code(), Some(7), "{words:?}: the exit code is the program's");
    let lines = lines(&output);
    assert_eq!(lines[..3], ["cargo xtask", "run", "--manifest-path"], "{words:?}");
    assert!(fs::read_to_string(&lines[3]).unwrap().contains("[workspace]"), "{}", lines[3]);
    let end = lines.iter().position(|line| line == "--").unwrap();
    (lines[4..end].join(" "), lines[end + 1..].to_vec())
}

#[test]
fn training_builds_no_feature_that_it_does_not_need() {
    for command in ["train", "evaluate", "predict", "data", "convert"] {
        let words = [command, "--help", "a b", "--", "--set"];
        let (package, arguments) = forwarded(&words);
        let expected = "--profile cli --package ragged-cli --no-default-features --features parquet,tokenizers";
        assert_eq!(package, expected);
        assert_eq!(arguments, words);
    }
}

#[test]
fn other_commands_of_ragged_get_every_feature() {
    for command in ["download", "completions", "man", "--version", "unknown"] {
        let (package, arguments) = forwarded(&[command, "x"]);
        assert_eq!(package, "--profile cli --package ragged-cli");
        assert_eq!(arguments, [command, "x"]);
    }
}

#[test]
fn comparisons_have_a_package_of_their_own() {
    for command in ["bench", "conformance"] {
        let (package, arguments) = forwarded(&[command]);
        assert_eq!(package, "--release --package xtask-compare");
        assert_eq!(arguments, [command]);
    }
}

#[test]
fn help_lists_the_maintenance_commands_and_then_those_of_ragged() {
    for words in [&["--help"][..], &["-h"], &["help"]] {
        let output = xtask(words);
        let lines = lines(&output);
        for command in ["ci", "bench", "conformance"] {
            let start = format!("  {command} ");
            assert!(lines.iter().any(|line| line.starts_with(&start)), "{command}: {lines:?}");
        }
        assert_eq!(lines[lines.len() - 2..], ["--", "--help"], "{words:?}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for words in [&["ci", "--fast"][..], &[]] {
        let output = xtask(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{words:?}");
    }
}
