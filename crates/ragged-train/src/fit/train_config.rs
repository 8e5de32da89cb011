//! The `[train]` section of a configuration: how long and how to train.

use std::collections::BTreeMap;

use ragged_datasets::{Batching, Oversize};
use ragged_models::Recompute;
use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::config::head_section::HeadSection;
use crate::error::Result;
use crate::fit::early_stopping::EarlyStopping;
use crate::objective::class_weights::ClassWeights;
use crate::objective::criterion::{Criterion, name_or_table};
use crate::objective::monitor::Monitor;
use crate::optim::optimizer_config::OptimizerConfig;
use crate::optim::parameter_group::ParameterGroup;
use crate::optim::schedule::Schedule;

/// How long and how to train.
///
/// ```
/// use ragged_train::TrainConfig;
///
/// let config = TrainConfig { epochs: 50, lr: 0.001, ..Default::default() };
/// config.validate()?;
/// // One update per batch.
/// assert_eq!(config.steps(16), 50 * 16);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// The number of passes over the training data; at least 1. Default 200.
    pub epochs: usize,
    /// Sequences per batch; at least 1. Default 64, unless `max_tokens` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Instead of `batch_size`: the largest number of real time steps per batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Batches per update, weighted as if they were one batch; at least 1. Default 1.
    pub accumulate: usize,
    /// The parts into which each batch is cut, whose gradients are computed alone and added along a binary tree: a power
    /// of two up to 65536. As many processes as divide it can share the work ([`distributed`](crate::distributed)); the
    /// results are those of one process. Default 1.
    pub shards: usize,
    /// Truncated backpropagation through time: the steps of each series between two updates. When a
    /// series ends, the next one takes its place in the batch. 0 for whole series. Default 0.
    pub bptt_steps: usize,
    /// For sequences whose activations do not fit into memory: the time steps of which the activations are in memory
    /// at once, or `auto`. It takes more time, and changes no result. Default all steps. An
    /// [`Experiment`](crate::Experiment) builds its model accordingly; other programs call
    /// [`Model::with_recompute`](ragged_models::Model::with_recompute).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recompute: Option<Recompute>,
    /// The learning rate; above 0. Default 0.01.
    pub lr: f64,
    /// The largest norm of all gradients together; 0 for no limit. Default 1.
    pub clip_grad_norm: f64,
    /// The largest absolute value of a gradient element; 0 for no limit. Default 0.
    pub clip_grad_value: f64,
    /// The decay of an exponential moving average of the weights, which evaluations and predictions
    /// use instead of the weights; 0 for none. Default 0.
    pub ema_decay: f64,
    /// The loss to minimise. Default cross-entropy for classes and the mean squared error for values.
    #[serde(deserialize_with = "name_or_table", skip_serializing_if = "Option::is_none")]
    pub loss: Option<Criterion>,
    /// The weights of the classes in cross-entropy. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// The heads of a model for several targets, by the names of the targets; a target without a section has the
    /// defaults. Default none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub heads: BTreeMap<String, HeadSection>,
    /// The metric that finds the best epoch. Default loss.
    pub monitor: Monitor,
    /// Train only on the first batches, this many, in every epoch; 0 for all. Default 0.
    pub overfit_batches: usize,
    /// When to stop before the last epoch. Default never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// The schedule of the learning rate. Default one cosine.
    pub schedule: Schedule,
    /// The optimiser. Default Adam.
    pub optimizer: OptimizerConfig,
    /// Parameters with a learning rate or weight decay of their own.
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
            shards: 1,
            bptt_steps: 0,
            recompute: None,
            lr: 0.01,
            clip_grad_norm: 1.0,
            clip_grad_value: 0.0,
            ema_decay: 0.0,
            loss: None,
            class_weights: None,
            heads: BTreeMap::new(),
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
    /// [`Error::Config`](crate::Error::Config) names the first value that is out of range.
    pub fn validate(&self) -> Result<()> {
        let check = |name: &str, got: f64, ok: bool, expected: &str| match ok {
            true => Ok(()),
            false => Err(ConfigError::range(format!("train.{name}"), got, expected)),
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
        let shards = self.shards;
        let known = shards.is_power_of_two() && shards <= 1 << 16;
        check("shards", shards as f64, known, "a power of two up to 65536")?;
        if let (Some(size), Some(tokens)) = (self.batch_size, self.max_tokens) {
            let message = format!(
                "train.max_tokens is {tokens}, but train.batch_size is {size}: expected only one of \
                 the two"
            );
            return Err(ConfigError::conflict("train.max_tokens", message).into());
        }
        if self.bptt_steps > 0 {
            let with = [
                ("accumulate", self.accumulate > 1),
                ("max_tokens", self.max_tokens.is_some()),
                ("overfit_batches", self.overfit_batches > 0),
            ];
            if let Some((other, _)) = with.iter().find(|(_, given)| *given) {
                let message =
                    format!("train.bptt_steps and train.{other}: expected only one of the two");
                return Err(ConfigError::conflict("train.bptt_steps", message).into());
            }
        }
        check("lr", self.lr, self.lr > 0.0 && self.lr.is_finite(), "a number above 0")?;
        for (name, got) in
            [("clip_grad_norm", self.clip_grad_norm), ("clip_grad_value", self.clip_grad_value)]
        {
            check(name, got, (0.0..f64::INFINITY).contains(&got), "a number of at least 0")?;
        }
        check("ema_decay", self.ema_decay, (0.0..1.0).contains(&self.ema_decay), "0 to below 1")?;
        self.loss.as_ref().map_or(Ok(()), Criterion::validate)?;
        self.class_weights.as_ref().map_or(Ok(()), ClassWeights::validate)?;
        for (name, head) in &self.heads {
            head.validate(&format!("train.heads.{name}"))?;
        }
        self.early_stopping.as_ref().map_or(Ok(()), EarlyStopping::validate)?;
        self.schedule.validate()?;
        self.groups.iter().try_for_each(ParameterGroup::validate)?;
        let cycles = matches!(self.schedule, Schedule::OneCycle { momentum: Some(_), .. });
        if cycles && self.optimizer.momentum() == 0.0 {
            let message = "train.schedule.momentum is given, but the optimizer has no momentum";
            return Err(ConfigError::conflict("train.schedule.momentum", message).into());
        }
        self.optimizer.validate()
    }

    /// Returns how the examples are grouped into batches.
    pub fn batching(&self) -> Batching {
        match (self.max_tokens, self.batch_size) {
            (Some(max_tokens), _) => Batching::Tokens { max_tokens, oversize: Oversize::Alone },
            (None, size) => Batching::Sequences(size.unwrap_or(64)),
        }
    }

    /// Returns the number of updates of the whole run, for `batches` batches per epoch.
    pub fn steps(&self, batches: usize) -> usize {
        let overfit = if self.overfit_batches > 0 { self.overfit_batches } else { batches };
        overfit.min(batches).div_ceil(self.accumulate.max(1)) * self.epochs
    }
}
