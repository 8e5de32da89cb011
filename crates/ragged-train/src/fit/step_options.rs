//! How an update is made, and where in the run.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::optim::schedule::Hyperparameters;

/// The learning rate of an update, and the limits to which its gradients are clipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOptions {
    /// The learning rate, and the momentum where a schedule changes it.
    pub hyperparameters: Hyperparameters,
    /// The largest norm of all gradients together; `None` for no limit.
    pub clip_grad_norm: Option<f64>,
    /// The largest absolute value of any gradient element; `None` for no limit.
    pub clip_grad_value: Option<f64>,
}

impl StepOptions {
    /// Creates options with a learning rate and without limits.
    pub fn new(lr: f64) -> Self {
        let hyperparameters = Hyperparameters::new(lr);
        Self { hyperparameters, clip_grad_norm: None, clip_grad_value: None }
    }
}

/// The epoch and batch of a step; errors name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// The batch within the epoch, counted from 0.
    pub batch: usize,
}

impl Position {
    /// Returns `value`, or an error that names this position if it is NaN or infinite.
    pub(crate) fn finite(self, what: &'static str, value: f64) -> Result<f64> {
        if value.is_finite() { Ok(value) } else { Err(self.non_finite(what, value)) }
    }

    /// Returns the error for a value that is NaN or infinite.
    pub(crate) fn non_finite(self, what: &'static str, value: f64) -> Error {
        let (epoch, batch, saved) = (self.epoch + 1, self.batch + 1, None::<PathBuf>);
        Error::NonFinite { what, value, epoch, batch, saved }
    }
}
