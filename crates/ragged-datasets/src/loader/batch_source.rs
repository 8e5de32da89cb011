//! The batches of one epoch by number.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use candle_core::Device;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::example::Example;
use crate::loader::batch::Batch;
use crate::loader::batch_plan::BatchPlan;
use crate::loader::collate::Collate;

/// Makes any batch of an epoch, from any thread.
#[derive(Debug)]
pub(super) struct BatchSource<D> {
    pub(super) dataset: Arc<D>,
    pub(super) epoch: usize,
    pub(super) plan: BatchPlan,
    pub(super) collate: Collate,
    pub(super) device: Device,
}

impl<D: Dataset> BatchSource<D> {
    /// Makes a batch.
    pub(super) fn batch(&self, batch: usize) -> Result<Batch> {
        let indices = self.plan.get(batch).unwrap_or_default();
        let examples: Result<Vec<_>> =
            indices.iter().map(|&index| Ok((index, self.example(index)?))).collect();
        self.collate.collate(&examples?, &self.device)
    }

    /// Returns an example, or an error with its index. A panic of the data set becomes an error, with
    /// or without workers.
    ///
    /// The data set is used again after a panic. That is sound for the contract of [`Dataset::get`]:
    /// it returns the same example whatever was requested before.
    fn example(&self, index: usize) -> Result<Example> {
        match catch_unwind(AssertUnwindSafe(|| self.dataset.get(self.epoch, index))) {
            Ok(result) => result.map_err(|error| Error::Load { index, source: error.into() }),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message = message.or(panic.downcast_ref::<&str>().copied());
                let message = message.unwrap_or("no message").to_string();
                Err(Error::Panicked { index, message })
            }
        }
    }
}
