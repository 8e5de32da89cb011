//! A whole experiment as one TOML file: defaults, then the file, then single values that override it.

use std::collections::BTreeMap;

use ragged_datasets::TargetKind;
use ragged_datasets::tokens::TokenEncoder;
use ragged_datasets::transforms::TransformConfig;
use ragged_models::{ModelConfig, ModelKind};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::config::deserialize::deserialize;
use crate::config::error::{ConfigError, ConfigOrigin, ConfigProblem};
use crate::config::overrides::Override;
use crate::config::run_name::run_name;
use crate::config::sections::{CheckpointSection, DataSection, ModelSection};
use crate::config::span::{key_position, line_and_column, value_position};
use crate::error::{Error, Result};
use crate::fit::train_config::TrainConfig;

/// Everything that determines a run: the same configuration trains the same parameters, bit for bit.
///
/// ```
/// use ragged_train::ExperimentConfig;
/// use ragged_train::config::Override;
///
/// let text = "seed = 3\n[train]\nepochs = 50\n";
/// let config = ExperimentConfig::parse(text, &[Override::set("train.lr", "1e-3")])?;
/// assert_eq!((config.seed, config.train.epochs, config.train.lr), (3, 50, 1e-3));
/// // Everything else has its default, and the result reads back as itself.
/// assert_eq!(config.data.dataset, "variable-sums");
/// assert_eq!(ExperimentConfig::parse(&config.to_toml()?, &[])?, config);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentConfig {
    /// The directory of the runs. Default the name of the dataset.
    pub name: String,
    /// The seed from which everything random derives. Default 0.
    pub seed: u64,
    /// The model.
    pub model: ModelSection,
    /// The data.
    pub data: DataSection,
    /// How long and how to train.
    pub train: TrainConfig,
    /// When checkpoints are written.
    pub checkpoint: CheckpointSection,
}

impl ExperimentConfig {
    /// Reads a configuration from TOML and applies overrides, the last of which wins.
    ///
    /// The result is resolved: it contains every value that was left to a default.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the key and where it was written: line and column of `text`, or the flag
    /// of the override.
    pub fn parse(text: &str, overrides: &[Override]) -> Result<Self> {
        let syntax = |error: toml::de::Error| {
            let position = error.span().map(|span| line_and_column(text, span.start));
            ConfigError {
                key: String::new(),
                problem: ConfigProblem::Syntax(one_line(error.message())),
                origin: position.map(|(line, column)| ConfigOrigin::File { line, column }),
            }
        };
        let mut table: Table = toml::from_str(text).map_err(syntax)?;
        // The file alone first: no flag is to blame for what is wrong in it.
        deserialize::<Self>(&table).map_err(|error| Self::locate(error.into(), text, &[]))?;
        for change in overrides {
            change.apply(&mut table)?;
            if change.key == "data.dataset" {
                // The sizes in the file belong to the dataset in the file.
                for sizes in ["sums", "synthetic"] {
                    table["data"].as_table_mut().map(|data| data.remove(sizes));
                }
            }
        }
        let parsed = loop {
            let error = match deserialize::<Self>(&table) {
                Err(error) if error.expects_text() => error,
                result => break result,
            };
            // The type of the key decides: `--set name=2024` is a text. As a text it has the right type, so
            // that this ends.
            let last = overrides.iter().rev().find(|change| change.key == error.key);
            match last.filter(|change| change.is_scalar()) {
                Some(change) => change.apply_as_text(&mut table)?,
                None => break Err(error),
            }
        };
        let resolved = parsed.map_err(Error::from).and_then(Self::resolve);
        resolved.map_err(|error| Self::locate(error, text, overrides))
    }

    /// Adds to an error where its key was written: the flag of an override, or line and column of
    /// `text`. An error about a default, or one that has an origin, is returned as it is.
    ///
    /// [`parse`](Self::parse) does this itself. Call it for errors of
    /// [`Experiment::new`](crate::Experiment::new), which depend on the data.
    pub fn locate(error: Error, text: &str, overrides: &[Override]) -> Error {
        let Error::Config(ConfigError { key, problem, origin: None }) = error else {
            return error;
        };
        let flag = overrides.iter().rev().find(|change| change.concerns(&key));
        let position = match problem {
            ConfigProblem::UnknownKey { .. } => key_position(text, &key),
            _ => value_position(text, &key),
        };
        let origin = match flag {
            Some(change) => Some(ConfigOrigin::Flag(change.flag.clone())),
            None => position.map(|(line, column)| ConfigOrigin::File { line, column }),
        };
        ConfigError { key, problem, origin }.into()
    }

    /// Returns the configuration as TOML, which [`parse`](Self::parse) reads back.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a number that TOML cannot represent.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(not_written)
    }

    /// Returns all values that are set, as TOML, by their full keys.
    ///
    /// # Errors
    ///
    /// As [`to_toml`](Self::to_toml).
    ///
    /// ```
    /// use ragged_train::ExperimentConfig;
    ///
    /// let values = ExperimentConfig::parse("[train]\nlr = 0.5\n", &[])?.values()?;
    /// assert_eq!(values["train.lr"], "0.5");
    /// # Ok::<(), ragged_train::Error>(())
    /// ```
    pub fn values(&self) -> Result<BTreeMap<String, String>> {
        let mut values = BTreeMap::new();
        flatten("", &toml::Table::try_from(self).map_err(not_written)?, &mut values);
        Ok(values)
    }

    /// Returns whether there are validation data. There are none where a few batches are to be
    /// overfitted.
    pub(crate) fn validates(&self) -> bool {
        let given = self.data.valid_fraction > 0.0 || self.data.valid.is_some();
        let held_out = self.data.generates_held_out() || given;
        held_out && self.train.overfit_batches == 0
    }

    /// Returns the configuration of the model for data with these features, vocabularies and targets, and with this
    /// number of outputs.
    pub(crate) fn model_config(
        &self,
        features: usize,
        encoder: &TokenEncoder,
        targets: &TargetKind,
        num_outputs: usize,
    ) -> ModelConfig {
        self.model.model(features, encoder, targets, num_outputs)
    }

    /// Fills in the defaults that depend on other values, and checks every value.
    fn resolve(mut self) -> Result<Self> {
        if self.data.dataset.is_empty() {
            self.data.dataset = match (&self.data.synthetic, self.model.kind) {
                (Some(_), _) => "synthetic".into(),
                (None, ModelKind::Fixed) => "fixed-sums".into(),
                (None, ModelKind::Variable) => "variable-sums".into(),
            };
        }
        let sums = self.data.is_sums();
        if sums {
            self.data.sums.get_or_insert_default();
        }
        self.data.read.parts = !self.train.heads.is_empty() && self.data.forecast.is_none();
        let usual = match (&self.data.forecast, self.data.is_generated()) {
            (Some(_), _) => vec![TransformConfig::Standardize, TransformConfig::MeanFill],
            (None, true) => vec![],
            (None, false) => vec![TransformConfig::Standardize],
        };
        self.data.transforms.get_or_insert(usual);
        if self.train.max_tokens.is_none() && self.data.is_generated() {
            // That for files depends on their number of sequences.
            self.train.batch_size.get_or_insert(64);
        }
        if self.name.is_empty() {
            self.name = run_name(&self.data.dataset);
        }
        self.validate()?;
        Ok(self)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Adds the values of a table under their full keys.
fn flatten(prefix: &str, table: &toml::Table, into: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(table) => flatten(&format!("{key}."), table, into),
            value => drop(into.insert(key, value.to_string())),
        }
    }
}

/// The error of a value that TOML cannot represent.
fn not_written(error: toml::ser::Error) -> Error {
    let problem = ConfigProblem::Syntax(one_line(&error.to_string()));
    ConfigError { key: String::new(), problem, origin: None }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, overrides: &[(&str, &str)]) -> Result<ExperimentConfig> {
        let overrides = overrides.iter().map(|&(key, value)| Override::set(key, value));
        ExperimentConfig::parse(text, &overrides.collect::<Vec<_>>())
    }

    #[test]
    fn the_default_is_the_variable_length_experiment_of_the_lecture() {
        let config = parse("", &[]).unwrap();
        assert_eq!((config.name.as_str(), config.model.hidden_size), ("variable-sums", 15));
        let sums = config.data.sums.as_ref().unwrap();
        assert_eq!((sums.num_samples, sums.seq_length, sums.input_size), (1000, 50, 7));
        let fixed = parse("", &[("model.kind", "fixed")]).unwrap();
        assert_eq!(fixed.data.dataset, "fixed-sums");
    }

    #[test]
    fn a_resolved_configuration_reads_back_as_itself() {
        let text = "seed = 3\n[train]\nclip_grad_norm = 1\noptimizer = { name = \"adamw\" }\n";
        let config =
            parse(text, &[("data.dataset", "JapaneseVowels"), ("train.lr", "1e-3")]).unwrap();
        assert_eq!(
            (config.train.lr, &config.data.transforms),
            (1e-3, &Some(vec![TransformConfig::Standardize]))
        );
        assert_eq!(parse(&config.to_toml().unwrap(), &[]).unwrap(), config);
    }

    #[test]
    fn an_error_is_one_line_and_blames_the_key_where_it_was_written() {
        #[track_caller]
        fn check(text: &str, overrides: &[(&str, &str)], message: &str) {
            let error = parse(text, overrides).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
            assert!(error.starts_with(message), "{error:?} is not {message:?}");
        }
        // In the file.
        let text = "seed = 1\n[train]\n epoch = 3\n";
        let message = "line 3, column 2: unknown key `train.epoch`; did you mean `train.epochs`?";
        check(text, &[], message);
        check(text, &[("seed", "2")], message);
        check("seed = ", &[], "line 1, column");
        let message = "line 2, column 8: model.kind is \"both\": expected `fixed` or `variable`";
        check("[model]\nkind = \"both\"", &[], message);
        let message = "line 2, column 10: train.epochs is 0: expected 1 to 1000000";
        check("[train]\nepochs = 0\n", &[("train.lr", "1")], message);
        check("name = \"../x\"", &[], "line 1, column 8: name is \"../x\": expected");
        // In a flag, whether or not there is a file with the same section.
        let message =
            "--set train.epoch=3: unknown key `train.epoch`; did you mean `train.epochs`?";
        check("", &[("train.epoch", "3")], message);
        check("[train]\nlr = 1\n", &[("seed", "2"), ("train.epoch", "3")], message);
        check("seed = 1", &[("seed.x", "3")], "--set seed.x=3: seed: expected a section, got 1");
        check("", &[("", "3")], "--set =3: expected a key");
        let message = "--set train.epochs=0: train.epochs is 0: expected 1 to 1000000";
        check("[train]\nepochs = 2\n", &[("train.epochs", "0")], message);
        let message = "--set train.epochs=many: train.epochs: expected a whole number of at least 0, \
                       got the text \"many\"";
        check("", &[("train.epochs", "many")], message);
        let message = "--set train.schedule={ name = \"step\" }: missing key \
                       `train.schedule.step_size`";
        check("", &[("train.schedule", "{ name = \"step\" }")], message);
        let message = "--set train.optimizer.name=sgdd: train.optimizer.name is \"sgdd\": expected";
        check("", &[("train.optimizer.name", "sgdd")], message);
        check("", &[("train.lr", "nan")], "--set train.lr=nan: train.lr is NaN: expected");
        for (key, value) in [
            ("train.batch_size", "0"),
            ("model.hidden_size", "99999999"),
            ("model.hidden_size", "0"),
            ("model.dropout", "2"),
            ("data.valid_fraction", "1"),
            ("data.sums.seq_length", "9999999"),
        ] {
            check("", &[(key, value)], &format!("--set {key}={value}: {key} is {value}: expected"));
        }
        let message = "--set data.valid_fraction=0.5: data.valid_fraction is given, but";
        check("", &[("data.valid_fraction", "0.5")], message);
        let both = [("data.dataset", "x.ts"), ("data.sums.num_samples", "3")];
        let message = "--set data.sums.num_samples=3: data.sums is given, but the dataset is x.ts";
        check("", &both, message);
    }

    #[test]
    fn another_flag_than_set_is_quoted_as_it_was_typed() {
        let flags = [Override::flag("--epochs many", "train.epochs", "many")];
        let error = ExperimentConfig::parse("", &flags).unwrap_err().to_string();
        assert!(
            error.starts_with("--epochs many: train.epochs: expected a whole number"),
            "{error}"
        );
    }

    #[test]
    fn another_dataset_drops_the_sizes_in_the_file() {
        let text = "[data]\ndataset = \"fixed-sums\"\nsums = { num_samples = 3 }\n";
        let config = parse(text, &[("data.dataset", "x.ts")]).unwrap();
        assert_eq!((config.data.sums, config.name.as_str()), (None, "x"));
    }
}
