//! The update from all shards of a group of batches.

use candle_core::Tensor;
use ragged_datasets::Batch;
use ragged_models::SparseRows;
use serde::{Deserialize, Serialize};

use crate::distributed::communicator::Communicator;
use crate::distributed::gather::gather;
use crate::error::{Error, Result};
use crate::exact_float;
use crate::fit::gradient_accumulator::{GradientAccumulator, GradientSummary};
use crate::fit::step_options::Position;
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::objective::targets::Targets;
use crate::optim::optimizer::Optimizer;

/// What one shard adds to an update: its part of each batch of a group.
#[derive(Debug)]
pub(crate) struct ShardSum {
    gradients: GradientAccumulator,
    measured: Measured,
}

/// What is measured on a shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Measured {
    metrics: MetricSum,
    steps: usize,
    padded_steps: usize,
    failure: Option<NonFiniteLoss>,
}

/// A loss of a shard that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct NonFiniteLoss {
    #[serde(with = "exact_float")]
    pub(crate) value: f64,
    /// The batch within the epoch, counted from 0.
    pub(crate) batch: usize,
}

impl ShardSum {
    /// Creates an empty sum; `totals` are the weights of several means in all shards and batches.
    pub(crate) fn new(loss: &dyn Loss, totals: Option<&[f64]>) -> Self {
        let gradients = GradientAccumulator::with_totals(totals.map(<[f64]>::to_vec));
        let metrics = loss.metrics();
        let measured = Measured { metrics, steps: 0, padded_steps: 0, failure: None };
        Self { gradients, measured }
    }

    /// Whether the loss of a batch was not finite. No further batch needs to be added then.
    pub(crate) fn has_failed(&self) -> bool {
        self.measured.failure.is_some()
    }

    /// Counts the time steps of a batch.
    pub(crate) fn count(&mut self, batch: &Batch) {
        self.measured.steps += batch.real_steps();
        self.measured.padded_steps += batch.padded_steps();
    }

    /// Computes the loss of predictions and its gradients, and measures it. A loss that is not finite is kept for all
    /// ranks to see.
    pub(crate) fn add(
        &mut self,
        prediction: &Tensor,
        sparse: &[SparseRows],
        targets: &Targets<'_>,
        loss: &dyn Loss,
        optimizer: &Optimizer,
        at: Position,
    ) -> Result<()> {
        match self.gradients.backward(prediction, sparse, targets, loss, optimizer, at) {
            Ok(mean) => {
                loss.measure(mean, &prediction.detach(), targets, &mut self.measured.metrics)
            }
            Err(Error::NonFinite { value, .. }) => {
                self.measured.failure = Some(NonFiniteLoss { value, batch: at.batch });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// What all shards together give.
#[derive(Debug)]
pub(crate) struct JointSum {
    /// The gradients of the update.
    pub(crate) gradients: GradientAccumulator,
    /// The metrics of the update.
    pub(crate) metrics: MetricSum,
    /// Real time steps.
    pub(crate) steps: usize,
    /// Time steps of padded shards.
    pub(crate) padded_steps: usize,
}

/// A shard whose loss is not finite.
pub(crate) type FailedShard = (usize, NonFiniteLoss);

impl JointSum {
    /// Adds the shards of all ranks, or returns the first shard whose loss is not finite. An error of this rank becomes
    /// one of all ranks.
    pub(crate) fn of(
        ranks: &dyn Communicator,
        own: Result<Vec<ShardSum>>,
        loss: &dyn Loss,
        optimizer: &Optimizer,
    ) -> Result<std::result::Result<Self, FailedShard>> {
        let mut gradients = vec![];
        let known = own.map(|shards| {
            let known = shards.into_iter().map(|ShardSum { gradients: own, measured }| {
                let summary = own.summary();
                gradients.push(own);
                (summary, measured)
            });
            known.collect::<Vec<_>>()
        });
        let all: Vec<(GradientSummary, Measured)> =
            gather(ranks, known)?.into_iter().flatten().collect();
        let failed = all
            .iter()
            .enumerate()
            .find_map(|(shard, (_, measured))| measured.failure.map(|failure| (shard, failure)));
        if let Some(failed) = failed {
            return Ok(Err(failed));
        }
        let (mut metrics, mut steps, mut padded_steps) = (loss.metrics(), 0, 0);
        for (_, measured) in &all {
            metrics.merge(&measured.metrics);
            steps += measured.steps;
            padded_steps += measured.padded_steps;
        }
        let summaries = all.iter().map(|(summary, _)| summary);
        let gradients = GradientAccumulator::of_shards(ranks, gradients, summaries, optimizer)?;
        Ok(Ok(Self { gradients, metrics, steps, padded_steps }))
    }
}
