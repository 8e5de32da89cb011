//! Gradients of several batches as if they were one batch.

use candle_core::{DType, Tensor};
use ragged_datasets::Batch;
use ragged_models::{Mode, SparseRows};
use ragged_sequence::random::RngCore;
use serde::{Deserialize, Serialize};

use crate::distributed::communicator::Communicator;
use crate::distributed::gradient_sum::{GradientKind, gradient_sum};
use crate::error::Result;
use crate::exact_float;
use crate::fit::batch_model::BatchModel;
use crate::fit::step_options::{Position, StepOptions};
use crate::objective::loss::Loss;
use crate::objective::targets::Targets;
use crate::optim::gradients::NamedGradients;
use crate::optim::optimizer::Optimizer;

/// Accumulates the mean gradient of several batches.
///
/// Each batch is weighted by the number of terms of its mean loss ([`Loss::weight`]): the targets of its sequences or
/// of its real time steps, without missing ones, or the sum of the weights of their classes. The result is the gradient
/// of one batch with all the examples, whatever their lengths and however they were split. An unweighted mean of the
/// batches' means would give the terms of a small batch more weight.
///
/// A loss of [several means](Loss::means) needs [`of_group`](Self::of_group) for that: its means may have different
/// weights in the batches, where their targets are missing in different examples.
#[derive(Debug, Default)]
pub struct GradientAccumulator {
    gradients: Option<NamedGradients>,
    /// Whether the gradients are multiplied by the weights of their batches; not while there is one batch.
    weighted: bool,
    loss_sum: f64,
    weight: f64,
    batches: usize,
    /// The weights of each of the means in all batches, if they are known before: the gradients of a batch are then
    /// those of its part of the whole loss.
    totals: Option<Vec<f64>>,
}

/// What the other shards of an update need to know of an accumulator besides its gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GradientSummary {
    /// That of each parameter; empty without gradients.
    kinds: Vec<GradientKind>,
    #[serde(with = "exact_float")]
    loss_sum: f64,
    #[serde(with = "exact_float")]
    weight: f64,
    batches: usize,
}

impl GradientAccumulator {
    /// Creates an accumulator for one shard of a group of batches with these weights of each of the means.
    pub(crate) fn with_totals(totals: Option<Vec<f64>>) -> Self {
        Self { totals, ..Self::default() }
    }

    /// Creates an accumulator for these batches, all of which must be [added](Self::add). The result is the gradient of
    /// one batch with all their examples also for a loss of [several means](Loss::means).
    ///
    /// # Errors
    ///
    /// As [`Loss::weights`].
    pub fn of_group<'b>(
        loss: &dyn Loss,
        batches: impl IntoIterator<Item = &'b Batch>,
    ) -> Result<Self> {
        let mut totals = vec![0.0; loss.means()];
        for batch in batches {
            let weights = loss.weights(&Targets::of(batch)?)?;
            totals.iter_mut().zip(weights).for_each(|(total, weight)| *total += weight);
        }
        Ok(Self::with_totals(Some(totals)))
    }

    /// Computes the forward pass, the loss and the backward pass of a batch. Returns the mean loss
    /// and the predictions.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`](crate::Error::NonFinite) where the loss is not finite; errors of the model.
    pub fn add(
        &mut self,
        model: &dyn BatchModel,
        batch: &Batch,
        loss: &dyn Loss,
        optimizer: &Optimizer,
        at: Position,
        rng: &mut dyn RngCore,
    ) -> Result<(f64, Tensor)> {
        let (prediction, sparse) = model.forward_sparse(&batch.input, Mode::Train(rng))?;
        let loss =
            self.backward(&prediction, &sparse, &Targets::of(batch)?, loss, optimizer, at)?;
        Ok((loss, prediction.detach()))
    }

    /// Computes the loss and the backward pass from predictions `[B, O]` that can be differentiated, and from the rows
    /// of tables that [`BatchModel::forward_sparse`] has returned with them. Returns the mean loss, or for several means the
    /// part of the batch in that of its [group](Self::of_group). A batch without targets that count, such as one of empty sequences
    /// with a target per step, has a loss of 0 and adds nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`](crate::Error::NonFinite) where the loss is not finite,
    /// [`Error::Shape`](crate::Error::Shape) where the target does not fit the predictions.
    pub fn backward(
        &mut self,
        prediction: &Tensor,
        sparse: &[SparseRows],
        targets: &Targets<'_>,
        loss: &dyn Loss,
        optimizer: &Optimizer,
        at: Position,
    ) -> Result<f64> {
        let weight = loss.weight(targets)?;
        if weight == 0.0 {
            return Ok(0.0);
        }
        let (mean, minimised) = match self.totals.as_deref() {
            None => {
                let mean = loss.value(prediction, targets)?;
                (mean.clone(), mean)
            }
            Some([total]) => {
                let mean = loss.value(prediction, targets)?;
                (mean.clone(), (mean * (weight / total))?)
            }
            Some(totals) => {
                let shares = loss.weights(targets)?.into_iter().zip(totals);
                let share = |(weight, total): (f64, &f64)| {
                    if *total > 0.0 { weight / total } else { 0.0 }
                };
                let shares: Vec<f64> = shares.map(share).collect();
                let part = loss.value_of(prediction, targets, &shares)?;
                (part.clone(), part)
            }
        };
        let mean = mean.to_dtype(DType::F64)?.to_scalar()?;
        let mean = at.finite("loss", mean)?;
        let store = minimised.backward()?;
        let mut gradients = NamedGradients::with_sparse(optimizer.parameters(), store, sparse);
        self.gradients = Some(match self.gradients.take() {
            None => gradients,
            Some(mut sum) => {
                if self.totals.is_none() {
                    if !self.weighted {
                        sum.scale(self.weight)?;
                    }
                    self.weighted = true;
                    gradients.scale(weight)?;
                }
                sum.add(gradients)?;
                sum
            }
        });
        self.loss_sum += if self.adds_parts() { mean } else { mean * weight };
        self.weight += weight;
        self.batches += 1;
        Ok(mean)
    }

    /// Clips the mean gradient and updates the parameters. Returns the norm of the mean gradient
    /// before clipping. Without a batch, nothing changes.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`](crate::Error::NonFinite) where a gradient is not finite; no parameter has
    /// then changed.
    pub fn update(
        self,
        optimizer: &mut Optimizer,
        options: StepOptions,
        at: Position,
    ) -> Result<f64> {
        let Some(mut gradients) = self.gradients else { return Ok(0.0) };
        if self.weighted {
            gradients.scale(1.0 / self.weight)?;
        }
        let norm = match options.clip_grad_norm {
            Some(max_norm) => gradients.clip_norm(max_norm)?,
            None => gradients.norm()?,
        };
        let norm = at.finite("gradient norm", norm)?;
        if let Some(max_value) = options.clip_grad_value {
            gradients.clip_value(max_value)?;
        }
        optimizer.step(&gradients, options.hyperparameters)?;
        Ok(norm)
    }

    /// Returns what the other shards need to know besides the gradients.
    pub(crate) fn summary(&self) -> GradientSummary {
        let gradients = self.gradients.iter().flat_map(NamedGradients::iter);
        GradientSummary {
            kinds: gradients.map(GradientKind::of).collect(),
            loss_sum: self.loss_sum,
            weight: self.weight,
            batches: self.batches,
        }
    }

    /// Adds the shards of an update, whose weights were known before, of which this rank has `own` and all ranks together
    /// those of `summaries`. The
    /// result is the same on all ranks, and for any number of them.
    pub(crate) fn of_shards<'s>(
        ranks: &dyn Communicator,
        mut own: Vec<Self>,
        summaries: impl Iterator<Item = &'s GradientSummary> + Clone,
        optimizer: &Optimizer,
    ) -> Result<Self> {
        // The only shard needs no weight.
        if summaries.clone().count() == 1
            && let Some(whole) = own.pop()
        {
            return Ok(whole);
        }
        let mut sum = Self::with_totals(own.first().and_then(|one| one.totals.clone()));
        let mut kinds: Vec<GradientKind> = vec![];
        for summary in summaries {
            kinds.resize(kinds.len().max(summary.kinds.len()), GradientKind::None);
            kinds.iter_mut().zip(&summary.kinds).for_each(|(kind, one)| *kind = (*kind).max(*one));
            sum.loss_sum += summary.loss_sum;
            sum.weight += summary.weight;
            sum.batches += summary.batches;
        }
        let shards = own.into_iter().map(|one| one.gradients).collect();
        sum.gradients = gradient_sum(ranks, shards, optimizer.parameters(), &kinds)?;
        Ok(sum)
    }

    /// Returns the mean loss of all batches, or 0 where none of them has a prediction.
    pub fn loss(&self) -> f64 {
        match self.batches {
            0 => 0.0,
            _ if self.adds_parts() => self.loss_sum,
            _ => self.loss_sum / self.weight,
        }
    }

    /// Whether the losses of the batches are parts of the whole loss, and not means.
    fn adds_parts(&self) -> bool {
        self.totals.as_ref().is_some_and(|totals| totals.len() > 1)
    }
}
