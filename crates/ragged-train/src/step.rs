//! One step of training and one of evaluation.

use candle_core::{DType, Tensor};
use ragged_datasets::Batch;
use ragged_models::Mode;
use rand::RngCore;

use crate::{Error, Gradients, Loss, Model, Optimizer, Result};

/// How an update is made.
#[derive(Debug, Clone, Copy)]
pub struct UpdateRule {
    /// The learning rate.
    pub lr: f64,
    /// The largest norm that all gradients together may have; no limit where `None`.
    pub clip_grad_norm: Option<f64>,
}

/// Where in a run a step stands; errors name it.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// Counted from 0.
    pub epoch: usize,
    /// Counted from 0 within the epoch.
    pub batch: usize,
}

/// What a training step saw.
#[derive(Debug)]
pub struct TrainStep {
    /// The mean loss of the batch, before the update.
    pub loss: f64,
    /// The norm of all gradients, before clipping.
    pub grad_norm: f64,
    /// The predictions `[B, O]`, before the update.
    pub prediction: Tensor,
}

/// Forward, loss, backward, clip, update.
///
/// # Errors
///
/// [`Error::NonFinite`] where the loss or a gradient is not finite; no parameter has changed then.
pub fn train_step(
    model: &dyn Model,
    batch: &Batch,
    loss: Loss,
    optimizer: &mut Optimizer,
    rule: UpdateRule,
    at: Position,
    rng: &mut dyn RngCore,
) -> Result<TrainStep> {
    let finite = |what, value: f64| match value.is_finite() {
        true => Ok(value),
        false => Err(Error::NonFinite { what, value, epoch: at.epoch + 1, batch: at.batch + 1 }),
    };
    let prediction = model.forward(&batch.input, Mode::Train(rng))?;
    let value = loss.value(&prediction, &batch.target)?;
    let scalar = finite("loss", scalar(&value)?)?;
    let mut gradients = Gradients::new(optimizer.parameters(), value.backward()?);
    let norm = match rule.clip_grad_norm {
        Some(max_norm) => gradients.clip_norm(max_norm)?,
        None => gradients.norm()?,
    };
    let grad_norm = finite("gradient norm", norm)?;
    optimizer.step(&gradients, rule.lr)?;
    Ok(TrainStep { loss: scalar, grad_norm, prediction: prediction.detach() })
}

/// Forward and loss without recording gradients: the mean loss and the predictions `[B, O]`.
///
/// # Errors
///
/// The model's, for a batch that it cannot take.
pub fn eval_step(model: &dyn Model, batch: &Batch, loss: Loss) -> Result<(f64, Tensor)> {
    let prediction = model.forward(&batch.input, Mode::Eval)?.detach();
    let value = loss.value(&prediction, &batch.target)?;
    Ok((scalar(&value)?, prediction))
}

fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.to_dtype(DType::F64)?.to_scalar()?)
}
