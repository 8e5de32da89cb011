//! `ragged train`.

mod args;
mod dry_run;
mod progress;
mod ranks;

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
use crate::train::progress::{Follower, Progress, Throughput};
use crate::train::ranks::Ranks;
use crate::waiting::waiting;

/// The number of classes up to which the recall of each is printed; `confusion.txt` has all of them.
const LISTED_CLASSES: usize = 12;

/// Trains until the run is complete or a signal arrives, alone or with the other processes of `mpirun`.
pub(crate) fn run(args: Args, threads: Option<usize>) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let ranks = Ranks::join(threads)?;
    ranks.guard(|| train(&args, signals, &ranks))
}

fn train(args: &Args, signals: Signals, ranks: &Ranks) -> Result<(), Failure> {
    let experiment = match &args.resume {
        Some(path) => resume(path, args.force, ranks)?,
        None => {
            let experiment = ranks.agree(args.experiment())?;
            if ranks.is_first() {
                print_notes(experiment.notes());
            }
            experiment
        }
    };
    if args.dry_run {
        return if ranks.is_first() { dry_run::report(&experiment) } else { Ok(()) };
    }
    experiment.check_ranks(ranks.communicator()).map_err(|error| ranks.fail(error))?;
    let run = ranks.is_first().then(|| open_run(args, &experiment)).transpose();
    let (size, shards) = (ranks.communicator().size(), experiment.config().train.shards);
    if size > 1 && ranks.is_first() {
        say(format!("{size} ranks share {shards} shards of each batch"));
    }
    let epochs = experiment.config().train.epochs;
    match ranks.agree(run)? {
        Some(run) => {
            let mut progress = Progress::new(epochs, signals);
            let outcome = experiment.run_on(ranks.communicator(), &run, &mut progress);
            progress.finish();
            match outcome.map_err(|error| ranks.fail(error))? {
                RunOutcome::Finished(summary) => {
                    report(&summary, &run, epochs, progress.throughput())
                }
                RunOutcome::Interrupted(at) => {
                    let (program, path) = (program::name(), run.path().display());
                    say(format!("interrupted and saved after {} updates", at.updates));
                    say(format!("resume with: {program} train --resume {path}"));
                    Err(Failure::Interrupted(progress.exit_code().unwrap_or(1)))
                }
            }
        }
        None => {
            let mut follower = Follower::new(signals);
            let finished = experiment.follow(ranks.communicator(), &mut follower);
            match finished.map_err(|error| ranks.fail(error))? {
                true => Ok(()),
                false => Err(Failure::Reported(follower.exit_code().unwrap_or(1))),
            }
        }
    }
}

/// Creates the folder of a run after all checks, so that wrong usage leaves none behind; or opens that of a run that is
/// resumed.
fn open_run(args: &Args, experiment: &Experiment) -> Result<RunDir, Failure> {
    if let Some(path) = &args.resume {
        return Ok(RunDir::open(path)?);
    }
    let (name, text) = (&experiment.config().name, experiment.config().to_toml()?);
    let run = match &args.out {
        Some(path) => RunDir::create(path, &text)?,
        None => RunDir::next("runs".as_ref(), name, &text)?,
    };
    say(wrap(&format!("training {}", experiment.describe())));
    Ok(run)
}

/// Opens a run at its last checkpoint, and reports which one that is.
fn resume(path: &Path, force: bool, ranks: &Ranks) -> Result<Experiment, Failure> {
    let open = if force { Experiment::resume_changed } else { Experiment::resume };
    let resumed =
        RunDir::open(path).and_then(|run| Ok((waiting("opening the run", || open(&run))?, run)));
    let (resumed, run) = ranks.agree(resumed.map_err(Failure::from))?;
    let Resumed { experiment, damaged, differences, damaged_metrics } = resumed;
    if !ranks.is_first() {
        return Ok(experiment);
    }
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
    Ok(experiment)
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
