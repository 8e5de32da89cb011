//! The position of a run between two updates: everything except tensors that a resumed run needs in
//! order to continue bit for bit.

use serde::{Deserialize, Serialize};

use crate::exact_float;
use crate::fit::early_stopping::EarlyStoppingState;
use crate::fit::record::EpochRecord;
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::optim::plateau::Plateau;

/// The position in the data, and everything counted so far.
///
/// It contains no generator: the order of the examples and the dropout masks follow from the seed and
/// the position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Epochs that have ended.
    pub epoch: usize,
    /// Batches of the current epoch that are done.
    pub batch: usize,
    /// Updates since the start of the run.
    pub updates: u64,
    /// The state of the plateau schedule.
    pub plateau: Plateau,
    /// The state of early stopping.
    #[serde(rename = "patience")]
    pub early_stopping: EarlyStoppingState,
    /// Sums over the updates of the current epoch.
    pub sums: EpochSums,
}

/// Sums over the updates of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochSums {
    pub(crate) metrics: MetricSum,
    updates: u64,
    #[serde(with = "exact_float")]
    norms: f64,
    #[serde(with = "exact_float")]
    largest_norm: f64,
    #[serde(with = "exact_float")]
    lr: f64,
}

impl Progress {
    /// Creates the position before the first update.
    pub fn new(loss: &dyn Loss, lr: f64) -> Self {
        let (plateau, early_stopping) = (Plateau::new(lr), EarlyStoppingState::default());
        Self { epoch: 0, batch: 0, updates: 0, plateau, early_stopping, sums: EpochSums::new(loss) }
    }

    /// Counts an update from `batches` batches.
    pub(crate) fn update(&mut self, batches: usize, norm: f64, lr: f64) {
        self.batch += batches;
        self.updates += 1;
        let sums = &mut self.sums;
        sums.updates += 1;
        sums.norms += norm;
        sums.largest_norm = sums.largest_norm.max(norm);
        sums.lr = lr;
    }

    /// Ends the epoch and returns its record, without validation metrics.
    pub(crate) fn end_epoch(&mut self, loss: &dyn Loss) -> EpochRecord {
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
    fn new(loss: &dyn Loss) -> Self {
        let metrics = loss.metrics();
        Self { metrics, updates: 0, norms: 0.0, largest_norm: 0.0, lr: 0.0 }
    }
}
