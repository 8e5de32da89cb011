//! Dropout that draws from a generator the caller owns.

use candle_core::{DType, Device, Shape, Tensor};
use rand::{Rng, RngCore};

use crate::{Mode, Result};

/// Zeroes each element with probability `p` and scales the others by `1 / (1 - p)`, so that the
/// expectation stays (Srivastava et al. 2014, in the inverted form that PyTorch uses).
pub(crate) fn dropout(input: &Tensor, p: f64, rng: &mut dyn RngCore) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(input.clone());
    }
    Ok((input * mask(input.shape(), p, input.dtype(), input.device(), rng)?)?)
}

/// The mask `[B, ..]` of one layer and direction, one row a sequence, for all of its steps; none
/// where nothing is dropped.
pub(crate) fn recurrent_mask(
    shape: (usize, usize),
    p: f64,
    like: &Tensor,
    mode: &mut Mode,
) -> Result<Option<Tensor>> {
    match mode {
        Mode::Train(rng) if p > 0.0 => {
            Ok(Some(mask(&shape.into(), p, like.dtype(), like.device(), *rng)?))
        }
        _ => Ok(None),
    }
}

/// Zeros with probability `p`, `1 / (1 - p)` otherwise.
fn mask(
    shape: &Shape,
    p: f64,
    dtype: DType,
    device: &Device,
    rng: &mut dyn RngCore,
) -> Result<Tensor> {
    let keep = if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 };
    let drawn = (0..shape.elem_count()).map(|_| if rng.random::<f64>() < p { 0.0 } else { keep });
    Ok(match dtype {
        DType::F32 => {
            Tensor::from_vec(drawn.map(|v| v as f32).collect::<Vec<_>>(), shape.dims(), device)?
        }
        _ => {
            Tensor::from_vec(drawn.collect::<Vec<f64>>(), shape.dims(), device)?.to_dtype(dtype)?
        }
    })
}
