//! Where a run stands between two updates: all that training needs beside the tensors to go on as
//! if it had never stopped.

use serde::{Deserialize, Serialize};

use crate::{EpochRecord, Loss, MetricSum, Patience, Plateau};

/// The position in the data, and what has been counted so far. There is no generator among it:
/// order, examples and dropout follow from the seed and the position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Epochs that have ended.
    pub epoch: usize,
    /// Batches done of the epoch under way.
    pub batch: usize,
    /// Updates since the start of the run.
    pub updates: u64,
    /// The learning rate's state, for the schedule that has one.
    pub plateau: Plateau,
    /// How long it has not got better.
    pub patience: Patience,
    /// What the epoch under way has come to.
    pub sums: EpochSums,
}

/// Sums over the updates of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochSums {
    pub(crate) metrics: MetricSum,
    updates: u64,
    norms: f64,
    largest_norm: f64,
    lr: f64,
}

impl Progress {
    /// Before the first update.
    pub fn new(loss: Loss, lr: f64) -> Self {
        let (plateau, patience) = (Plateau::new(lr), Patience::default());
        Self { epoch: 0, batch: 0, updates: 0, plateau, patience, sums: EpochSums::new(loss) }
    }

    /// Counts an update over `batches` batches.
    pub(crate) fn update(&mut self, batches: usize, norm: f64, lr: f64) {
        self.batch += batches;
        self.updates += 1;
        let sums = &mut self.sums;
        sums.updates += 1;
        sums.norms += norm;
        sums.largest_norm = sums.largest_norm.max(norm);
        sums.lr = lr;
    }

    /// Closes the epoch; its validation metrics are still to come.
    pub(crate) fn end_epoch(&mut self, loss: Loss) -> EpochRecord {
        let sums = std::mem::replace(&mut self.sums, EpochSums::new(loss));
        self.epoch += 1;
        self.batch = 0;
        EpochRecord {
            epoch: self.epoch,
            updates: self.updates,
            lr: sums.lr,
            grad_norm: sums.norms / sums.updates as f64,
            largest_grad_norm: sums.largest_norm,
            train: sums.metrics.finish(),
            valid: None,
        }
    }
}

impl EpochSums {
    fn new(loss: Loss) -> Self {
        let metrics = MetricSum::new(loss);
        Self { metrics, updates: 0, norms: 0.0, largest_norm: 0.0, lr: 0.0 }
    }
}
