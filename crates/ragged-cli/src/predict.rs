//! `ragged predict`.

use std::io::Write;
use std::path::PathBuf;

use ragged_train::Predictor;
use ragged_train::predict::Predictions;

use crate::failure::Failure;
use crate::text::print_notes;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the run, such as runs/japanese-vowels/1
    #[arg(value_hint = clap::ValueHint::DirPath)]
    run: PathBuf,
    /// A file or folder of sequences in any supported format; targets in it are ignored
    input: PathBuf,
    /// Write a table (.csv) or one JSON object per line (.jsonl) [default: a table on stdout]
    #[arg(long, value_name = "FILE.csv|jsonl")]
    output: Option<PathBuf>,
}

/// Predicts for every sequence before it prints the first prediction: a bad row leaves no part of a
/// table behind.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.output.as_deref().map_or(Ok(()), Predictions::check_path)?;
    let predictions = Predictor::open(&args.run)?.predict(&args.input)?;
    print_notes(&predictions.notes);
    let mut out = std::io::stdout();
    match &args.output {
        None => write!(out, "{}", predictions.to_csv()?)?,
        Some(path) => {
            predictions.write(path)?;
            let count = predictions.rows.len();
            writeln!(out, "predicted {count} sequences, in {}", path.display())?;
        }
    }
    Ok(())
}
