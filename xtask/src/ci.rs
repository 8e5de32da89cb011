//! `cargo xtask ci`: what CI and a contributor run before a change lands.

use std::process::{Command, ExitCode, Stdio};

/// Name, arguments to cargo, and what rustdoc is told. The tests come last, so that their own
/// summary ends the output; they include the doc tests.
const STEPS: [(&str, &[&str], &str); 4] = [
    ("format", &["fmt", "--all", "--check"], ""),
    ("clippy", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"], ""),
    ("docs", &["doc", "--quiet", "--workspace", "--no-deps"], "-D warnings"),
    ("tests", &["test", "--quiet", "--workspace"], ""),
];

pub(crate) fn run() -> ExitCode {
    for (name, arguments, rustdoc) in STEPS {
        eprintln!("ci: {name}");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.args(arguments).stdin(Stdio::null());
        if !rustdoc.is_empty() {
            command.env("RUSTDOCFLAGS", rustdoc);
        }
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(_) => {
                eprintln!("error: ci: {name} failed");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("error: ci: {name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
