//! Padding: sequences of unequal length in one rectangular tensor, and back.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::gather::select_or_fill;
use crate::lengths::{check_lengths, check_rank, resolve_total_length};

/// How sequences are padded.
///
/// The default is PyTorch's: zeros on the right, up to the length of the longest sequence.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{Padding, PaddingSide, pad_sequence};
///
/// let sequences = [Tensor::new(&[1i64, 2], &Device::Cpu)?, Tensor::new(&[3i64], &Device::Cpu)?];
/// let padding = Padding { value: -1.0, side: PaddingSide::Left, total_length: Some(3) };
/// let padded = pad_sequence(&sequences, &padding)?;
/// assert_eq!(padded.to_vec2::<i64>()?, [[-1, 1, 2], [-1, -1, 3]]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Padding {
    /// The value of the padding.
    pub value: f64,
    /// The side of the padding.
    pub side: PaddingSide,
    /// T, the number of steps after padding; the length of the longest sequence if `None`.
    pub total_length: Option<usize>,
}

/// The side of the sequences at which padding is added.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{PaddingSide, unpad_sequence};
///
/// let padded = Tensor::new(&[[0i64, 1, 2], [0, 0, 3]], &Device::Cpu)?;
/// let sequences = unpad_sequence(&padded, &[2, 1], PaddingSide::Left)?;
/// assert_eq!(sequences[0].to_vec1::<i64>()?, [1, 2]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaddingSide {
    /// After the last step.
    #[default]
    Right,
    /// Before the first step.
    Left,
}

impl PaddingSide {
    /// Returns the step at which a sequence of `length` begins in `total` steps.
    pub(crate) fn begin(self, length: usize, total: usize) -> usize {
        match self {
            Self::Right => 0,
            Self::Left => total - length,
        }
    }
}

/// Stacks sequences `[length, ...]` into one tensor `[B, T, ...]`.
///
/// All sequences must have the same dtype, device and trailing shape. Gradients flow to the sequences.
///
/// # Errors
///
/// [`Error::NoSequences`]; [`Error::DType`], [`Error::Device`] and [`Error::TrailingShape`] for a
/// sequence that differs from the first; [`Error::PaddingValue`]; [`Error::TotalLength`].
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{Padding, pad_sequence};
///
/// let sequences = [Tensor::new(&[1u32, 2], &Device::Cpu)?, Tensor::new(&[3u32], &Device::Cpu)?];
/// let padded = pad_sequence(&sequences, &Padding::default())?;
/// assert_eq!(padded.to_vec2::<u32>()?, [[1, 2], [3, 0]]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
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

/// Returns the sequences in a padded tensor `[B, T, ...]`: the inverse of [`pad_sequence`].
///
/// # Errors
///
/// [`Error::LengthCount`], [`Error::LengthBeyondSteps`] and [`Error::Rank`].
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::{PaddingSide, unpad_sequence};
///
/// let padded = Tensor::new(&[[1u32, 2], [3, 0]], &Device::Cpu)?;
/// let sequences = unpad_sequence(&padded, &[2, 1], PaddingSide::Right)?;
/// assert_eq!(sequences[1].to_vec1::<u32>()?, [3]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
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

/// Concatenates the rows of all sequences. Returns the rows and the lengths.
pub(crate) fn concatenate(sequences: &[Tensor]) -> Result<(Tensor, Vec<usize>)> {
    let Some(first) = sequences.first() else {
        return Err(Error::NoSequences);
    };
    for (index, sequence) in sequences.iter().enumerate() {
        check_rank("sequence", "[length, ...]", sequence, 1, false)?;
        if sequence.dtype() != first.dtype() {
            let (expected, got) = (first.dtype(), sequence.dtype());
            return Err(Error::DType { index, expected, got });
        }
        if !sequence.device().same_device(first.device()) {
            let (expected, got) = (first.device().location(), sequence.device().location());
            return Err(Error::Device { index, expected, got });
        }
        if sequence.dims()[1..] != first.dims()[1..] {
            let (expected, got) = (first.dims()[1..].to_vec(), sequence.dims()[1..].to_vec());
            return Err(Error::TrailingShape { index, expected, got });
        }
    }
    let lengths = sequences.iter().map(|sequence| sequence.dims()[0]).collect();
    Ok((Tensor::cat(sequences, 0)?, lengths))
}

/// Returns B and T of a padded tensor `[B, T, ...]`.
pub(crate) fn batch_and_steps(padded: &Tensor) -> Result<(usize, usize)> {
    check_rank("padded input", "[B, T, ...]", padded, 2, false)?;
    Ok((padded.dims()[0], padded.dims()[1]))
}

/// Reshapes rows `[B * T, ...]` to `[B, T, ...]`.
pub(crate) fn unflatten(rows: &Tensor, batch: usize, steps: usize) -> Result<Tensor> {
    let mut shape = vec![batch, steps];
    shape.extend_from_slice(&rows.dims()[1..]);
    Ok(rows.reshape(shape)?)
}
