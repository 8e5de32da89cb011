//! `cargo xtask train`.

use std::path::PathBuf;

use ragged_train::{Experiment, ExperimentConfig, RunDir};

use crate::Failure;
use crate::progress::Progress;

/// A flag beats `--set`, which beats the file, which beats the defaults.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The experiment, such as configs/japanese-vowels.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// `variable` (packed sequences, last hidden state) or `fixed` (last time step)
    #[arg(long, value_name = "fixed|variable")]
    model: Option<String>,
    /// `variable-sums`, `fixed-sums`, a set of the UEA/UCR archive, or the path of a .ts file
    #[arg(long, value_name = "NAME|PATH.ts")]
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
    /// Any key of the configuration, such as model.num_layers=2; may be given often
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().into(), value.trim().into()))
}

impl Args {
    /// The single values on top of the file, the strongest last.
    fn overrides(&self) -> Vec<(String, String)> {
        // As a TOML string: a path or a name is never a number.
        let quoted = |text: &String| Some(format!("{text:?}"));
        let flags = [
            ("model.kind", self.model.as_ref().and_then(quoted)),
            ("data.dataset", self.dataset.as_ref().and_then(quoted)),
            ("data.dir", self.data.as_ref().and_then(quoted)),
            ("train.epochs", self.epochs.clone()),
            ("train.batch_size", self.batch_size.clone()),
            ("model.hidden_size", self.hidden_size.clone()),
            ("train.lr", self.lr.clone()),
            ("seed", self.seed.clone()),
        ];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key.into(), value?)));
        self.set.iter().cloned().chain(flags).collect()
    }
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let text = match &args.config {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?,
    };
    let config = ExperimentConfig::parse(&text, &args.overrides()).map_err(|error| {
        let path = args.config.as_ref().map(|path| format!("{}: ", path.display()));
        Failure::Usage(format!("{}{error}", path.unwrap_or_default()))
    })?;
    let (name, epochs) = (config.name.clone(), config.train.epochs);
    let experiment = Experiment::new(config)?;
    // Everything that can be found wrong beforehand has been: now the run gets its folder.
    let run = match &args.out {
        Some(path) => RunDir::create(path)?,
        None => RunDir::next("runs".as_ref(), &name)?,
    };
    eprintln!("training {}", experiment.describe());
    let mut progress = Progress::new(epochs);
    let summary = experiment.run(&run, &mut progress);
    progress.finish();
    let summary = summary?;

    let (metric, value) = summary.test.headline();
    println!("trained   {}", summary.trained);
    println!(
        "held out  {metric} {value:.4} (loss {:.4}) on {} sequences, after epoch {} of {epochs}",
        summary.test.loss, summary.test_examples, summary.epoch,
    );
    println!("time      {:.1} s, {} updates", summary.seconds, summary.updates);
    println!("run       {}", run.path().display());
    Ok(())
}
