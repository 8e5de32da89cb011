//! The checks of a resolved configuration.

use ragged_datasets::tokens::{TokenizerFile, VocabularyConfig};

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::config::run_name::is_plain;
use crate::config::sections::Order;
use crate::error::Result;

impl ExperimentConfig {
    /// Checks every value, and that no two contradict each other.
    pub(super) fn validate(&self) -> Result<()> {
        if !self.name.chars().all(is_plain) || self.name.starts_with('.') {
            let expected = "a directory name of letters, digits, `-`, `_` and `.`";
            return Err(ConfigError::range("name", format!("{:?}", self.name), expected).into());
        }
        self.train.validate()?;
        at_most("data.workers", self.data.workers, 0, 256)?;
        at_most("checkpoint.keep", self.checkpoint.keep, 1, 1000)?;
        let minutes = self.checkpoint.every_minutes;
        if !(0.0..f64::INFINITY).contains(&minutes) {
            let key = "checkpoint.every_minutes";
            return Err(ConfigError::range(key, minutes, "at least 0").into());
        }
        at_most("seed", self.seed as usize, 0, i64::MAX as usize)?;
        at_most("model.hidden_size", self.model.hidden_size, 1, 16_384)?;
        at_most("model.num_layers", self.model.num_layers, 1, 64)?;
        fraction("model.dropout", self.model.dropout, (0.0..=1.0).contains(&self.model.dropout))?;
        let valid = self.data.valid_fraction;
        fraction("data.valid_fraction", valid, (0.0..1.0).contains(&valid))?;
        self.data.augment.check()?;
        at_most("data.block_size", self.data.block_size, 1, 1 << 30)?;
        at_most("data.block_buffer", self.data.block_buffer, 1, 1 << 30)?;
        at_most("data.cache_mb", self.data.cache_mb, 1, 1 << 20)?;
        self.validate_stream()?;
        if self.data.generates_held_out() && valid > 0.0 {
            let message = "data.valid_fraction is given, but validation data are generated too: expected \
                           held_out instead";
            return Err(ConfigError::conflict("data.valid_fraction", message).into());
        }
        if let Some(path) =
            self.data.valid.as_ref().filter(|_| self.data.is_generated() || valid > 0.0)
        {
            let other =
                if valid > 0.0 { "data.valid_fraction is given" } else { "they are generated" };
            let message =
                format!("data.valid is {}, but {other}: expected one of them", path.display());
            return Err(ConfigError::conflict("data.valid", message).into());
        }
        if self.model.crf_constraints.is_some() && !self.model.crf {
            let message = "model.crf_constraints is given, but model.crf is false: expected true";
            return Err(ConfigError::conflict("model.crf_constraints", message).into());
        }
        self.validate_tokens()?;
        self.validate_forecast()?;
        let (name, given) = (self.data.dataset.as_str(), self.data.synthetic.as_ref());
        if (name == "synthetic") != given.is_some() {
            let message = match given {
                Some(_) => format!("data.synthetic is given, but the dataset is {name}"),
                None => "data.dataset is synthetic: expected a section data.synthetic".into(),
            };
            return Err(ConfigError::conflict("data.synthetic", message).into());
        }
        if let Some(synthetic) = given {
            at_most("data.synthetic.held_out", synthetic.held_out, 2, 1 << 28)?;
        }
        if let Some(sums) = &self.data.sums {
            if !self.data.is_sums() {
                let dataset = &self.data.dataset;
                let message = format!("data.sums is given, but the dataset is {dataset}");
                return Err(ConfigError::conflict("data.sums", message).into());
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

    /// Checks that what is streamed is read in an order for it.
    fn validate_stream(&self) -> Result<()> {
        let refuse = |why: &str| -> Result<()> {
            let message = format!("data.stream is true, but {why}");
            Err(ConfigError::conflict("data.stream", message).into())
        };
        match &self.data {
            data if !data.stream => Ok(()),
            data if data.is_generated() => refuse("the data are generated: expected false"),
            data if data.forecast.is_some() => {
                refuse("forecasts need whole series in memory: expected false")
            }
            data if data.order != Order::Blocks => refuse(
                "other orders would read each block for every example: expected data.order = \"blocks\"",
            ),
            _ => Ok(()),
        }
    }

    /// Checks the sections about tokens.
    fn validate_tokens(&self) -> Result<()> {
        if let Some(embedding) = &self.model.embedding {
            at_most("model.embedding.size", embedding.size, 1, 16_384)?;
            for (key, p) in [
                ("model.embedding.dropout", embedding.dropout),
                ("model.embedding.word_dropout", embedding.word_dropout),
            ] {
                fraction(key, p, (0.0..=1.0).contains(&p))?;
            }
        }
        if let Some(characters) = &self.model.characters {
            at_most("model.characters.embedding_size", characters.embedding_size, 1, 16_384)?;
            at_most("model.characters.hidden_size", characters.hidden_size, 1, 16_384)?;
        }
        at_most("model.static_size", self.model.static_size.unwrap_or(1), 1, 16384)?;
        self.validate_tokenizer()?;
        let vocabulary = &self.data.vocabulary;
        at_most("data.vocabulary.min_freq", vocabulary.min_freq as usize, 1, u32::MAX as usize)?;
        let most = u32::MAX as usize;
        at_most("data.vocabulary.max_size", vocabulary.max_size.unwrap_or(1), 1, most)
    }

    /// Checks that a tokenizer's file can be read and that nothing contradicts it.
    fn validate_tokenizer(&self) -> Result<()> {
        let (read, key) = (&self.data.read, "data.read.tokenizer");
        let Some(path) = read.tokenizer.path() else {
            if read.special_tokens {
                let message = format!(
                    "data.read.special_tokens is true, but {key} is no tokenizer.json file"
                );
                return Err(ConfigError::conflict("data.read.special_tokens", message).into());
            }
            return Ok(());
        };
        let path = path.display();
        if !TokenizerFile::IS_AVAILABLE {
            let message = format!(
                "{key} is {path}, but this build lacks the feature `tokenizers`, which reads such files: expected a \
                 build with it (--features tokenizers), or words, white-space, characters or bytes"
            );
            return Err(ConfigError::conflict(key, message).into());
        }
        let VocabularyConfig { lowercase, min_freq, max_size } = self.data.vocabulary;
        let given = [
            ("data.vocabulary.lowercase", lowercase),
            ("data.vocabulary.min_freq", min_freq != 1),
            ("data.vocabulary.max_size", max_size.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => {
                let message = format!(
                    "{option} is given, but {key} is {path}, which has a vocabulary of its own: expected none"
                );
                Err(ConfigError::conflict(option, message).into())
            }
        }
    }
}

fn at_most(key: &str, got: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(ConfigError::range(key, got, &format!("{least} to {most}")).into())
}

fn fraction(key: &str, got: f64, ok: bool) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(ConfigError::range(key, got, "a number from 0 to 1").into())
}
