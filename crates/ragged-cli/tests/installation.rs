//! What an installed copy offers beside its commands: help, the version, completions, man pages.

#![allow(clippy::print_stderr)]

use std::fs;

use assert_cmd::Command;

/// Runs `ragged`. Returns the exit code, stdout and stderr.
fn ragged(words: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("ragged").unwrap().args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn subcommands() -> Vec<String> {
    ragged_cli::command().get_subcommands().map(|c| c.get_name().to_string()).collect()
}

#[test]
fn the_version_is_that_of_the_crate() {
    let expected = format!("ragged {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        assert_eq!(ragged(&[flag]), (0, expected.clone(), String::new()));
    }
}

#[test]
fn the_help_lists_every_command_and_the_exit_codes() {
    let (code, stdout, stderr) = ragged(&["--help"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(subcommands().len(), 11);
    for name in subcommands() {
        let line = stdout.lines().find(|line| line.trim_start().starts_with(&name));
        assert!(line.is_some(), "{stdout} lacks {name}");
        let (code, help, _) = ragged(&[&name, "--help"]);
        assert_eq!(code, 0);
        assert!(help.contains(&format!("Usage: ragged {name} ")), "{help}");
    }
    assert!(stdout.contains("Exit codes: 0 success") && stdout.contains("CANDLE_NUM_THREADS"));
}

#[test]
fn usage_lines_and_hints_name_the_program_that_was_started() {
    let mut command = Command::cargo_bin("ragged").unwrap();
    let output = command.args(["train", "--help"]).env("RAGGED_PROGRAM", "cargo xtask").output();
    let stdout = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(stdout.contains("Usage: cargo xtask train [OPTIONS]"), "{stdout}");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("ragged").unwrap();
    command.current_dir(folder.path()).env("RAGGED_PROGRAM", "cargo xtask");
    let output = command.args(["train", "--dataset", "Nowhere"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("`cargo xtask download Nowhere`"), "{stderr}");
}

#[cfg(feature = "completions")]
#[test]
fn completions_know_the_commands_and_options() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, stdout, stderr) = ragged(&["completions", shell]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{shell}");
        for word in subcommands().iter().map(String::as_str).chain(["hidden-size", "max-tokens"]) {
            assert!(stdout.contains(word), "{shell}: no {word}");
        }
    }
    let (code, stdout, stderr) = ragged(&["completions", "tcsh"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("invalid value 'tcsh'"), "{stderr}");
}

/// bash itself completes a command with the script.
#[cfg(all(unix, feature = "completions"))]
#[test]
fn bash_completes_with_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("ragged.bash");
    fs::write(&script, ragged(&["completions", "bash"]).1).unwrap();
    let complete = "source \"$0\"; COMP_WORDS=(ragged tr); COMP_CWORD=1; \
                    _ragged ragged tr ragged; echo \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash").arg("-c").arg(complete).arg(&script).output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no bash");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "train\n", "{stderr}");
}

#[cfg(feature = "man")]
#[test]
fn there_is_a_man_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    assert_eq!(ragged(&["man", pages.to_str().unwrap()]), (0, String::new(), String::new()));
    let page = |name: &str| fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("ragged.1").contains("Exit codes"));
    assert!(page("ragged-train.1").contains("overfit"));
    for name in subcommands() {
        assert!(page(&format!("ragged-{name}.1")).starts_with(".ie"), "{name}");
    }
    assert_eq!(fs::read_dir(&pages).unwrap().count(), 1 + subcommands().len());

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, stdout, stderr) = ragged(&["man", file.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str(), stderr.lines().count()), (1, "", 1), "{stderr}");
    assert!(stderr.starts_with(&format!("error: {}: ", file.display())), "{stderr}");
}

/// Runs in the build without features that `cargo xtask ci` tests.
#[cfg(not(any(feature = "completions", feature = "download", feature = "man")))]
#[test]
fn a_command_without_its_feature_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for (feature, argument) in
        [("completions", "bash"), ("download", "JapaneseVowels"), ("man", path.to_str().unwrap())]
    {
        let (code, stdout, stderr) = ragged(&[feature, argument]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (1, "", 1), "{stderr}");
        let parts = [format!("--features {feature}"), format!("`cargo xtask {feature}`")];
        assert!(parts.iter().all(|part| stderr.contains(part)), "{stderr}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(!std::path::Path::new("data").exists());
}

/// Runs in the build without features that `cargo xtask ci` tests.
#[cfg(not(feature = "tokenizers"))]
#[test]
fn a_tokenizer_file_without_its_feature_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("ragged").unwrap();
    let words = ["train", "--dataset", "x.jsonl", "--set", "data.read.tokenizer=x.json"];
    let output = command.current_dir(folder.path()).args(words).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
    let message = "data.read.tokenizer is x.json, but this build lacks the feature `tokenizers`";
    assert!(stderr.contains(message), "{stderr}");
}

/// A reader that closes the pipe ends the command without an error or a panic.
#[cfg(unix)]
#[test]
fn a_closed_output_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..200_000).map(|k| format!("{{\"sequence\": [{k}]}}\n")).collect();
    fs::write(folder.path().join("x.jsonl"), rows).unwrap();
    let script = "(\"$0\" data x.jsonl; echo \"code $?\" >&2) | true";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ragged")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "code 0\n");
}
