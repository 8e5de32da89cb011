//! The options of `ragged train`, and the configuration that they give.

use std::path::PathBuf;

use ragged_train::config::{ConfigError, ConfigOrigin, Override};
use ragged_train::{Error, Experiment, ExperimentConfig};

use crate::failure::Failure;
use crate::waiting::waiting;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Read the configuration from a TOML file, such as configs/japanese-vowels.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set the model: `variable` reads packed sequences of any length, `fixed` needs one length
    /// [default: variable]
    #[arg(long, value_name = "fixed|variable")]
    model: Option<String>,
    /// Set the data set: `variable-sums`, `fixed-sums`, a name of the UEA/UCR archive, or the path
    /// of a file or folder [default: the sums of the model]
    #[arg(long, value_name = "NAME|PATH")]
    dataset: Option<String>,
    /// Set the folder that contains NAME_TRAIN.ts and NAME_TEST.ts [default: data]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    data: Option<String>,
    /// Set the number of passes over the training data [default: 200]
    #[arg(long, value_name = "N")]
    epochs: Option<String>,
    /// Set what is predicted: `classification`, `regression`, `sequence-labelling`, `step-regression` or
    /// `transcription` [default: by the targets of the file]
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Set the column of a table that names the series [default: series_id]
    #[arg(long, value_name = "COLUMN")]
    series: Option<String>,
    /// Set the target columns of a table [default: target and all that begin with target_]
    #[arg(long, value_name = "COLUMN,...")]
    targets: Option<String>,
    /// Set the input columns of a table [default: all others]
    #[arg(long, value_name = "COLUMN,...")]
    features: Option<String>,
    /// Set the types of columns of a table, such as `store=category,note=ignored` [default: by names and cells]
    #[arg(long, value_name = "COLUMN=TYPE,...")]
    types: Option<String>,
    /// Set the separator of the cells of a table [default: ,]
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<String>,
    /// Set the loss: `mse`, `l1`, `huber`, `smooth-l1`, `cross-entropy`, `ctc`, `bce`, `poisson`, `gaussian` or
    /// `quantile` [default: cross-entropy for classes, ctc for lists of labels, mse for values]
    #[arg(long, value_name = "LOSS")]
    loss: Option<String>,
    /// Set the number of sequences per batch, by default fewer for small files [default: 64]
    #[arg(long, value_name = "N")]
    batch_size: Option<String>,
    /// Set the number of hidden units per layer and direction [default: 15]
    #[arg(long, value_name = "N")]
    hidden_size: Option<String>,
    /// Set the learning rate [default: 0.01]
    #[arg(long, value_name = "RATE")]
    lr: Option<String>,
    /// Set the seed of all random numbers: equal seeds give equal results [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Write the run to this folder, which must not exist yet [default: runs/NAME/N]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Resume the run in this folder after it was interrupted or killed
    #[arg(
        long,
        value_name = "RUN",
        value_hint = clap::ValueHint::DirPath,
        conflicts_with_all = [
            "config", "model", "dataset", "data", "task", "series", "targets", "features", "types", "delimiter", "loss", "epochs", "batch_size", "hidden_size", "lr",
            "seed", "out", "overfit_batches", "dry_run", "set",
        ],
    )]
    pub(super) resume: Option<PathBuf>,
    /// Resume although the configuration, the data or the SIMD level have changed, and record it
    #[arg(long, requires = "resume")]
    pub(super) force: bool,
    /// Train on the first N batches only; a model that cannot learn these by heart has a fault
    #[arg(long, value_name = "N")]
    overfit_batches: Option<String>,
    /// Print the configuration, the parameters and the expected training time, and exit
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Set any key of the configuration, such as model.num_layers=2; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<Override>,
}

fn key_and_value(text: &str) -> Result<Override, String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok(Override::set(key.trim(), value.trim()))
}

/// Whether the error is about a line of the configuration file.
fn is_in_file(error: &ConfigError) -> bool {
    matches!(error.origin, Some(ConfigOrigin::File { .. }))
}

impl Args {
    /// The experiment that the defaults, the file, --set and the flags describe.
    pub(super) fn experiment(&self) -> Result<Experiment, Failure> {
        let text = match &self.config {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?,
        };
        let overrides = self.overrides();
        let experiment = ExperimentConfig::parse(&text, &overrides).and_then(|mut config| {
            if !config.data.is_generated() && config.data.base.is_none() {
                // Without it, the run finds its data from the current directory alone.
                config.data.base = std::env::current_dir().ok();
            }
            waiting("opening the data", || Experiment::new(config))
        });
        experiment.map_err(|error| {
            match (ExperimentConfig::locate(error, &text, &overrides), &self.config) {
                (Error::Config(error), Some(path)) if is_in_file(&error) => {
                    Failure::Usage(format!("{}: {error}", path.display()))
                }
                (error, _) => error.into(),
            }
        })
    }

    /// The values that replace those of the file. A later one replaces an earlier one.
    fn overrides(&self) -> Vec<Override> {
        // The last column: paths and names are never read as numbers.
        let flags = [
            ("--model", "model.kind", &self.model, true),
            ("--dataset", "data.dataset", &self.dataset, true),
            ("--data", "data.dir", &self.data, true),
            ("--task", "data.read.task", &self.task, true),
            ("--series", "data.read.csv.series", &self.series, true),
            ("--delimiter", "data.read.csv.delimiter", &self.delimiter, true),
            ("--loss", "train.loss", &self.loss, true),
            ("--epochs", "train.epochs", &self.epochs, false),
            ("--batch-size", "train.batch_size", &self.batch_size, false),
            ("--hidden-size", "model.hidden_size", &self.hidden_size, false),
            ("--lr", "train.lr", &self.lr, false),
            ("--seed", "seed", &self.seed, false),
            ("--overfit-batches", "train.overfit_batches", &self.overfit_batches, false),
        ];
        let flags = flags.into_iter().filter_map(|(flag, key, text, is_text)| {
            let text = text.as_ref()?;
            let flag = format!("{flag} {text}");
            let create = if is_text { Override::text } else { Override::flag };
            Some(create(flag, key, text.clone()))
        });
        let lists = [
            ("--targets", "data.read.csv.targets", &self.targets),
            ("--features", "data.read.csv.features", &self.features),
        ];
        let lists = lists.into_iter().filter_map(|(flag, key, names)| {
            let names = names.as_ref()?;
            let quoted: Vec<String> = names.split(',').map(quoted).collect();
            let list = format!("[{}]", quoted.join(", "));
            Some(Override::flag(format!("{flag} {names}"), key, list))
        });
        let types = self.types.iter().map(|types| {
            let pairs = types.split(',').map(|pair| {
                let (name, given) = pair.rsplit_once('=').unwrap_or((pair, ""));
                format!("{} = {}", quoted(name), quoted(given))
            });
            let table = format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "));
            Override::flag(format!("--types {types}"), "data.read.csv.types", table)
        });
        self.set.iter().cloned().chain(flags).chain(lists).chain(types).collect()
    }
}

/// Returns a text of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.trim().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_states_the_defaults_of_the_configuration() {
        let config = ExperimentConfig::parse("", &[]).unwrap();
        let train = &config.train;
        let batch_size = train.batch_size.unwrap();
        let command = <Args as clap::Args>::augment_args(clap::Command::new("train"));
        for (option, default) in [
            ("model", "variable".into()),
            ("data", config.data.dir.display().to_string()),
            ("epochs", train.epochs.to_string()),
            ("batch_size", batch_size.to_string()),
            ("hidden_size", config.model.hidden_size.to_string()),
            ("lr", train.lr.to_string()),
            ("seed", config.seed.to_string()),
        ] {
            let argument = command.get_arguments().find(|a| a.get_id() == option).unwrap();
            let help = argument.get_help().unwrap().to_string();
            assert!(help.contains(&format!("[default: {default}]")), "--{option}: {help}");
        }
    }
}
