//! What is told about an epoch and about an update.

use serde::{Deserialize, Serialize};

use crate::Metrics;

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
    /// The largest norm of the gradients, before clipping.
    pub largest_grad_norm: f64,
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

/// What an update came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepRecord {
    /// The epoch under way, counted from 1.
    pub epoch: usize,
    /// Batches done in it.
    pub batch: usize,
    /// Batches that it has.
    pub batches: usize,
    /// Updates since the start of the run.
    pub updates: u64,
    /// The mean loss before the update.
    pub loss: f64,
    /// The norm of the gradients before clipping.
    pub grad_norm: f64,
    /// The learning rate.
    pub lr: f64,
    /// Real time steps of the update's sequences.
    pub steps: usize,
    /// Time steps that the same sequences have when padded to the longest of their batch.
    pub padded_steps: usize,
}
