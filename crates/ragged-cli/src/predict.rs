//! `cargo xtask predict`.

use std::path::PathBuf;

use ragged_train::Predictor;
use ragged_train::predict::Predictions;

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run's folder, such as runs/japanese-vowels/1
    run: PathBuf,
    /// A file or folder of sequences in any format; targets in it are ignored
    input: PathBuf,
    /// Where to write a table (.csv) or JSON lines (.jsonl) [default: a table on stdout]
    #[arg(long, value_name = "FILE.csv|jsonl")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    args.output.as_deref().map_or(Ok(()), Predictions::check_path)?;
    // All of it before the first word of it: a bad row leaves nothing half written.
    let predictions = Predictor::open(&args.run)?.predict(&args.input)?;
    match &args.output {
        None => print!("{}", predictions.to_csv()?),
        Some(path) => {
            predictions.write(path)?;
            let count = predictions.rows.len();
            println!("predicted {count} sequences, in {}", path.display());
        }
    }
    Ok(())
}
