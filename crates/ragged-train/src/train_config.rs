//! How long and how to train.

use ragged_datasets::{Batching, OverLong};
use serde::{Deserialize, Serialize};

use crate::{EarlyStopping, Error, Monitor, OptimizerConfig, ParameterGroup, Result, Schedule};

/// How long and how to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training data; at least 1. Default 200.
    pub epochs: usize,
    /// Sequences in a batch; at least 1. Default 64, where `max_tokens` does not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// In place of `batch_size`: as many sequences as have so many real steps together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Batches that make one update, weighted as if they were one; at least 1. Default 1.
    pub accumulate: usize,
    /// Truncated backpropagation through time: an update after every so many steps of the series of
    /// a batch, each series followed by the next one in its place; 0 for whole series. Default 0.
    pub bptt_steps: usize,
    /// The learning rate; above 0. Default 0.01.
    pub lr: f64,
    /// The largest norm of all gradients together, 0 for no limit. Default 1.
    pub clip_grad_norm: f64,
    /// The largest absolute value in a gradient, 0 for no limit. Default 0.
    pub clip_grad_value: f64,
    /// How slowly an average of the weights follows them, to be used in their place; 0 for none.
    /// Default 0.
    pub ema_decay: f64,
    /// The metric that finds the best epoch. Default loss.
    pub monitor: Monitor,
    /// Train on the first so many batches alone, over and over; 0 for all. Default 0.
    pub overfit_batches: usize,
    /// When to stop before the last epoch. Default never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// The learning rate's course. Default one cosine.
    pub schedule: Schedule,
    /// The update rule. Default Adam.
    pub optimizer: OptimizerConfig,
    /// Parameters that are updated in their own way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ParameterGroup>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch_size: None,
            max_tokens: None,
            accumulate: 1,
            bptt_steps: 0,
            lr: 0.01,
            clip_grad_norm: 1.0,
            clip_grad_value: 0.0,
            ema_decay: 0.0,
            monitor: Monitor::default(),
            overfit_batches: 0,
            early_stopping: None,
            schedule: Schedule::default(),
            optimizer: OptimizerConfig::default(),
            groups: vec![],
        }
    }
}

impl TrainConfig {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        let check = |name: &str, got: f64, ok: bool, expected: &str| match ok {
            true => Ok(()),
            false => Err(Error::config(format!("train.{name}"), got, expected)),
        };
        for (name, got) in [
            ("epochs", Some(self.epochs)),
            ("batch_size", self.batch_size),
            ("max_tokens", self.max_tokens),
            ("accumulate", Some(self.accumulate)),
        ] {
            let got = got.unwrap_or(1);
            check(name, got as f64, (1..=1_000_000).contains(&got), "1 to 1000000")?;
        }
        if let (Some(size), Some(tokens)) = (self.batch_size, self.max_tokens) {
            let message = format!(
                "train.max_tokens is {tokens}, but train.batch_size is {size}: expected one of the two"
            );
            return Err(Error::contradiction("train.max_tokens", message));
        }
        if self.bptt_steps > 0 {
            let with = [
                ("accumulate", self.accumulate > 1),
                ("max_tokens", self.max_tokens.is_some()),
                ("overfit_batches", self.overfit_batches > 0),
            ];
            if let Some((other, _)) = with.iter().find(|(_, given)| *given) {
                let message =
                    format!("train.bptt_steps and train.{other}: expected one of the two");
                return Err(Error::contradiction("train.bptt_steps", message));
            }
        }
        check("lr", self.lr, self.lr > 0.0 && self.lr.is_finite(), "a number above 0")?;
        for (name, got) in
            [("clip_grad_norm", self.clip_grad_norm), ("clip_grad_value", self.clip_grad_value)]
        {
            check(name, got, (0.0..f64::INFINITY).contains(&got), "a number of at least 0")?;
        }
        check("ema_decay", self.ema_decay, (0.0..1.0).contains(&self.ema_decay), "0 to below 1")?;
        self.early_stopping.as_ref().map_or(Ok(()), EarlyStopping::validate)?;
        self.schedule.validate()?;
        self.groups.iter().try_for_each(ParameterGroup::validate)?;
        let cycles = matches!(self.schedule, Schedule::OneCycle { momentum: Some(_), .. });
        if cycles && self.optimizer.momentum() == 0.0 {
            let message = "train.schedule.momentum is given, but the optimiser has no momentum";
            return Err(Error::contradiction("train.schedule.momentum", message));
        }
        self.optimizer.validate()
    }

    /// How the examples become batches.
    pub fn batching(&self) -> Batching {
        match (self.max_tokens, self.batch_size) {
            (Some(max_tokens), _) => Batching::Tokens { max_tokens, over_long: OverLong::Alone },
            (None, size) => Batching::Sequences(size.unwrap_or(64)),
        }
    }

    /// Updates of the whole run, for epochs of so many batches.
    pub fn steps(&self, batches: usize) -> usize {
        let overfit = if self.overfit_batches > 0 { self.overfit_batches } else { batches };
        overfit.min(batches).div_ceil(self.accumulate.max(1)) * self.epochs
    }
}
