//! `cargo xtask`: the project's commands. Each lives in a file of its own; this one only dispatches.
//!
//! Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage
//! or configuration, 130 and 143 saved after SIGINT and SIGTERM.

#![forbid(unsafe_code)]
// The one place in the workspace that speaks to a person.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod ci;
mod conformance;
mod data;
mod download;
mod dry_run;
mod evaluate;
mod predict;
mod progress;
mod signals;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train and evaluate models over variable-length sequences.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model; without options, the variable-length LSTM on variable-length sums.
    Train(Box<train::Args>),
    /// Test what a run has trained again.
    Evaluate(evaluate::Args),
    /// Predict from sequences in a file with what a run has trained.
    Predict(predict::Args),
    /// Say what is in a data set, and what batches of it would cost.
    Data(data::Args),
    /// Fetch a data set of the UEA/UCR archive.
    Download(download::Args),
    /// Time training and inference, beside PyTorch and candle-nn.
    Bench(bench::Args),
    /// Compare layers, packing and training with PyTorch's numbers.
    Conformance(conformance::Args),
    /// Check everything: format, clippy, docs, tests.
    Ci,
}

/// Why a command did not do what it was asked.
enum Failure {
    /// The command ran and failed.
    Failed(String),
    /// It was asked for something that cannot be.
    Usage(String),
    /// A signal came, everything is saved and said: the exit code.
    Interrupted(u8),
}

impl From<ragged_train::Error> for Failure {
    fn from(error: ragged_train::Error) -> Self {
        use ragged_train::Error as E;
        let usage =
            matches!(error, E::Config { .. } | E::Model(ragged_models::Error::Config { .. }))
                || matches!(&error, E::Data(error) if error.is_configuration());
        // One line, whatever a library put into its message.
        let text = error.to_string().lines().next().unwrap_or_default().to_string();
        if usage { Self::Usage(text) } else { Self::Failed(text) }
    }
}

impl From<ragged_datasets::Error> for Failure {
    fn from(error: ragged_datasets::Error) -> Self {
        ragged_train::Error::Data(error).into()
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Train(args) => train::run(*args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Data(args) => data::run(args),
        Command::Download(args) => download::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Conformance(args) => conformance::run(args),
        Command::Ci => ci::run(),
    };
    let (text, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => (text, 1),
        Err(Failure::Usage(text)) => (text, 2),
        Err(Failure::Interrupted(code)) => return ExitCode::from(code),
    };
    eprintln!("error: {text}");
    ExitCode::from(code)
}
