//! One step of training, of one batch or of several that count as one; one step of evaluation.

use std::path::PathBuf;

use candle_core::{DType, Tensor};
use ragged_datasets::Batch;
use ragged_models::Mode;
use rand::RngCore;

use crate::{Error, Gradients, Loss, Model, Optimizer, Rates, Result};

/// How an update is made.
#[derive(Debug, Clone, Copy)]
pub struct UpdateRule {
    /// The learning rate, and the momentum where a schedule moves it.
    pub rates: Rates,
    /// The largest norm that all gradients together may have; no limit where `None`.
    pub clip_grad_norm: Option<f64>,
    /// The largest absolute value that any number of a gradient may have; no limit where `None`.
    pub clip_grad_value: Option<f64>,
}

impl UpdateRule {
    /// A learning rate, and no limit.
    pub fn new(lr: f64) -> Self {
        Self { rates: Rates::new(lr), clip_grad_norm: None, clip_grad_value: None }
    }
}

/// Where in a run a step stands; errors name it.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// Counted from 0.
    pub epoch: usize,
    /// Counted from 0 within the epoch.
    pub batch: usize,
}

impl Position {
    fn finite(self, what: &'static str, value: f64) -> Result<f64> {
        if value.is_finite() {
            return Ok(value);
        }
        let (epoch, batch, saved) = (self.epoch + 1, self.batch + 1, None::<PathBuf>);
        Err(Error::NonFinite { what, value, epoch, batch, saved })
    }
}

/// What a training step saw.
#[derive(Debug)]
pub struct TrainStep {
    /// The mean loss, before the update.
    pub loss: f64,
    /// The norm of all gradients, before clipping.
    pub grad_norm: f64,
    /// The predictions, before the update.
    pub prediction: Tensor,
}

/// The mean gradient of several batches, as if they were one.
///
/// A batch counts by the terms of its mean loss: its sequences, or its real steps where there is a
/// target a step. So it does not matter how the examples were split, whatever their lengths; the
/// mean of the batches' means would give a short batch's terms more weight than a long one's.
#[derive(Default)]
pub struct Accumulation {
    /// The sum of the weighted gradients; of the plain ones while there is a single batch.
    gradients: Option<Gradients>,
    loss_sum: f64,
    weight: f64,
    batches: usize,
}

impl Accumulation {
    /// Forward, loss, backward; returns the batch's mean loss and its predictions.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`] where the loss is not finite; the model's errors.
    pub fn add(
        &mut self,
        model: &dyn Model,
        batch: &Batch,
        loss: Loss,
        optimizer: &Optimizer,
        at: Position,
        rng: &mut dyn RngCore,
    ) -> Result<(f64, Tensor)> {
        let prediction = model.forward(&batch.input, Mode::Train(rng))?;
        let loss = self.backward(&prediction, &batch.target, loss, optimizer, at)?;
        Ok((loss, prediction.detach()))
    }

    /// The same from predictions `[B, O]` that can be differentiated; returns their mean loss.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`] where the loss is not finite, [`Error::Batch`] where the shapes do not
    /// belong together.
    pub fn backward(
        &mut self,
        prediction: &Tensor,
        target: &Tensor,
        loss: Loss,
        optimizer: &Optimizer,
        at: Position,
    ) -> Result<f64> {
        let value = loss.value(prediction, target)?;
        let scalar = at.finite("loss", scalar(&value)?)?;
        let mut gradients = Gradients::new(optimizer.parameters(), value.backward()?);
        let weight = Loss::weight(target)?;
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
        self.loss_sum += scalar * weight;
        self.weight += weight;
        self.batches += 1;
        Ok(scalar)
    }

    /// Clip and update; returns the norm of the mean gradient before clipping. With no batch,
    /// nothing happens.
    ///
    /// # Errors
    ///
    /// [`Error::NonFinite`] where a gradient is not finite; no parameter has changed then.
    pub fn update(self, optimizer: &mut Optimizer, rule: UpdateRule, at: Position) -> Result<f64> {
        let Some(mut gradients) = self.gradients else { return Ok(0.0) };
        if self.batches > 1 {
            gradients.scale(1.0 / self.weight)?;
        }
        let norm = match rule.clip_grad_norm {
            Some(max_norm) => gradients.clip_norm(max_norm)?,
            None => gradients.norm()?,
        };
        let norm = at.finite("gradient norm", norm)?;
        if let Some(max_value) = rule.clip_grad_value {
            gradients.clip_value(max_value)?;
        }
        optimizer.step(&gradients, rule.rates)?;
        Ok(norm)
    }

    /// The mean loss of all batches.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.weight
    }
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
    let mut sum = Accumulation::default();
    let (loss, prediction) = sum.add(model, batch, loss, optimizer, at, rng)?;
    Ok(TrainStep { loss, grad_norm: sum.update(optimizer, rule, at)?, prediction })
}

/// Forward and loss without recording gradients: the mean loss and the predictions.
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
