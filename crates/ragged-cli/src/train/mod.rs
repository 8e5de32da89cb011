//! `cargo xtask train`.

mod dry_run;
mod progress;

use std::path::{Path, PathBuf};

use ragged_train::config::Override;
use ragged_train::run::{Resumed, RunOutcome, RunSummary};
use ragged_train::{Experiment, ExperimentConfig, RunDir};

use crate::failure::Failure;
use crate::program;
use crate::signals::Signals;
use crate::train::progress::Progress;

/// A flag beats `--set`, which beats the file, which beats the defaults.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The experiment, such as configs/japanese-vowels.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// `variable` (packed sequences, last hidden state) or `fixed` (last time step)
    #[arg(long, value_name = "fixed|variable")]
    model: Option<String>,
    /// `variable-sums`, `fixed-sums`, a set of the UEA/UCR archive, or the path of a file or folder
    #[arg(long, value_name = "NAME|PATH")]
    dataset: Option<String>,
    /// The folder with NAME_TRAIN.ts and NAME_TEST.ts
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Passes over the training data
    #[arg(long)]
    epochs: Option<String>,
    /// Sequences in a batch
    #[arg(long)]
    batch_size: Option<String>,
    /// Hidden units of a layer and direction
    #[arg(long)]
    hidden_size: Option<String>,
    /// The learning rate
    #[arg(long)]
    lr: Option<String>,
    /// Where all randomness comes from
    #[arg(long)]
    seed: Option<String>,
    /// The run's folder, which must not exist yet [default: runs/NAME/N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder where it stopped or was killed
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = [
            "config", "model", "dataset", "data", "epochs", "batch_size", "hidden_size", "lr",
            "seed", "out", "overfit_batches", "dry_run", "set",
        ],
    )]
    resume: Option<PathBuf>,
    /// Train on the first N batches alone, over and over: a model that cannot learn them is broken
    #[arg(long, value_name = "N")]
    overfit_batches: Option<String>,
    /// Only say what would be trained: configuration, parameters, predicted time
    #[arg(long)]
    dry_run: bool,
    /// Any key of the configuration, such as model.num_layers=2; may be given often
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<Override>,
}

fn pair(text: &str) -> Result<Override, String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok(Override::set(key.trim(), value.trim()))
}

impl Args {
    /// The single values on top of the file, the strongest last.
    fn overrides(&self) -> Vec<Override> {
        // A path or a name becomes a TOML string, so that it is never read as a number.
        let flags = [
            ("--model", "model.kind", &self.model, true),
            ("--dataset", "data.dataset", &self.dataset, true),
            ("--data", "data.dir", &self.data, true),
            ("--epochs", "train.epochs", &self.epochs, false),
            ("--batch-size", "train.batch_size", &self.batch_size, false),
            ("--hidden-size", "model.hidden_size", &self.hidden_size, false),
            ("--lr", "train.lr", &self.lr, false),
            ("--seed", "seed", &self.seed, false),
            ("--overfit-batches", "train.overfit_batches", &self.overfit_batches, false),
        ];
        let flags = flags.into_iter().filter_map(|(flag, key, text, quoted)| {
            let text = text.as_ref()?;
            let value = if quoted { format!("{text:?}") } else { text.clone() };
            Some(Override::flag(format!("{flag} {text}"), key, value))
        });
        self.set.iter().cloned().chain(flags).collect()
    }

    /// The experiment of the defaults, the file, and the single values.
    fn experiment(&self) -> Result<Experiment, Failure> {
        let text = match &self.config {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?,
        };
        let overrides = self.overrides();
        let experiment = ExperimentConfig::parse(&text, &overrides).and_then(Experiment::new);
        experiment.map_err(|error| {
            match (ExperimentConfig::locate(error, &text, &overrides), &self.config) {
                (error @ ragged_train::Error::Config { .. }, Some(path)) => {
                    Failure::Usage(format!("{}: {error}", path.display()))
                }
                (error, _) => error.into(),
            }
        })
    }
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let (experiment, run) = match &args.resume {
        Some(path) => resume(path)?,
        None => {
            let experiment = args.experiment()?;
            if args.dry_run {
                return dry_run::report(&experiment);
            }
            // Everything that can be found wrong beforehand has been: now the run gets its folder.
            let (name, text) = (&experiment.config().name, experiment.config().to_toml()?);
            let run = match &args.out {
                Some(path) => RunDir::create(path, &text)?,
                None => RunDir::next("runs".as_ref(), name, &text)?,
            };
            eprintln!("training {}", experiment.describe());
            (experiment, run)
        }
    };
    let epochs = experiment.config().train.epochs;
    let mut progress = Progress::new(epochs, signals);
    let outcome = experiment.run(&run, &mut progress);
    progress.finish();
    match outcome? {
        RunOutcome::Finished(summary) => report(&summary, &run, epochs),
        RunOutcome::Interrupted(at) => {
            let path = run.path().display();
            eprintln!(
                "interrupted after {} updates, saved: go on with {} train --resume {path}",
                at.updates,
                program::name(),
            );
            return Err(Failure::Interrupted(progress.exit_code().unwrap_or(1)));
        }
    }
    Ok(())
}

/// A run where it stood, said in a line; what was damaged is said too.
fn resume(path: &Path) -> Result<(Experiment, RunDir), Failure> {
    let run = RunDir::open(path)?;
    let Resumed { experiment, damaged } = Experiment::resume(&run)?;
    for error in damaged {
        eprintln!("warning: {error}: passed over");
    }
    let place = match experiment.position() {
        Some(at) if at.batch > 0 => format!("in epoch {}, batch {}", at.epoch + 1, at.batch),
        Some(at) => format!("after epoch {}", at.epoch),
        None => "at the start".into(),
    };
    eprintln!("resuming {place}: {}", experiment.describe());
    Ok((experiment, run))
}

fn report(summary: &RunSummary, run: &RunDir, epochs: usize) {
    let (metric, value) = summary.test.headline();
    println!("trained   {}", summary.trained);
    if summary.epochs < epochs {
        println!("stopped   after {} of {epochs} epochs: it got no better", summary.epochs);
    }
    println!(
        "held out  {metric} {value:.4} (loss {:.4}) on {} sequences, after epoch {} of {epochs}",
        summary.test.loss, summary.test_examples, summary.epoch,
    );
    println!("time      {:.1} s, {} updates", summary.seconds, summary.updates);
    println!("run       {}", run.path().display());
}
