//! `ragged evaluate`.

use std::io::Write;
use std::path::PathBuf;

use ragged_train::Predictor;
use ragged_train::predict::Confusion;

use crate::failure::Failure;
use crate::text::{further_metrics, headlines, print_notes};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the run, such as runs/variable-sums/1
    #[arg(value_hint = clap::ValueHint::DirPath)]
    run: PathBuf,
    /// Evaluate on a data set by its name, or on all of a file or folder [default: the run's test
    /// data]
    #[arg(long, value_name = "NAME|PATH")]
    dataset: Option<String>,
    /// Set the folder that contains the files of the data set [default: that of the training]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    data: Option<PathBuf>,
}

/// Prints the metrics and, for classes, the confusion matrix.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let predictor = Predictor::open(&args.run)?;
    let evaluation = predictor.evaluate(args.dataset.as_deref(), args.data.as_deref())?;
    print_notes(&evaluation.notes);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "test      {} (loss {:.4}) on {} sequences, epoch {}",
        headlines(&evaluation.metrics).join(", "),
        evaluation.metrics.loss,
        evaluation.examples,
        evaluation.epoch,
    )?;
    if let Some(further) = further_metrics(&evaluation.metrics) {
        writeln!(out, "metrics   {further}")?;
    }
    writeln!(out, "loss      {}", predictor.objective().describe())?;
    for Confusion { head, matrix, labels } in &evaluation.confusions {
        if let Some(head) = head {
            writeln!(out, "\n{head}")?;
        }
        writeln!(out, "\n{}", matrix.table(labels).trim_end())?;
        writeln!(out, "\nmean F1   {:.4}", matrix.mean_f1())?;
    }
    Ok(())
}
