//! One experiment as one TOML file: defaults, then the file, then single values on top.

use std::path::PathBuf;

use ragged_models::{ModelConfig, ModelKind, RecurrentConfig};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{Error, Result, TrainConfig};

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
}

/// The model, but for the sizes that the data decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// `variable` (packed sequences, the last hidden state) or `fixed` (the last time step).
    pub kind: ModelKind,
    /// H, 1 to 16384. Default 15, the lecture's.
    pub hidden_size: usize,
    /// L, 1 to 64. Default 1.
    pub num_layers: usize,
    /// Whether the gates have biases. Default true.
    pub bias: bool,
    /// Whether a second direction runs from the end. Default false.
    pub bidirectional: bool,
    /// Dropout between layers, 0 to 1. Default 0.
    pub dropout: f64,
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            kind: ModelKind::Variable,
            hidden_size: 15,
            num_layers: 1,
            bias: true,
            bidirectional: false,
            dropout: 0.0,
        }
    }
}

impl ModelSection {
    /// With the sizes of the data.
    pub(crate) fn model(&self, input_size: usize, output_size: usize) -> ModelConfig {
        let layer = RecurrentConfig {
            num_layers: self.num_layers,
            bias: self.bias,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            ..RecurrentConfig::new(input_size, self.hidden_size)
        };
        ModelConfig::new(self.kind, layer, output_size)
    }
}

/// Where the examples come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// `variable-sums`, `fixed-sums`, a data set of the UEA/UCR archive by name, or the path of a
    /// `.ts` file. Default the sums that suit the model.
    pub dataset: String,
    /// The folder in which `NAME_TRAIN.ts` and `NAME_TEST.ts` lie. Default `data`.
    pub dir: PathBuf,
    /// The share of the training examples that is held out for validation, 0 to below 1. Default 0
    /// (for the sums, validation examples are drawn beside). Not for the sums.
    pub valid_fraction: f64,
    /// Whether features are scaled to mean 0 and deviation 1 over the training steps. Default true
    /// for files, false for the sums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardize: Option<bool>,
    /// The sizes of the sums; only for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sums: Option<SumsSection>,
}

impl Default for DataSection {
    fn default() -> Self {
        let (dataset, dir) = (String::new(), "data".into());
        Self { dataset, dir, valid_fraction: 0.0, standardize: None, sums: None }
    }
}

/// The lecture's synthetic data: sequences of standard normal numbers, and their sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SumsSection {
    /// Training examples an epoch. Default 1000.
    pub num_samples: usize,
    /// The length, or for `variable-sums` the longest one. Default 50.
    pub seq_length: usize,
    /// Features of a step. Default 7.
    pub input_size: usize,
    /// Whether each epoch draws its examples anew, as the lecture's data set does. Default true.
    pub redraw: bool,
    /// Examples held out for validation, and as many again for the test. Default 1000.
    pub held_out: usize,
}

impl Default for SumsSection {
    fn default() -> Self {
        Self { num_samples: 1000, seq_length: 50, input_size: 7, redraw: true, held_out: 1000 }
    }
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
        let located = |error: toml::de::Error| {
            let place = error.span().map(|span| line_and_column(text, span.start));
            let place = place.map_or(String::new(), |(l, c)| format!("line {l}, column {c}: "));
            Error::Config(format!("{place}{}", one_line(error.message())))
        };
        // The text alone first, while values still know their line.
        toml::from_str::<Self>(text).map_err(located)?;
        let mut table: Table = toml::from_str(text).map_err(located)?;
        for (key, value) in overrides {
            set(&mut table, key, value)?;
            if key == "data.dataset" {
                // Another data set: the sizes of the file's one do not speak of it.
                table["data"].as_table_mut().map(|data| data.remove("sums"));
            }
        }
        let config: Self = table.try_into().map_err(|error: toml::de::Error| {
            let text = error.to_string();
            let keys: Vec<_> = overrides.iter().map(|(key, _)| key.as_str()).collect();
            Error::Config(format!("in {}: {}", keys.join(", "), one_line(&text)))
        })?;
        config.resolve()
    }

    /// As TOML, which [`parse`](Self::parse) reads back.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a number that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Config(error.to_string()))
    }

    /// Decides what was left open, and checks every value.
    fn resolve(mut self) -> Result<Self> {
        if self.data.dataset.is_empty() {
            self.data.dataset = match self.model.kind {
                ModelKind::Fixed => "fixed-sums".into(),
                ModelKind::Variable => "variable-sums".into(),
            };
        }
        let sums = self.data.is_sums();
        if sums {
            self.data.sums.get_or_insert_default();
        }
        self.data.standardize.get_or_insert(!sums);
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
            return Err(Error::Config(format!("name is {:?}: expected {expected}", self.name)));
        }
        self.train.validate()?;
        at_most("seed", self.seed as usize, 0, i64::MAX as usize)?;
        at_most("model.hidden_size", self.model.hidden_size, 1, 16_384)?;
        at_most("model.num_layers", self.model.num_layers, 1, 64)?;
        fraction("model.dropout", self.model.dropout, (0.0..=1.0).contains(&self.model.dropout))?;
        let valid = self.data.valid_fraction;
        fraction("data.valid_fraction", valid, (0.0..1.0).contains(&valid))?;
        if let Some(sums) = &self.data.sums {
            if !self.data.is_sums() {
                let dataset = &self.data.dataset;
                let message = format!("data.sums is given, but the dataset is {dataset}");
                return Err(Error::Config(message));
            }
            if valid > 0.0 {
                let message = "data.valid_fraction is given, but data.sums.held_out decides";
                return Err(Error::Config(message.into()));
            }
            at_most("data.sums.num_samples", sums.num_samples, 1, 1_000_000_000)?;
            at_most("data.sums.seq_length", sums.seq_length, 1, 1_000_000)?;
            at_most("data.sums.input_size", sums.input_size, 1, 16_384)?;
            at_most("data.sums.held_out", sums.held_out, 2, 1_000_000_000)?;
            let batch = self.train.batch_size.saturating_mul(sums.seq_length * sums.input_size);
            at_most("train.batch_size x seq_length x input_size", batch, 1, 1 << 31)?;
        }
        Ok(())
    }
}

impl DataSection {
    /// Whether the examples are generated.
    pub(crate) fn is_sums(&self) -> bool {
        matches!(self.dataset.as_str(), "variable-sums" | "fixed-sums")
    }
}

fn at_most(key: &str, got: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(Error::Config(format!("{key} is {got}: expected {least} to {most}")))
}

fn fraction(key: &str, got: f64, ok: bool) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::Config(format!("{key} is {got}: expected a number from 0 to 1")))
}

/// Sets `section.key` in a table, making the sections on the way.
fn set(table: &mut Table, key: &str, value: &str) -> Result<()> {
    let bad = |why: &str| Error::Config(format!("{key}={value}: {why}"));
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

/// 1-based line and column of a byte offset.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
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
        assert_eq!((config.train.lr, config.data.standardize), (1e-3, Some(true)));
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
        check("", &[("data.valid_fraction", "0.5")], &["data.sums.held_out decides"]);
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
