//! Lengths in their three forms: numbers, a tensor, a mask.

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// The lengths in a tensor `[B]` of any dtype.
///
/// # Errors
///
/// [`Error::Length`] names the first one that is negative, fractional or not finite, where PyTorch
/// truncates. [`Error::Layout`] for a tensor that is not one-dimensional.
pub fn lengths_from_tensor(lengths: &Tensor) -> Result<Vec<usize>> {
    check_rank("lengths", "[B]", lengths, 1, true)?;
    let whole = |index: usize, got: String, length: Option<usize>| {
        length.ok_or(Error::Length { index, got, expected: "of at least 0".into() })
    };
    if lengths.dtype().is_int() {
        let values = lengths.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        let lengths = values.iter().enumerate();
        return lengths.map(|(i, &v)| whole(i, v.to_string(), usize::try_from(v).ok())).collect();
    }
    let values = lengths.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let lengths = values.iter().enumerate();
    // Above 2^53 not every whole number is an f64, so a length there may already be rounded.
    let is_length = |v: f64| v.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&v);
    lengths.map(|(i, &v)| whole(i, v.to_string(), is_length(v).then_some(v as usize))).collect()
}

/// A mask `[B, T]` of dtype `u8`: one where step `t` lies within sequence `b`, zero elsewhere.
///
/// T is `total_length`, or the longest length.
///
/// # Errors
///
/// [`Error::TotalLength`] where the total length is below the longest.
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

/// The lengths that a mask `[B, T]` of ones followed by zeros stands for, in any dtype.
///
/// # Errors
///
/// [`Error::Mask`] names the first place that is neither one nor zero, or is one behind a zero.
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

/// `total_length`, checked against the lengths, or the longest of them.
pub(crate) fn resolve_total_length(
    lengths: &[usize],
    total_length: Option<usize>,
) -> Result<usize> {
    // max_by_key would name the last of several; the first is the one a reader finds.
    let longest = lengths.iter().copied().max().unwrap_or(0);
    match total_length {
        Some(total_length) if total_length < longest => {
            let index = lengths.iter().position(|&l| l == longest).unwrap_or(0);
            Err(Error::TotalLength { total_length, longest, index })
        }
        Some(total_length) => Ok(total_length),
        None => Ok(longest),
    }
}

/// Checks that lengths belong to a padded batch of `batch` sequences and `steps` steps.
pub(crate) fn check_lengths(lengths: &[usize], batch: usize, steps: usize) -> Result<()> {
    if lengths.len() != batch {
        return Err(Error::Count {
            what: "lengths",
            expected: format!("{batch}, one a sequence"),
            got: lengths.len(),
        });
    }
    match lengths.iter().position(|&length| length > steps) {
        None => Ok(()),
        Some(index) => Err(Error::Length {
            index,
            got: lengths[index].to_string(),
            expected: format!("from 0 to {steps}, the padded steps"),
        }),
    }
}

/// Checks a tensor's rank: exactly `rank`, or at least that.
pub(crate) fn check_rank(
    name: &'static str,
    shape: &str,
    tensor: &Tensor,
    rank: usize,
    exact: bool,
) -> Result<()> {
    if tensor.rank() == rank || (!exact && tensor.rank() > rank) {
        return Ok(());
    }
    Err(Error::Layout {
        name,
        expected: format!("a tensor {shape}"),
        got: format!("shape {:?}", tensor.dims()),
    })
}
