//! `ragged train`.

mod args;
mod dry_run;
mod progress;

use std::io::Write;
use std::path::Path;

use ragged_train::run::{ClassResult, Resumed, RunOutcome, RunSummary};
use ragged_train::{Experiment, RunDir};

pub(crate) use args::Args;

use crate::console::say;
use crate::failure::Failure;
use crate::program;
use crate::signals::Signals;
use crate::text::{further_metrics, headlines, print_notes, wrap};
use crate::train::progress::{Progress, Throughput};

/// The number of classes up to which the recall of each is printed; `confusion.txt` has all of them.
const LISTED_CLASSES: usize = 12;

/// Trains until the run is complete or a signal arrives.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let (experiment, run) = match &args.resume {
        Some(path) => resume(path, args.force)?,
        None => {
            let experiment = args.experiment()?;
            print_notes(experiment.notes());
            if args.dry_run {
                return dry_run::report(&experiment);
            }
            // The folder is created after all checks, so that wrong usage leaves none behind.
            let (name, text) = (&experiment.config().name, experiment.config().to_toml()?);
            let run = match &args.out {
                Some(path) => RunDir::create(path, &text)?,
                None => RunDir::next("runs".as_ref(), name, &text)?,
            };
            say(wrap(&format!("training {}", experiment.describe())));
            (experiment, run)
        }
    };
    let epochs = experiment.config().train.epochs;
    let mut progress = Progress::new(epochs, signals);
    let outcome = experiment.run(&run, &mut progress);
    progress.finish();
    match outcome? {
        RunOutcome::Finished(summary) => report(&summary, &run, epochs, progress.throughput()),
        RunOutcome::Interrupted(at) => {
            let (program, path) = (program::name(), run.path().display());
            say(format!("interrupted and saved after {} updates", at.updates));
            say(format!("resume with: {program} train --resume {path}"));
            Err(Failure::Interrupted(progress.exit_code().unwrap_or(1)))
        }
    }
}

/// Opens a run at its last checkpoint, and reports which one that is.
fn resume(path: &Path, force: bool) -> Result<(Experiment, RunDir), Failure> {
    let run = RunDir::open(path)?;
    let open = if force { Experiment::resume_changed } else { Experiment::resume };
    let Resumed { experiment, damaged, differences, damaged_metrics } = open(&run)?;
    for error in damaged {
        say(format!("warning: {error}: resuming from the checkpoint before it"));
    }
    if let Some(line) = damaged_metrics {
        let path = run.metrics().display().to_string();
        say(format!("warning: {path}: line {line} is damaged: written anew from the checkpoint"));
    }
    for difference in differences {
        say(format!("warning: {difference}: this run has other results than an undisturbed one"));
    }
    let position = match experiment.position() {
        Some(at) if at.batch > 0 => format!("in epoch {}, after batch {}", at.epoch + 1, at.batch),
        Some(at) => format!("after epoch {}", at.epoch),
        None => "at the start".into(),
    };
    say(wrap(&format!("resuming {position}: {}", experiment.describe())));
    Ok((experiment, run))
}

/// Prints the result of a complete run.
fn report(
    summary: &RunSummary,
    run: &RunDir,
    epochs: usize,
    throughput: Throughput,
) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "trained   {}", summary.trained)?;
    if summary.epochs < epochs {
        writeln!(out, "stopped   early, after {} of {epochs} epochs", summary.epochs)?;
    }
    writeln!(
        out,
        "test      {} (loss {:.4}) on {} sequences, epoch {} of {epochs}",
        headlines(&summary.test).join(", "),
        summary.test.loss,
        summary.test_examples,
        summary.epoch,
    )?;
    if let Some(further) = further_metrics(&summary.test) {
        writeln!(out, "metrics   {further}")?;
    }
    if !summary.classes.is_empty() && summary.classes.len() <= LISTED_CLASSES {
        let recall = |class: &ClassResult| {
            let head = class.head.as_ref().map_or(String::new(), |head| format!("{head} "));
            format!("{head}{} {:.4}", class.label, class.scores.recall)
        };
        let recalls: Vec<_> = summary.classes.iter().map(recall).collect();
        writeln!(out, "recall    {}", recalls.join(", "))?;
    }
    writeln!(out, "loss      {}", summary.minimised)?;
    write!(out, "time      {:.1} s, {} updates", summary.seconds, summary.updates)?;
    match throughput.padding_percent() {
        Some(percent) => writeln!(out, "; {percent:.0} % of the steps were padding")?,
        None => writeln!(out)?,
    }
    writeln!(out, "run       {}", run.path().display())?;
    Ok(())
}
