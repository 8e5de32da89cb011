//! Measurements and comparisons that need PyTorch or its results: `cargo xtask bench` and
//! `cargo xtask conformance`.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage.

#![forbid(unsafe_code)]
// The command line is where the workspace prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod conformance;
mod failure;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Compare ragged with PyTorch and candle-nn.
#[derive(Parser)]
#[command(name = "xtask-compare", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure training and inference, also of PyTorch and candle-nn.
    Bench(bench::Args),
    /// Compare layers, packing and training with results of PyTorch.
    Conformance(conformance::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bench(args) => bench::run(args),
        Command::Conformance(args) => conformance::run(args),
    };
    let (text, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => (text, 1),
        Err(Failure::Usage(text)) => (text, 2),
    };
    eprintln!("error: {text}");
    ExitCode::from(code)
}
