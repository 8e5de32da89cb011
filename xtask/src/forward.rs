//! Commands that another package has.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// The package of `bench` and `conformance`, optimised in full.
pub(crate) const COMPARE: &[&str] = &["--release", "--package", "xtask-compare"];
/// `ragged` with every feature.
pub(crate) const RAGGED: &[&str] = &["--profile", "cli", "--package", "ragged-cli"];
/// `ragged` with what training, evaluation, prediction and the description of data need: no TLS. `tokenizers` costs
/// no crate, since candle depends on it, and `parquet` some seconds.
pub(crate) const TRAIN: &[&str] = &[
    "--profile",
    "cli",
    "--package",
    "ragged-cli",
    "--no-default-features",
    "--features",
    "parquet,tokenizers",
];

/// Builds the package if necessary and runs it with the arguments.
///
/// On Unix this process becomes cargo, and cargo becomes the program: signals reach it, and its exit
/// code is the command's.
pub(crate) fn run(package: &[&str], arguments: &[OsString]) -> Result<ExitCode, String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(["run", "--manifest-path", manifest]).args(package);
    command.arg("--").args(arguments).env("RAGGED_PROGRAM", "cargo xtask");
    become_it(command).map_err(|error| format!("cargo: {error}"))
}

#[cfg(unix)]
fn become_it(mut command: Command) -> std::io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> std::io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
