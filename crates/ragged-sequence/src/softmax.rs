//! The softmax over the steps of each sequence, for example for attention.

use candle_core::Tensor;

use crate::error::Result;
use crate::gather::select;
use crate::packed_sequence::{PackedSequence, pack_padded_sequence, pad_packed_sequence};
use crate::pad::Padding;
use crate::pool::{Pooling, pool};

/// Computes the softmax over the steps of each sequence: rows `[N, ...]` that sum to one over each
/// sequence.
///
/// # Errors
///
/// Errors from candle, for a dtype without an exponential.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{pack_padded_sequence, packed_softmax, unpack_sequence};
///
/// let padded = Tensor::new(&[[1f32, 1.0, 0.0], [2.0, 2.0, 2.0]], &Device::Cpu)?;
/// let weights = packed_softmax(&pack_padded_sequence(&padded, &[2, 3], false)?)?;
/// assert_eq!(unpack_sequence(&weights)?[0].to_vec1::<f32>()?, [0.5, 0.5]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn packed_softmax(scores: &PackedSequence) -> Result<PackedSequence> {
    let sequences: Vec<usize> = scores.layout().positions().map(|(b, _)| b).collect();
    let repeat = |pooled: &Tensor| select(pooled, sequences.clone());
    // Subtracting the largest score keeps the exponentials finite and does not change the result.
    let largest = repeat(&pool(scores, Pooling::Max)?.detach())?;
    let exps = scores.map(|rows| (rows - largest)?.exp())?;
    let sums = repeat(&pool(&exps, Pooling::Sum)?)?;
    exps.map(|rows| rows / sums)
}

/// Computes the softmax over the steps of each sequence of a padded tensor `[B, T, ...]`. The result
/// is zero in the padding, whose values are not read.
///
/// # Errors
///
/// [`Error::LengthCount`](crate::Error::LengthCount),
/// [`Error::LengthBeyondSteps`](crate::Error::LengthBeyondSteps) and
/// [`Error::Rank`](crate::Error::Rank).
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::masked_softmax;
///
/// let scores = Tensor::new(&[[1f32, 1.0, 9.0]], &Device::Cpu)?;
/// assert_eq!(masked_softmax(&scores, &[2])?.to_vec2::<f32>()?, [[0.5, 0.5, 0.0]]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn masked_softmax(scores: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let packed = packed_softmax(&pack_padded_sequence(scores, lengths, false)?)?;
    let total_length = Some(scores.dims()[1]);
    Ok(pad_packed_sequence(&packed, &Padding { total_length, ..Default::default() })?.0)
}
