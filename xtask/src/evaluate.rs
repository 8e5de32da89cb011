//! `cargo xtask evaluate`.

use std::path::PathBuf;

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run's folder, such as runs/variable-sums/1
    run: PathBuf,
    /// The folder with the data set's files, where it is not the one of the training
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let evaluation = ragged_train::evaluate_run(&args.run, args.data.as_deref())?;
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
