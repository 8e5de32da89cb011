//! One experiment as one TOML file: defaults, then the file, then single values on top.

mod place;
mod sections;

use ragged_datasets::TargetKind;
use ragged_datasets::transforms::TransformConfig;
use ragged_models::{ModelConfig, ModelKind};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use sections::{
    CheckpointSection, DataSection, ModelSection, Order, SumsSection, SyntheticSection,
};

use crate::{Error, Result, TrainConfig};
use place::{line_and_column, place_of};

/// Everything that decides a run: the same configuration trains the same bits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentConfig {
    /// The folder of the runs. Default the name of the dataset.
    pub name: String,
    /// Where all randomness comes from. Default 0.
    pub seed: u64,
    /// What is trained.
    pub model: ModelSection,
    /// What it is trained on.
    pub data: DataSection,
    /// How it is trained.
    pub train: TrainConfig,
    /// When checkpoints are written.
    pub checkpoint: CheckpointSection,
}

impl ExperimentConfig {
    /// Reads a configuration: `text` is TOML, `overrides` are `section.key` and its value on top.
    ///
    /// A value is read as TOML, and as plain text where it is none: `data.dataset=fixed-sums`
    /// needs no quotes. The result is resolved: nothing in it is left to be decided.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] in one line: with line and column of `text`, or with the override's key.
    pub fn parse(text: &str, overrides: &[(String, String)]) -> Result<Self> {
        let located = |error: toml::de::Error| Error::Config {
            key: String::new(),
            message: one_line(error.message()),
            place: error.span().map(|span| line_and_column(text, span.start)),
        };
        // The text alone first, while values still know their line.
        toml::from_str::<Self>(text).map_err(located)?;
        let mut table: Table = toml::from_str(text).map_err(located)?;
        for (key, value) in overrides {
            set(&mut table, key, value)?;
            if key == "data.dataset" {
                // Another data set: the sizes of the file's one do not speak of it.
                for sizes in ["sums", "synthetic"] {
                    table["data"].as_table_mut().map(|data| data.remove(sizes));
                }
            }
        }
        let config: Self = table.try_into().map_err(|error: toml::de::Error| {
            let text = error.to_string();
            let keys: Vec<_> = overrides.iter().map(|(key, _)| key.as_str()).collect();
            let key = keys.join(", ");
            Error::contradiction(&key, format!("in {key}: {}", one_line(&text)))
        })?;
        config.resolve().map_err(|error| Self::locate(error, text, overrides))
    }

    /// Adds line and column to an error about a value that stands in `text`. One that came on top
    /// keeps its key alone.
    ///
    /// For errors that come up later than [`parse`](Self::parse), when the data is known.
    pub fn locate(error: Error, text: &str, overrides: &[(String, String)]) -> Error {
        match error {
            Error::Config { key, message, place: None }
                if !overrides.iter().any(|(k, _)| *k == key) =>
            {
                let place = place_of(text, &key);
                Error::Config { key, message, place }
            }
            other => other,
        }
    }

    /// As TOML, which [`parse`](Self::parse) reads back.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a number that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::contradiction("", error.to_string()))
    }

    /// Whether something is held out for validation. Who trains on a few batches over and over has
    /// nothing to validate.
    pub(crate) fn validates(&self) -> bool {
        let held_out = self.data.is_generated() || self.data.valid_fraction > 0.0;
        held_out && self.train.overfit_batches == 0
    }

    /// The model for data of these features and targets.
    pub(crate) fn model_config(&self, features: usize, targets: &TargetKind) -> ModelConfig {
        let steps = matches!(targets, TargetKind::StepClasses(_) | TargetKind::StepValues(_));
        self.model.model(features, targets.outputs(), steps)
    }

    /// Decides what was left open, and checks every value.
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
        let usual =
            if self.data.is_generated() { vec![] } else { vec![TransformConfig::Standardize] };
        self.data.transforms.get_or_insert(usual);
        if self.train.max_tokens.is_none() {
            self.train.batch_size.get_or_insert(64);
        }
        if self.name.is_empty() {
            let dataset = std::path::Path::new(&self.data.dataset);
            self.name = dataset.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        }
        self.validate()?;
        Ok(self)
    }

    fn validate(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !self.name.chars().all(plain) || self.name.starts_with('.') {
            let expected = "letters, digits, `-`, `_` and `.`, as for a folder";
            return Err(Error::config("name", format!("{:?}", self.name), expected));
        }
        self.train.validate()?;
        at_most("data.workers", self.data.workers, 0, 256)?;
        at_most("checkpoint.keep", self.checkpoint.keep, 1, 1000)?;
        let minutes = self.checkpoint.every_minutes;
        if !(0.0..f64::INFINITY).contains(&minutes) {
            return Err(Error::config("checkpoint.every_minutes", minutes, "at least 0"));
        }
        at_most("seed", self.seed as usize, 0, i64::MAX as usize)?;
        at_most("model.hidden_size", self.model.hidden_size, 1, 16_384)?;
        at_most("model.num_layers", self.model.num_layers, 1, 64)?;
        fraction("model.dropout", self.model.dropout, (0.0..=1.0).contains(&self.model.dropout))?;
        let valid = self.data.valid_fraction;
        fraction("data.valid_fraction", valid, (0.0..1.0).contains(&valid))?;
        self.data.augment.check()?;
        if self.data.is_generated() && valid > 0.0 {
            let message = "data.valid_fraction is given, but held_out decides for generated data";
            return Err(Error::contradiction("data.valid_fraction", message));
        }
        let (name, given) = (self.data.dataset.as_str(), self.data.synthetic.as_ref());
        if (name == "synthetic") != given.is_some() {
            let message = match given {
                Some(_) => format!("data.synthetic is given, but the dataset is {name}"),
                None => "data.dataset is synthetic: expected a section data.synthetic".into(),
            };
            return Err(Error::contradiction("data.synthetic", message));
        }
        if let Some(synthetic) = given {
            at_most("data.synthetic.held_out", synthetic.held_out, 2, 1 << 28)?;
        }
        if let Some(sums) = &self.data.sums {
            if !self.data.is_sums() {
                let dataset = &self.data.dataset;
                let message = format!("data.sums is given, but the dataset is {dataset}");
                return Err(Error::contradiction("data.sums", message));
            }
            at_most("data.sums.num_samples", sums.num_samples, 1, 1_000_000_000)?;
            at_most("data.sums.seq_length", sums.seq_length, 1, 1_000_000)?;
            at_most("data.sums.input_size", sums.input_size, 1, 16_384)?;
            at_most("data.sums.held_out", sums.held_out, 2, 1_000_000_000)?;
            let size = self.train.batch_size.unwrap_or(1);
            let batch = size.saturating_mul(sums.seq_length * sums.input_size);
            at_most("train.batch_size x seq_length x input_size", batch, 1, 1 << 31)?;
        }
        Ok(())
    }
}

fn at_most(key: &str, got: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(Error::config(key, got, &format!("{least} to {most}")))
}

fn fraction(key: &str, got: f64, ok: bool) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::config(key, got, "a number from 0 to 1"))
}

/// Sets `section.key` in a table, making the sections on the way.
fn set(table: &mut Table, key: &str, value: &str) -> Result<()> {
    let bad = |why: &str| Error::contradiction(key, format!("{key}={value}: {why}"));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().filter(|last| !last.is_empty()).ok_or_else(|| bad("no key"))?;
    let mut section = table;
    for part in parts {
        let entry = section.entry(part).or_insert_with(|| Value::Table(Table::new()));
        section = entry.as_table_mut().ok_or_else(|| bad(&format!("{part} is no section")))?;
    }
    let parsed = toml::from_str::<Table>(&format!("value = {value}")).ok();
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut t| t.remove("value"));
    section.insert(last.into(), parsed.unwrap_or_else(|| Value::String(value.into())));
    Ok(())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, overrides: &[(&str, &str)]) -> Result<ExperimentConfig> {
        let overrides = overrides.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        ExperimentConfig::parse(text, &overrides.collect::<Vec<_>>())
    }

    #[test]
    fn the_default_is_the_lectures_variable_length_experiment() {
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
    fn what_is_wrong_is_said_in_one_line() {
        #[track_caller]
        fn check(text: &str, overrides: &[(&str, &str)], parts: &[&str]) {
            let error = parse(text, overrides).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
            for part in parts {
                assert!(error.contains(part), "{error:?} lacks {part:?}");
            }
        }
        check(
            "seed = 1\n[train]\n epoch = 3\n",
            &[],
            &["line 3, column 2", "unknown field `epoch`"],
        );
        check("seed = ", &[], &["line 1, column"]);
        check("[model]\nkind = \"both\"", &[], &["line 2, column 8", "unknown variant `both`"]);
        check("", &[("train.epoch", "3")], &["train.epoch", "unknown field `epoch`"]);
        check("seed = 1", &[("seed.x", "3")], &["seed.x=3: seed is no section"]);
        check("", &[("train.epochs", "0")], &["train.epochs is 0: expected 1 to 1000000"]);
        check("", &[("train.epochs", "-1")], &["train.epochs", "-1"]);
        check("", &[("train.lr", "nan")], &["train.lr is NaN"]);
        check("", &[("train.batch_size", "0")], &["train.batch_size is 0"]);
        check("", &[("model.hidden_size", "99999999")], &["model.hidden_size is 99999999"]);
        check("", &[("model.hidden_size", "0")], &["model.hidden_size is 0"]);
        check("", &[("model.dropout", "2")], &["model.dropout is 2"]);
        check("", &[("data.valid_fraction", "1")], &["data.valid_fraction is 1"]);
        check("", &[("data.valid_fraction", "0.5")], &["held_out decides"]);
        check("", &[("data.sums.seq_length", "9999999")], &["data.sums.seq_length is 9999999"]);
        check("name = \"../x\"", &[], &["name is \"../x\""]);
        let both = [("data.dataset", "x.ts"), ("data.sums.num_samples", "3")];
        check("", &both, &["data.sums is given, but the dataset is x.ts"]);
    }

    #[test]
    fn another_dataset_leaves_the_sizes_of_the_files_one_behind() {
        let text = "[data]\ndataset = \"fixed-sums\"\nsums = { num_samples = 3 }\n";
        let config = parse(text, &[("data.dataset", "x.ts")]).unwrap();
        assert_eq!((config.data.sums, config.name.as_str()), (None, "x"));
    }
}
