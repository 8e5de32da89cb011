//! `cargo xtask`: the project's maintenance commands.
//!
//! `ci` and `python` are here; `bench` and `conformance` are the package `xtask-compare`; every other command is
//! one of `ragged`. This program has no dependencies, and passes a command on by starting cargo with
//! the package that has it, so that `cargo xtask train` builds nothing that training does not need.

#![forbid(unsafe_code)]
// The command line is where the workspace prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod ci;
mod forward;
mod python;
mod report;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

const HELP: &str = "\
Maintains and runs ragged.

Usage: cargo xtask <COMMAND>

Maintenance:
  ci           Check formatting, lints, documentation and all tests
  bench        Measure training and inference, also of PyTorch and candle-nn
  conformance  Compare layers, packing and training with results of PyTorch
  python       Build the wheel of the Python package and run its tests
  help         Print this help

Every other command is one of `ragged`:
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let first = arguments.first().map(|first| first.to_string_lossy().into_owned());
    let result = match first.as_deref() {
        Some("ci") if arguments.len() == 1 => return ci::run(),
        Some("ci") => Err("ci takes no arguments".into()),
        Some("python") => match python::run(&arguments[1..]) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(text) => {
                let _ = writeln!(std::io::stderr(), "error: {text}");
                Ok(ExitCode::FAILURE)
            }
        },
        Some("bench" | "conformance") => forward::run(forward::COMPARE, &arguments),
        Some("train" | "evaluate" | "predict" | "data" | "convert" | "runs" | "compare") => {
            forward::run(forward::TRAIN, &arguments)
        }
        None => Err("expected a command: `cargo xtask --help` lists them".into()),
        Some("help" | "--help" | "-h") if arguments.len() == 1 => {
            // An error means that stdout was closed.
            let _ = writeln!(std::io::stdout(), "{HELP}");
            forward::run(forward::TRAIN, &["--help".into()])
        }
        Some(_) => forward::run(forward::RAGGED, &arguments),
    };
    match result {
        Ok(code) => code,
        Err(text) => {
            let _ = writeln!(std::io::stderr(), "error: {text}");
            ExitCode::from(2)
        }
    }
}
