//! `cargo xtask evaluate`.

use std::path::PathBuf;

use ragged_train::Predictor;

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run's folder, such as runs/variable-sums/1
    run: PathBuf,
    /// Other data than the run's own test data: a set by name, or all of a file or folder
    #[arg(long, value_name = "NAME|PATH")]
    dataset: Option<String>,
    /// The folder with the data set's files, where it is not the one of the training
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let predictor = Predictor::open(&args.run)?;
    let evaluation = predictor.evaluate(args.dataset.as_deref(), args.data.as_deref())?;
    let (metric, value) = evaluation.metrics.headline();
    println!(
        "held out  {metric} {value:.4} (loss {:.4}) on {} sequences, after epoch {}",
        evaluation.metrics.loss, evaluation.examples, evaluation.epoch,
    );
    if let Some((confusion, labels)) = &evaluation.confusion {
        println!("\n{}", confusion.table(labels).trim_end());
        println!("\nmean F1   {:.4}", confusion.mean_f1());
    }
    Ok(())
}
