//! Reversing the steps of sequences, each within its own length.

use candle_core::Tensor;

use crate::error::Result;
use crate::gather::select;
use crate::lengths::check_lengths;
use crate::packed_sequence::{PackedSequence, rows_by_position};
use crate::pad::{batch_and_steps, unflatten};

/// Reverses the steps of every sequence of a packed batch.
///
/// # Errors
///
/// Errors from candle.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{pack_padded_sequence, reverse_packed_sequence, unpack_sequence};
///
/// let padded = Tensor::new(&[[1u32, 2, 0], [3, 4, 5]], &Device::Cpu)?;
/// let packed = pack_padded_sequence(&padded, &[2, 3], false)?;
/// let reversed = unpack_sequence(&reverse_packed_sequence(&packed)?)?;
/// assert_eq!(reversed[0].to_vec1::<u32>()?, [2, 1]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn reverse_packed_sequence(packed: &PackedSequence) -> Result<PackedSequence> {
    let (layout, lengths) = (packed.layout(), packed.lengths());
    let row = rows_by_position(layout);
    let index = layout.positions().map(|(b, t)| row(b, lengths[b] - 1 - t)).collect();
    PackedSequence::from_layout(select(packed.data(), index)?, layout.clone())
}

/// Reverses the steps of every sequence of a padded tensor `[B, T, ...]`. The padding after a sequence
/// keeps its place.
///
/// # Errors
///
/// [`Error::LengthCount`](crate::Error::LengthCount),
/// [`Error::LengthBeyondSteps`](crate::Error::LengthBeyondSteps) and
/// [`Error::Rank`](crate::Error::Rank).
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::reverse_padded_sequence;
///
/// let padded = Tensor::new(&[[1u32, 2, 0], [3, 4, 5]], &Device::Cpu)?;
/// let reversed = reverse_padded_sequence(&padded, &[2, 3])?;
/// assert_eq!(reversed.to_vec2::<u32>()?, [[2, 1, 0], [5, 4, 3]]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn reverse_padded_sequence(padded: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let (batch, steps) = batch_and_steps(padded)?;
    check_lengths(lengths, batch, steps)?;
    let index = lengths.iter().enumerate().flat_map(|(b, &length)| {
        (0..steps).map(move |t| b * steps + if t < length { length - 1 - t } else { t })
    });
    unflatten(&select(&padded.flatten(0, 1)?, index.collect())?, batch, steps)
}
