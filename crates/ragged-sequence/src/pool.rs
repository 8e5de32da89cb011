//! One row for each sequence of a packed batch.

use candle_core::Tensor;

use crate::packed::rows_by_position;
use crate::rows::{select, select_or_fill};
use crate::{PackedLayout, PackedSequence, Result};

/// How the rows of a sequence become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The row of the last step.
    Last,
    /// The row of the first step.
    First,
    /// The mean over the steps.
    Mean,
    /// The largest value over the steps, feature by feature; of equal ones, the gradient goes to
    /// the first.
    Max,
    /// The sum over the steps.
    Sum,
}

/// Pools the rows `[N, ...]` of a packed batch to `[B, ...]`, in the caller's order.
///
/// A sequence of length zero gives zeros. Steps are added in their order, so a sequence's result
/// does not depend on the others.
///
/// # Errors
///
/// Candle's alone, for a dtype that cannot be added or compared.
pub fn pool(packed: &PackedSequence, pooling: Pooling) -> Result<Tensor> {
    let (data, layout) = (packed.data(), packed.layout());
    let lengths = layout.lengths();
    let row = rows_by_position(layout);
    let pick = |step: fn(usize) -> usize| {
        let rows = lengths.iter().enumerate();
        let rows = rows.map(|(b, &length)| (length > 0).then(|| row(b, step(length))));
        match rows.clone().collect() {
            Some(rows) => select(data, rows),
            None => select_or_fill(data, rows, 0.0),
        }
    };
    match pooling {
        Pooling::Last => pick(|length| length - 1),
        Pooling::First => pick(|_| 0),
        Pooling::Sum => sum(data, layout),
        Pooling::Mean => {
            let counts: Vec<f64> = lengths.iter().map(|&length| length.max(1) as f64).collect();
            let mut shape = vec![1; data.rank()];
            shape[0] = counts.len();
            let counts = Tensor::from_vec(counts, shape, data.device())?.to_dtype(data.dtype())?;
            Ok(sum(data, layout)?.broadcast_div(&counts)?)
        }
        Pooling::Max => max(data, layout),
    }
}

fn sum(data: &Tensor, layout: &PackedLayout) -> Result<Tensor> {
    let mut shape = data.dims().to_vec();
    shape[0] = layout.batch_size();
    let zeros = Tensor::zeros(shape, data.dtype(), data.device())?;
    if layout.rows() == 0 {
        return Ok(zeros);
    }
    let sequences: Vec<i64> = layout.positions().map(|(b, _)| b as i64).collect();
    let sequences = Tensor::from_vec(sequences, layout.rows(), data.device())?;
    Ok(zeros.index_add(&sequences, &data.contiguous()?, 0)?)
}

fn max(data: &Tensor, layout: &PackedLayout) -> Result<Tensor> {
    // Only sequences with a step have a largest one: the first ones in sorted order.
    let running = layout.batch_sizes().first().copied().unwrap_or(0);
    let mut shape = vec![running, layout.max_length()];
    shape.extend_from_slice(&data.dims()[1..]);
    let pooled = if running == 0 {
        data.clone()
    } else {
        let (lengths, row) = (layout.lengths(), rows_by_position(layout));
        let index = layout.sorted_indices()[..running].iter().flat_map(|&b| {
            let (row, length) = (&row, lengths[b]);
            // Beyond its end a sequence is its first step again, which changes no maximum.
            (0..layout.max_length()).map(move |t| row(b, if t < length { t } else { 0 }))
        });
        let padded = select(data, index.collect())?.reshape(shape)?;
        let largest = padded.detach().argmax_keepdim(1)?;
        padded.gather(&largest, 1)?.squeeze(1)?
    };
    let places = layout.unsorted_indices().iter();
    select_or_fill(&pooled, places.map(|&place| (place < running).then_some(place)), 0.0)
}
