//! Turning sequences around, each within its own length.

use candle_core::Tensor;

use crate::lengths::check_lengths;
use crate::packed::rows_by_position;
use crate::pad::{batch_and_steps, unflatten};
use crate::rows::select;
use crate::{PackedSequence, Result};

/// Every sequence of a packed batch from its last step to its first; its own inverse.
///
/// # Errors
///
/// Candle's alone.
pub fn reverse_packed_sequence(packed: &PackedSequence) -> Result<PackedSequence> {
    let (layout, lengths) = (packed.layout(), packed.lengths());
    let row = rows_by_position(layout);
    let index = layout.positions().map(|(b, t)| row(b, lengths[b] - 1 - t)).collect();
    PackedSequence::from_layout(select(packed.data(), index)?, layout.clone())
}

/// Every sequence of a padded tensor `[B, T, ...]` from its last step to its first, while the padding
/// behind it stays where it is; its own inverse.
///
/// # Errors
///
/// [`Error::Count`](crate::Error::Count) for a wrong number of lengths,
/// [`Error::Length`](crate::Error::Length) for one beyond T.
pub fn reverse_padded_sequence(padded: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let (batch, steps) = batch_and_steps(padded)?;
    check_lengths(lengths, batch, steps)?;
    let index = lengths.iter().enumerate().flat_map(|(b, &length)| {
        (0..steps).map(move |t| b * steps + if t < length { length - 1 - t } else { t })
    });
    unflatten(&select(&padded.flatten(0, 1)?, index.collect())?, batch, steps)
}
