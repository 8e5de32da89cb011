//! Sequences of unequal length in one rectangular tensor, and back.

use candle_core::Tensor;

use crate::lengths::{check_lengths, check_rank, resolve_total_length};
use crate::rows::select_or_fill;
use crate::{Error, Result};

/// How the room beside shorter sequences is filled.
///
/// The default is PyTorch's: zeros on the right, up to the longest sequence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Padding {
    /// What the padding holds.
    pub value: f64,
    /// Where the padding stands.
    pub side: PaddingSide,
    /// The number of steps after padding; the longest sequence's where `None`.
    pub total_length: Option<usize>,
}

/// The end of the sequences at which padding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaddingSide {
    /// Behind the last step.
    #[default]
    Right,
    /// Before the first step.
    Left,
}

impl PaddingSide {
    /// The place in `total` steps at which a sequence of `length` begins.
    pub(crate) fn begin(self, length: usize, total: usize) -> usize {
        match self {
            Self::Right => 0,
            Self::Left => total - length,
        }
    }
}

/// Stacks sequences `[length, ...]` into one tensor `[B, T, ...]`.
///
/// All need the same dtype, device and trailing shape. A gradient flows to the sequences alone.
///
/// # Errors
///
/// [`Error::Count`] for no sequence at all (which would have no dtype), [`Error::Mismatch`] for one
/// that differs from the first, [`Error::PaddingValue`], [`Error::TotalLength`].
pub fn pad_sequence(sequences: &[Tensor], padding: &Padding) -> Result<Tensor> {
    let (rows, lengths) = concatenate(sequences)?;
    let total = resolve_total_length(&lengths, padding.total_length)?;
    let offsets = lengths.iter().scan(0, |end, &length| {
        *end += length;
        Some(*end - length)
    });
    let index = lengths.iter().zip(offsets).flat_map(|(&length, offset)| {
        let begin = padding.side.begin(length, total);
        (0..total).map(move |t| (begin..begin + length).contains(&t).then(|| offset + t - begin))
    });
    let padded = select_or_fill(&rows, index, padding.value)?;
    unflatten(&padded, lengths.len(), total)
}

/// The sequences in a padded tensor `[B, T, ...]`: the inverse of [`pad_sequence`].
///
/// # Errors
///
/// [`Error::Count`] for a wrong number of lengths, [`Error::Length`] for one beyond T.
pub fn unpad_sequence(
    padded: &Tensor,
    lengths: &[usize],
    side: PaddingSide,
) -> Result<Vec<Tensor>> {
    let (batch, total) = batch_and_steps(padded)?;
    check_lengths(lengths, batch, total)?;
    let sequences = lengths.iter().enumerate();
    sequences
        .map(|(b, &length)| Ok(padded.get(b)?.narrow(0, side.begin(length, total), length)?))
        .collect()
}

/// All rows of all sequences behind one another, and the lengths.
pub(crate) fn concatenate(sequences: &[Tensor]) -> Result<(Tensor, Vec<usize>)> {
    let Some(first) = sequences.first() else {
        return Err(Error::Count { what: "sequences", expected: "at least 1".into(), got: 0 });
    };
    for (index, sequence) in sequences.iter().enumerate() {
        check_rank("sequence", "[length, ...]", sequence, 1, false)?;
        let mismatch = |what, expected: String, got: String| {
            Err(Error::Mismatch { index, what, expected, got })
        };
        if sequence.dtype() != first.dtype() {
            let name = |tensor: &Tensor| tensor.dtype().as_str().to_string();
            return mismatch("dtype", name(first), name(sequence));
        }
        if !sequence.device().same_device(first.device()) {
            let name = |tensor: &Tensor| format!("{:?}", tensor.device().location());
            return mismatch("device", name(first), name(sequence));
        }
        if sequence.dims()[1..] != first.dims()[1..] {
            let shape = |tensor: &Tensor| format!("{:?}", &tensor.dims()[1..]);
            return mismatch("trailing shape", shape(first), shape(sequence));
        }
    }
    let lengths = sequences.iter().map(|sequence| sequence.dims()[0]).collect();
    Ok((Tensor::cat(sequences, 0)?, lengths))
}

/// B and T of a padded tensor `[B, T, ...]`.
pub(crate) fn batch_and_steps(padded: &Tensor) -> Result<(usize, usize)> {
    check_rank("padded input", "[B, T, ...]", padded, 2, false)?;
    Ok((padded.dims()[0], padded.dims()[1]))
}

/// `[B * T, ...]` as `[B, T, ...]`.
pub(crate) fn unflatten(rows: &Tensor, batch: usize, steps: usize) -> Result<Tensor> {
    let mut shape = vec![batch, steps];
    shape.extend_from_slice(&rows.dims()[1..]);
    Ok(rows.reshape(shape)?)
}
