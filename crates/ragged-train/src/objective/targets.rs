//! The targets of a batch, as a loss receives them.

use candle_core::{DType, Tensor};
use ragged_datasets::Batch;
use ragged_sequence::PackedLayout;

use crate::error::Result;

/// The class index of a missing target, which does not count: PyTorch's `ignore_index`. A missing value is NaN.
pub const MISSING_CLASS: u32 = u32::MAX;

/// The targets of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// Class indices of dtype `u32`, `[B]` or `[N]`, or values, `[B, K]` or `[N, K]`.
    pub values: &'a Tensor,
    /// Which row is which step of which sequence, where there is one target per packed time step or a list of labels.
    pub layout: Option<&'a PackedLayout>,
    /// The number of labels of each sequence, where the values are lists of labels joined to one, `[L]`.
    pub lengths: Option<&'a [usize]>,
    /// The errors of a naive forecast in the past of each sequence, `[B, K]`, for forecasts.
    pub naive_errors: Option<&'a [f64]>,
}

impl<'a> Targets<'a> {
    /// Creates targets of which nothing is known but their values.
    pub fn new(values: &'a Tensor) -> Self {
        Self { values, layout: None, lengths: None, naive_errors: None }
    }

    /// Returns the targets of a batch.
    ///
    /// # Errors
    ///
    /// Errors from candle, for a target without a batch dimension.
    pub fn of(batch: &'a Batch) -> Result<Self> {
        let values = &batch.target;
        let layout = batch.input.steps.layout();
        let (rows, lengths) = (values.dim(0)?, batch.target_lengths.as_deref());
        let layout = layout.filter(|layout| lengths.is_some() || layout.rows() == rows);
        Ok(Self { values, layout, lengths, naive_errors: batch.naive_errors.as_deref() })
    }

    /// Returns the values as class indices.
    pub(super) fn classes(&self) -> Result<Vec<u32>> {
        Ok(self.values.to_dtype(DType::U32)?.to_vec1()?)
    }
}
