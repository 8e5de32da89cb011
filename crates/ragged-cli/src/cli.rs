//! The subcommands of `ragged`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::Failure;
use crate::{
    compare, completions, convert, data, download, evaluate, export, man, predict, program, runs,
    threads, train,
};

/// Shown by `--help` and in the man page, after the options.
const NOTES: &str = "\
Results go to standard output, progress and errors to standard error.

Exit codes: 0 success, 1 failure, 2 wrong usage or configuration, 129, 130 and 143 saved after SIGHUP,
SIGINT and SIGTERM.

Environment variables:
  RAYON_NUM_THREADS    number of threads [default: one per core]
  CANDLE_NUM_THREADS   number of threads for operations of candle on large tensors, which compete with
                       the others; 1 is fastest, and `cargo xtask` sets it [default: one per core]
  RAGGED_KERNELS_SIMD  portable, avx2 or avx512 [default: the best that the processor has]";

/// Trains, evaluates and applies recurrent models over variable-length sequences.
#[derive(Parser)]
#[command(name = "ragged", version, propagate_version = true, after_long_help = NOTES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Use at most N threads; the results do not depend on their number [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model
    ///
    /// Writes a run folder with the configuration, metrics, plots and checkpoints. Without options, it
    /// trains a variable-length LSTM on generated sums. A flag takes precedence over --set, --set over
    /// the file of --config, and the file over the defaults.
    Train(Box<train::Args>),
    /// Evaluate the best checkpoint of a run
    ///
    /// Prints the metrics and, for classes, the confusion matrix.
    Evaluate(evaluate::Args),
    /// Predict labels or values for the sequences of a file
    ///
    /// Uses the best checkpoint of a run. Predictions keep the order of the sequences.
    Predict(predict::Args),
    /// Write the model of a run as an ONNX file
    ///
    /// Uses the best checkpoint of a run. The file contains the transforms of the training data, and runs in ONNX
    /// Runtime and other programs. Its inputs are `x`, padded sequences, and `lengths`.
    Export(export::Args),
    /// Describe a data set and the cost of several ways of batching
    Data(data::Args),
    /// List the runs of a folder
    ///
    /// Prints the data, the model, the state, the result and the time of each run.
    Runs(runs::Args),
    /// Compare runs
    ///
    /// Prints what differs in their configurations, and their results.
    Compare(compare::Args),
    /// Write a data set in another format
    ///
    /// The ending of OUT says the format: ts, csv, jsonl, npz, safetensors or parquet. The file is read back before it
    /// appears, and has the same sequences and targets. What its format cannot hold is refused.
    Convert(Box<convert::Args>),
    /// Download a data set of the UEA/UCR archive
    Download(download::Args),
    /// Print the completion script of a shell
    ///
    /// For bash: ragged completions bash > ~/.local/share/bash-completion/completions/ragged
    Completions(completions::Args),
    /// Write the man pages
    ///
    /// One page for ragged and one per subcommand: ragged man ~/.local/share/man/man1
    Man(man::Args),
}

/// Returns the description of the command line.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with its arguments, the first of which is the program's own name.
///
/// Prints to stdout and stderr and returns the exit code. The command `train` replaces the actions of
/// SIGINT and SIGTERM for the whole process.
pub fn run<I, T>(arguments: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = command().bin_name(program::name()).try_get_matches_from(arguments);
    match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => dispatch(cli).map_or_else(Failure::report, |()| ExitCode::SUCCESS),
        Err(error) => {
            // Includes --help and --version, for which a closed output is no failure either.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

fn dispatch(Cli { command, threads }: Cli) -> Result<(), Failure> {
    let threads = threads.map(usize::from);
    if let Some(count) = threads {
        threads::limit(count)?;
    }
    match command {
        Command::Train(args) => train::run(*args, threads),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Export(args) => export::run(args),
        Command::Data(args) => data::run(args),
        Command::Runs(args) => runs::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Convert(args) => convert::run(*args),
        Command::Download(args) => download::run(args),
        Command::Completions(args) => completions::run(args, self::command()),
        Command::Man(args) => man::run(args, self::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn help_fits_a_terminal() {
        let mut command = command();
        command.build();
        for subcommand in command.get_subcommands_mut() {
            let help = subcommand.clone().term_width(80).render_long_help().to_string();
            let long = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{}", subcommand.get_name());
        }
    }
}
