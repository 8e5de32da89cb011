//! `cargo xtask ci`: the order of its steps, its output, and what it does without optional tools.
#![cfg(unix)]

use std::fs;
use std::process::Command;

/// Runs ci with a stand-in for cargo, which fails for the arguments that match a pattern of the
/// shell. Returns the exit code, stdout, stderr and the arguments of each call.
fn ci(failing: &str) -> (i32, String, String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("ci").env("LOG", &log).env("FAILING", failing);
    command.env("CARGO", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cargo_stand_in.sh"));
    command.env_remove("RAGGED_PROGRAM").env("PYTHON", "no-python");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let calls = fs::read_to_string(&log).unwrap().lines().map(String::from).collect();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr), calls)
}

#[test]
fn only_the_tests_print_and_they_come_last() {
    let (code, stdout, stderr, calls) = ci("none");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout, "\ntest\n--quiet\n--workspace\n");
    assert!(stderr.ends_with("ci: tests\nerr: test\n"), "{stderr}");
    assert_eq!(calls.last().unwrap(), "test --quiet --workspace");
    for part in ["fmt --all --check", "clippy ", "doc ", "check --quiet --manifest-path", "deny "] {
        assert!(calls.iter().any(|call| call.starts_with(part)), "{part}: {calls:?}");
    }
    assert!(calls.iter().any(|call| call.contains("--no-default-features")), "{calls:?}");
}

#[test]
fn tools_that_are_not_installed_are_skipped_and_named_once() {
    let (code, _, stderr, calls) = ci("deny*|semver-checks*");
    assert_eq!(code, 0, "{stderr}");
    for tool in ["deny", "semver-checks"] {
        let line = format!("ci: cargo {tool}: skipped, it is not installed\n");
        assert_eq!(stderr.matches(&line).count(), 1, "{stderr}");
        assert_eq!(calls.iter().filter(|call| call.starts_with(tool)).count(), 1, "{calls:?}");
    }
    assert!(stderr.contains("ci: python package: skipped, no-python is not installed"), "{stderr}");
    let (code, _, stderr, calls) = ci("'deny fetch'*");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("ci: advisories: skipped"), "{stderr}");
    assert!(!calls.iter().any(|call| call.contains("advisories")), "{calls:?}");
}

#[test]
fn the_first_failure_ends_the_run_and_shows_its_output() {
    for (failing, name, last) in [
        ("fmt*", "format", "fmt"),
        ("clippy*", "clippy", "clippy"),
        ("'deny --log-level error check bans'*", "dependencies", "deny"),
        ("'test --quiet --workspace'", "tests", "test"),
    ] {
        let (code, stdout, stderr, calls) = ci(failing);
        assert_eq!(code, 1, "{failing}: {stderr}");
        assert!(stderr.ends_with(&format!("error: ci: {name} failed\n")), "{stderr}");
        assert!((stdout + &stderr).contains(&format!("\n{last}\n")), "{stderr}");
        assert!(calls.last().unwrap().starts_with(last), "{calls:?}");
    }
}
