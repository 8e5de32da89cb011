//! `ragged export`.

use std::io::Write;
use std::path::PathBuf;

use ragged_train::Predictor;

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the run, such as runs/japanese-vowels/1
    #[arg(value_hint = clap::ValueHint::DirPath)]
    run: PathBuf,
    /// The file to write; its name ends in .onnx
    #[arg(value_name = "FILE.onnx", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
}

/// Writes the model as a graph that other runtimes execute.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    Predictor::check_onnx_path(&args.output)?;
    let predictor = Predictor::open(&args.run)?;
    predictor.write_onnx(&args.output)?;
    let (epoch, path) = (predictor.epoch(), args.output.display());
    writeln!(std::io::stdout(), "exported the model of epoch {epoch}, in {path}")?;
    Ok(())
}
