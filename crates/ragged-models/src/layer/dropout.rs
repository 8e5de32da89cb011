//! Dropout whose random values come from the caller's generator.

use candle_core::{DType, Device, Shape, Tensor};
use rand::{Rng, RngCore};

use crate::error::Result;
use crate::mode::Mode;

/// Sets each element to zero with probability `p` and multiplies the others by `1 / (1 - p)`, which
/// preserves the expectation (Srivastava et al. 2014, in the inverted form that PyTorch uses).
pub(crate) fn dropout(input: &Tensor, p: f64, rng: &mut dyn RngCore) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(input.clone());
    }
    Ok((input * mask(input.shape(), p, input.dtype(), input.device(), rng)?)?)
}

/// Draws the mask `[B, P]` of one layer and direction, one row per sequence, for all of its steps;
/// `None` if nothing is dropped.
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

/// Returns a tensor whose elements are zero with probability `p` and `1 / (1 - p)` otherwise.
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

#[cfg(test)]
mod tests {
    use ragged_sequence::random::Generator;

    use super::*;

    #[test]
    fn the_expectation_is_preserved() {
        let ones = Tensor::ones(100_000, DType::F64, &Device::Cpu).unwrap();
        for p in [0.0, 0.3, 0.5] {
            let dropped = dropout(&ones, p, &mut Generator::seed(1)).unwrap();
            let values = dropped.to_vec1::<f64>().unwrap();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!((mean - 1.0).abs() < 0.02, "p = {p}: mean {mean}");
            assert!(values.iter().all(|&v| v == 0.0 || v == 1.0 / (1.0 - p)), "p = {p}");
        }
    }
}
