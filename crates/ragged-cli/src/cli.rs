//! The subcommands of `ragged`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::Failure;
use crate::{completions, data, download, evaluate, man, predict, program, train};

/// Train, evaluate and apply recurrent models over variable-length sequences.
#[derive(Parser)]
#[command(name = "ragged", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model; by default a variable-length LSTM on variable-length sums.
    Train(Box<train::Args>),
    /// Evaluate a trained model on its test data or on other data.
    Evaluate(evaluate::Args),
    /// Predict labels or values for the sequences of a file.
    Predict(predict::Args),
    /// Describe a data set and what each way of batching it costs.
    Data(data::Args),
    /// Download a data set of the UEA/UCR archive.
    Download(download::Args),
    /// Print the completion script of a shell.
    Completions(completions::Args),
    /// Write the man pages into a folder.
    Man(man::Args),
}

/// Returns the description of the command line.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with its arguments, the first of which is the program's own name.
pub fn run<I, T>(arguments: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = command().bin_name(program::name()).try_get_matches_from(arguments);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and versions, too: an output that is closed is no failure of theirs.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    dispatch(cli.command).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Train(args) => train::run(*args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Data(args) => data::run(args),
        Command::Download(args) => download::run(args),
        Command::Completions(args) => completions::run(args, self::command()),
        Command::Man(args) => man::run(args, self::command()),
    }
}
