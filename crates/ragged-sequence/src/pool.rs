//! Pooling: one row per sequence of a packed batch.

use candle_core::Tensor;

use crate::error::Result;
use crate::gather::{select, select_or_fill};
use crate::layout::PackedLayout;
use crate::packed_sequence::{PackedSequence, rows_by_position};

/// How the rows of a sequence are reduced to one row; see [`pool`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The row of the last step.
    Last,
    /// The row of the first step.
    First,
    /// The mean over the steps.
    Mean,
    /// The maximum over the steps, feature by feature. If several steps have it, the gradient goes to
    /// the first.
    Max,
    /// The sum over the steps.
    Sum,
}

/// Pools the rows `[N, ...]` of a packed batch to `[B, ...]`, in the caller's order.
///
/// The row of a sequence of length zero is zero. Sums are taken in the order of the steps, so the result
/// for a sequence does not depend on the other sequences.
///
/// # Errors
///
/// Errors from candle, for a dtype without addition or comparison.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{Pooling, pack_padded_sequence, pool};
///
/// let padded = Tensor::new(&[[1f32, 2.0, 0.0], [3.0, 4.0, 5.0]], &Device::Cpu)?;
/// let packed = pack_padded_sequence(&padded, &[2, 3], false)?;
/// assert_eq!(pool(&packed, Pooling::Mean)?.to_vec1::<f32>()?, [1.5, 4.0]);
/// assert_eq!(pool(&packed, Pooling::Last)?.to_vec1::<f32>()?, [2.0, 5.0]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn pool(packed: &PackedSequence, pooling: Pooling) -> Result<Tensor> {
    let (data, layout) = (packed.data(), packed.layout());
    let lengths = layout.lengths();
    let row = rows_by_position(layout);
    let select_step = |step: fn(usize) -> usize| {
        let rows = lengths.iter().enumerate();
        let rows = rows.map(|(b, &length)| (length > 0).then(|| row(b, step(length))));
        match rows.clone().collect() {
            Some(rows) => select(data, rows),
            None => select_or_fill(data, rows, 0.0),
        }
    };
    match pooling {
        Pooling::Last => select_step(|length| length - 1),
        Pooling::First => select_step(|_| 0),
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

/// The sum over the steps of each sequence.
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

/// The maximum over the steps of each sequence.
fn max(data: &Tensor, layout: &PackedLayout) -> Result<Tensor> {
    // The sequences that have steps come first in sorted order. The others have no maximum.
    let running = layout.batch_sizes().first().copied().unwrap_or(0);
    let mut shape = vec![running, layout.max_length()];
    shape.extend_from_slice(&data.dims()[1..]);
    let pooled = if running == 0 {
        data.clone()
    } else {
        let (lengths, row) = (layout.lengths(), rows_by_position(layout));
        let index = layout.sorted_indices()[..running].iter().flat_map(|&b| {
            let (row, length) = (&row, lengths[b]);
            // A sequence is padded with its first step, which does not change the maximum.
            (0..layout.max_length()).map(move |t| row(b, if t < length { t } else { 0 }))
        });
        let padded = select(data, index.collect())?.reshape(shape)?;
        let largest = padded.detach().argmax_keepdim(1)?;
        padded.gather(&largest, 1)?.squeeze(1)?
    };
    let positions = layout.unsorted_indices().iter();
    let rows = positions.map(|&position| (position < running).then_some(position));
    select_or_fill(&pooled, rows, 0.0)
}
