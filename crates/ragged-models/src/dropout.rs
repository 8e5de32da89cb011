//! Dropout that draws from a generator the caller owns.

use candle_core::{DType, Tensor};
use rand::{Rng, RngCore};

use crate::Result;

/// Zeroes each element with probability `p` and scales the others by `1 / (1 - p)`, so that the
/// expectation stays (Srivastava et al. 2014, in the inverted form that PyTorch uses).
pub(crate) fn dropout(input: &Tensor, p: f64, rng: &mut dyn RngCore) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(input.clone());
    }
    let keep = if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 };
    let mask: Vec<f32> = (0..input.elem_count())
        .map(|_| if rng.random::<f64>() < p { 0.0 } else { keep as f32 })
        .collect();
    let mask = Tensor::from_vec(mask, input.dims(), input.device())?;
    let mask = match input.dtype() {
        DType::F32 => mask,
        // The scale again, in full precision.
        dtype => (mask.gt(0f32)?.to_dtype(dtype)? * keep)?,
    };
    Ok((input * mask)?)
}
