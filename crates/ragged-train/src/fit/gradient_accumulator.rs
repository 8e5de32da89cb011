//! Gradients of several batches as if they were one batch.

use candle_core::{DType, Tensor};
use ragged_datasets::Batch;
use ragged_models::{Mode, SparseRows};
use ragged_sequence::random::RngCore;

use crate::error::Result;
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
#[derive(Debug, Default)]
pub struct GradientAccumulator {
    /// The weighted sum of the gradients; the gradients themselves while there is one batch.
    gradients: Option<NamedGradients>,
    loss_sum: f64,
    weight: f64,
    batches: usize,
}

impl GradientAccumulator {
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
    /// of tables that [`BatchModel::forward_sparse`] has returned with them. Returns the mean loss. A batch without
    /// targets that count, such as one of empty sequences with a target per step, has a loss of 0 and adds nothing.
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
        let value = loss.value(prediction, targets)?;
        let mean = value.to_dtype(DType::F64)?.to_scalar()?;
        let mean = at.finite("loss", mean)?;
        let mut gradients =
            NamedGradients::with_sparse(optimizer.parameters(), value.backward()?, sparse);
        self.gradients = Some(match self.gradients.take() {
            None => gradients,
            Some(mut sum) => {
                if self.batches == 1 {
                    sum.scale(self.weight)?;
                }
                gradients.scale(weight)?;
                sum.add(gradients)?;
                sum
            }
        });
        self.loss_sum += mean * weight;
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
        if self.batches > 1 {
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

    /// Returns the mean loss of all batches, or 0 where none of them has a prediction.
    pub fn loss(&self) -> f64 {
        if self.batches == 0 { 0.0 } else { self.loss_sum / self.weight }
    }
}
