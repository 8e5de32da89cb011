//! The softmax over the steps of each sequence, as attention needs it.

use candle_core::Tensor;

use crate::rows::select;
use crate::{
    PackedSequence, Padding, Pooling, Result, pack_padded_sequence, pad_packed_sequence, pool,
};

/// The softmax over the steps of each sequence: rows `[N, ...]` that sum to one by sequence.
///
/// # Errors
///
/// Candle's alone, for a dtype that has no exponential.
pub fn packed_softmax(scores: &PackedSequence) -> Result<PackedSequence> {
    let sequences: Vec<usize> = scores.layout().positions().map(|(b, _)| b).collect();
    let spread = |pooled: &Tensor| select(pooled, sequences.clone());
    // Subtracting the largest score changes nothing but keeps the exponentials finite.
    let largest = spread(&pool(scores, Pooling::Max)?.detach())?;
    let exps = scores.map(|rows| (rows - largest)?.exp())?;
    let sums = spread(&pool(&exps, Pooling::Sum)?)?;
    exps.map(|rows| rows / sums)
}

/// The softmax over the steps of each sequence of a padded tensor `[B, T, ...]`: zero in the
/// padding, whose values are not read.
///
/// # Errors
///
/// [`Error::Count`](crate::Error::Count) for a wrong number of lengths,
/// [`Error::Length`](crate::Error::Length) for one beyond T.
pub fn masked_softmax(scores: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let packed = packed_softmax(&pack_padded_sequence(scores, lengths, false)?)?;
    let total_length = Some(scores.dims()[1]);
    Ok(pad_packed_sequence(&packed, &Padding { total_length, ..Default::default() })?.0)
}
