//! What an observer learns about an update and about an epoch.

use serde::{Deserialize, Serialize};

use crate::exact_float;
use crate::objective::metrics::Metrics;

/// The results of an epoch: one line of `metrics.jsonl`.
///
/// It contains no times, so that the same run writes the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Updates since the start of the run.
    pub updates: u64,
    /// The learning rate of the last update of the epoch.
    #[serde(with = "exact_float")]
    pub lr: f64,
    /// The mean norm of the gradients, before clipping.
    #[serde(with = "exact_float")]
    pub grad_norm: f64,
    /// The largest norm of the gradients, before clipping.
    #[serde(with = "exact_float")]
    pub largest_grad_norm: f64,
    /// The metrics on the training data; the loss of each batch is taken before its update.
    pub train: Metrics,
    /// The metrics on the validation data after the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Metrics>,
}

impl EpochRecord {
    /// Returns the metrics that compare epochs: those on the validation data, or those on the
    /// training data where there are no validation data.
    pub fn monitored(&self) -> &Metrics {
        self.valid.as_ref().unwrap_or(&self.train)
    }
}

/// The results of an update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepRecord {
    /// The current epoch, counted from 1.
    pub epoch: usize,
    /// Batches of this epoch that are done.
    pub batch: usize,
    /// Batches of this epoch.
    pub batches: usize,
    /// Updates since the start of the run.
    pub updates: u64,
    /// The mean loss before the update.
    pub loss: f64,
    /// The norm of the gradients before clipping.
    pub grad_norm: f64,
    /// The learning rate.
    pub lr: f64,
    /// Real time steps of the sequences in the update.
    pub steps: usize,
    /// Time steps of the same sequences when each is padded to the longest of its batch.
    pub padded_steps: usize,
}
