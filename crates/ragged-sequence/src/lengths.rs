//! Lengths in three forms: a list, a tensor, and a mask.

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};

/// Returns the lengths in a tensor `[B]` of any dtype.
///
/// # Errors
///
/// [`Error::Length`] names the first length that is negative, fractional or not finite (PyTorch
/// truncates such lengths). [`Error::Rank`] for a tensor that is not one-dimensional.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::lengths_from_tensor;
///
/// let lengths = Tensor::new(&[3i64, 2, 4], &Device::Cpu)?;
/// assert_eq!(lengths_from_tensor(&lengths)?, [3, 2, 4]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn lengths_from_tensor(lengths: &Tensor) -> Result<Vec<usize>> {
    check_rank("lengths", "[B]", lengths, 1, true)?;
    let check =
        |index: usize, got: f64, length: Option<usize>| length.ok_or(Error::Length { index, got });
    if lengths.dtype().is_int() {
        let values = lengths.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        let lengths = values.iter().enumerate();
        return lengths.map(|(i, &v)| check(i, v as f64, usize::try_from(v).ok())).collect();
    }
    let values = lengths.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let lengths = values.iter().enumerate();
    // Above 2^53, not every whole number is an f64, so that such a length may already be rounded.
    let is_length = |v: f64| v.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&v);
    lengths.map(|(i, &v)| check(i, v, is_length(v).then_some(v as usize))).collect()
}

/// Returns a mask `[B, T]` of dtype `u8`: 1 where step `t` is within sequence `b`, otherwise 0.
///
/// T is `total_length`, or the length of the longest sequence if `None`.
///
/// # Errors
///
/// [`Error::TotalLength`] if `total_length` is less than the longest length.
///
/// ```
/// use candle_core::Device;
/// use ragged_sequence::lengths_to_mask;
///
/// let mask = lengths_to_mask(&[3, 2], None, &Device::Cpu)?;
/// assert_eq!(mask.to_vec2::<u8>()?, [[1, 1, 1], [1, 1, 0]]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn lengths_to_mask(
    lengths: &[usize],
    total_length: Option<usize>,
    device: &Device,
) -> Result<Tensor> {
    let steps = resolve_total_length(lengths, total_length)?;
    let mask: Vec<u8> =
        lengths.iter().flat_map(|&length| (0..steps).map(move |t| u8::from(t < length))).collect();
    Ok(Tensor::from_vec(mask, (lengths.len(), steps), device)?)
}

/// Returns the lengths of a mask `[B, T]` of ones followed by zeros, in any dtype.
///
/// # Errors
///
/// [`Error::Mask`] names the first value that is neither one nor zero, or a one after a zero.
/// [`Error::Rank`] for a tensor that is not two-dimensional.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_sequence::mask_to_lengths;
///
/// let mask = Tensor::new(&[[1u8, 1, 1], [1, 1, 0]], &Device::Cpu)?;
/// assert_eq!(mask_to_lengths(&mask)?, [3, 2]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn mask_to_lengths(mask: &Tensor) -> Result<Vec<usize>> {
    check_rank("mask", "[B, T]", mask, 2, true)?;
    let rows = mask.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    rows.iter()
        .enumerate()
        .map(|(row, values)| {
            let length = values.iter().take_while(|&&v| v == 1.0).count();
            match values[length..].iter().position(|&v| v != 0.0) {
                None => Ok(length),
                Some(k) => Err(Error::Mask { row, step: length + k, got: values[length + k] }),
            }
        })
        .collect()
}

/// Returns `total_length`, checked against the lengths, or the longest length if `None`.
pub(crate) fn resolve_total_length(
    lengths: &[usize],
    total_length: Option<usize>,
) -> Result<usize> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    match total_length {
        Some(total_length) if total_length < longest => {
            // The first of several longest sequences.
            let index = lengths.iter().position(|&l| l == longest).unwrap_or(0);
            Err(Error::TotalLength { total_length, longest, index })
        }
        Some(total_length) => Ok(total_length),
        None => Ok(longest),
    }
}

/// Checks the lengths of a padded batch of `batch` sequences and `steps` steps.
pub(crate) fn check_lengths(lengths: &[usize], batch: usize, steps: usize) -> Result<()> {
    if lengths.len() != batch {
        return Err(Error::LengthCount { expected: batch, got: lengths.len() });
    }
    match lengths.iter().position(|&length| length > steps) {
        None => Ok(()),
        Some(index) => Err(Error::LengthBeyondSteps { index, length: lengths[index], steps }),
    }
}

/// Checks the rank of a tensor: exactly `rank`, or at least `rank` unless `exact`.
pub(crate) fn check_rank(
    name: &'static str,
    expected: &'static str,
    tensor: &Tensor,
    rank: usize,
    exact: bool,
) -> Result<()> {
    if tensor.rank() == rank || (!exact && tensor.rank() > rank) {
        return Ok(());
    }
    Err(Error::Rank { name, expected, got: tensor.dims().to_vec() })
}
