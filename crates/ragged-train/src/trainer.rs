//! The training loop, in the open: epochs of [`train_step`], then an evaluation.

use ragged_datasets::{DataLoader, Dataset};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::step::{Position, UpdateRule};
use crate::{
    Error, Loss, MetricSum, Metrics, Model, Optimizer, OptimizerConfig, Result, Schedule,
    eval_step, train_step,
};

/// How long and how to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training data; at least 1. Default 200.
    pub epochs: usize,
    /// Sequences in a batch; at least 1. Default 64.
    pub batch_size: usize,
    /// The learning rate; above 0. Default 0.01.
    pub lr: f64,
    /// The learning rate's course. Default cosine.
    pub schedule: Schedule,
    /// The largest norm of all gradients together, 0 for no limit. Default 1.
    pub clip_grad_norm: f64,
    /// The update rule. Default Adam.
    pub optimizer: OptimizerConfig,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch_size: 64,
            lr: 0.01,
            schedule: Schedule::Cosine,
            clip_grad_norm: 1.0,
            optimizer: OptimizerConfig::default(),
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
        let bad = |name, got: f64, expected| {
            Err(Error::Config(format!("train.{name} is {got}: expected {expected}")))
        };
        if !(1..=1_000_000).contains(&self.epochs) {
            return bad("epochs", self.epochs as f64, "1 to 1000000");
        }
        if !(1..=1_000_000).contains(&self.batch_size) {
            return bad("batch_size", self.batch_size as f64, "1 to 1000000");
        }
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            return bad("lr", self.lr, "a number above 0");
        }
        if !(0.0..f64::INFINITY).contains(&self.clip_grad_norm) {
            return bad("clip_grad_norm", self.clip_grad_norm, "a number of at least 0");
        }
        self.optimizer.validate()
    }
}

/// What an epoch came to: one line of `metrics.jsonl`. It holds no times, so that the same run
/// writes the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Updates since the start of the run.
    pub updates: u64,
    /// The learning rate of the epoch's last update.
    pub lr: f64,
    /// The mean norm of the gradients, before clipping.
    pub grad_norm: f64,
    /// Over the training data, each batch as it was before its update.
    pub train: Metrics,
    /// Over the validation data, after the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Metrics>,
}

impl EpochRecord {
    /// The validation metrics, or the training ones where there is no validation data.
    pub fn held_out(&self) -> &Metrics {
        self.valid.as_ref().unwrap_or(&self.train)
    }
}

/// Somebody who watches a run. The trainer itself prints nothing.
pub trait Observer {
    /// After every update: `batch` of `batches` are done in `epoch`, all counted from 1.
    fn batch(&mut self, epoch: usize, batch: usize, batches: usize, loss: f64) {
        let _ = (epoch, batch, batches, loss);
    }

    /// After every epoch.
    ///
    /// # Errors
    ///
    /// An error ends the run: for an observer that writes files.
    fn epoch(&mut self, record: &EpochRecord, optimizer: &Optimizer) -> Result<()> {
        let _ = (record, optimizer);
        Ok(())
    }
}

/// Nobody watches.
impl Observer for () {}

/// Trains a model over epochs.
///
/// Everything random derives from the seed: dropout draws anew for every epoch and batch from a
/// stream of that epoch and batch alone.
pub struct Trainer<'a> {
    /// What is trained.
    pub model: &'a dyn Model,
    /// Its update rule and the parameters under it.
    pub optimizer: Optimizer,
    /// What is made small.
    pub loss: Loss,
    /// How long and how.
    pub config: TrainConfig,
    /// Where all randomness comes from.
    pub seed: u64,
}

impl Trainer<'_> {
    /// Runs all epochs; the last record is returned.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`] before an update that would spoil the parameters; errors of the data,
    /// the model and the observer.
    pub fn fit<T: Dataset, V: Dataset>(
        &mut self,
        train: &DataLoader<T>,
        valid: Option<&DataLoader<V>>,
        observer: &mut dyn Observer,
    ) -> Result<EpochRecord> {
        self.config.validate()?;
        let mut last = None;
        for epoch in 0..self.config.epochs {
            let mut record = self.train_epoch(epoch, train, observer)?;
            record.valid = valid.map(|v| evaluate(self.model, v, self.loss)).transpose()?;
            observer.epoch(&record, &self.optimizer)?;
            last = Some(record);
        }
        last.ok_or_else(|| Error::Config("train.epochs is 0: expected at least 1".into()))
    }

    fn train_epoch<T: Dataset>(
        &mut self,
        epoch: usize,
        loader: &DataLoader<T>,
        observer: &mut dyn Observer,
    ) -> Result<EpochRecord> {
        let batches = loader.len();
        let total = batches * self.config.epochs;
        let limit = self.config.clip_grad_norm;
        let mut rule = UpdateRule { lr: 0.0, clip_grad_norm: (limit > 0.0).then_some(limit) };
        let mut sum = MetricSum::new(self.loss);
        let mut norms = 0.0;
        for (batch, data) in loader.epoch(epoch).enumerate() {
            let data = data?;
            let step = epoch * batches + batch;
            rule.lr = self.config.schedule.rate(self.config.lr, step, total);
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(step as u64);
            let at = Position { epoch, batch };
            let (model, loss) = (self.model, self.loss);
            let seen = train_step(model, &data, loss, &mut self.optimizer, rule, at, &mut rng)?;
            sum.add(seen.loss, &seen.prediction, &data.target)?;
            norms += seen.grad_norm;
            observer.batch(epoch + 1, batch + 1, batches, seen.loss);
        }
        Ok(EpochRecord {
            epoch: epoch + 1,
            updates: self.optimizer.updates(),
            lr: rule.lr,
            grad_norm: norms / batches as f64,
            train: sum.finish(),
            valid: None,
        })
    }
}

/// The metrics of a model over a data set, in evaluation mode.
///
/// # Errors
///
/// Those of the data and the model.
pub fn evaluate<D: Dataset>(
    model: &dyn Model,
    loader: &DataLoader<D>,
    loss: Loss,
) -> Result<Metrics> {
    let mut sum = MetricSum::new(loss);
    for batch in loader.epoch(0) {
        let batch = batch?;
        let (value, prediction) = eval_step(model, &batch, loss)?;
        sum.add(value, &prediction, &batch.target)?;
    }
    Ok(sum.finish())
}
