//! The interface through which other code follows, records and stops a run.

use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::Tensor;
use ragged_datasets::Batch;

use crate::error::Result;
use crate::fit::progress::Progress;
use crate::fit::record::{EpochRecord, StepRecord};
use crate::optim::ema::Ema;
use crate::optim::optimizer::Optimizer;

/// Everything except the parameters that changes during training.
#[derive(Debug, Clone, Copy)]
pub struct TrainState<'a> {
    /// The optimiser, which also holds the parameters.
    pub optimizer: &'a Optimizer,
    /// The moving average of the weights, if there is one.
    pub ema: Option<&'a Ema>,
    /// The position of the run.
    pub progress: &'a Progress,
    /// The recurrent states of unfinished series, for training in chunks; empty otherwise.
    pub carried: &'a [Tensor],
}

/// Observes a run and can stop it. The trainer itself neither prints nor writes files.
///
/// `()` is the observer that does nothing.
///
/// ```
/// use std::ops::ControlFlow;
/// use ragged_train::fit::{StepRecord, TrainState};
/// use ragged_train::{Observer, Result};
///
/// /// Stops a run after some updates.
/// struct StopAfter(u64);
///
/// impl Observer for StopAfter {
///     fn update(&mut self, record: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
///         let done = record.updates >= self.0;
///         Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     }
/// }
/// ```
pub trait Observer {
    /// Called after every update. [`ControlFlow::Break`] interrupts the run, which can be resumed.
    ///
    /// # Errors
    ///
    /// An error ends the run, for example where a file cannot be written.
    fn update(&mut self, record: &StepRecord, state: &TrainState) -> Result<ControlFlow<()>> {
        let _ = (record, state);
        Ok(ControlFlow::Continue(()))
    }

    /// Called after every epoch.
    ///
    /// # Errors
    ///
    /// An error ends the run.
    fn epoch(&mut self, record: &EpochRecord, state: &TrainState) -> Result<()> {
        let _ = (record, state);
        Ok(())
    }

    /// Called with the batch whose loss or gradient is not finite, before the run ends with
    /// [`Error::NonFinite`](crate::Error::NonFinite). Returns the file to which the batch was
    /// written, if any.
    ///
    /// # Errors
    ///
    /// An error replaces [`Error::NonFinite`](crate::Error::NonFinite).
    fn non_finite(&mut self, batch: &Batch) -> Result<Option<PathBuf>> {
        let _ = batch;
        Ok(None)
    }
}

/// The no-op observer.
impl Observer for () {}
