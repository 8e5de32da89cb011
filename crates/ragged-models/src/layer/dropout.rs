//! Dropout and zoneout whose random values come from the caller's generator.

use candle_core::{DType, Device, Shape, Tensor};
use rand::{Rng, RngCore};

use crate::config::RecurrentConfig;
use crate::error::{Error, Result};
use crate::mode::Mode;
use crate::op::zoneout::{Kept, Zoneout};

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

/// Returns what the steps of a pass over `rows` packed rows keep: in training, drawn for each row and unit; otherwise,
/// the expectation.
pub(crate) fn zoneout(
    config: &RecurrentConfig,
    rows: usize,
    like: &Tensor,
    mode: &mut Mode,
) -> Result<Option<Zoneout>> {
    let Some(expected) = Zoneout::expected(config) else { return Ok(None) };
    let Mode::Train(rng) = mode else { return Ok(Some(expected)) };
    let mut draw = |kept: Kept, units: usize| match kept {
        Kept::All(p) if p > 0.0 => {
            let shape = (rows, units).into();
            Ok(Kept::Rows(drawn(&shape, p, [1.0, 0.0], like.dtype(), like.device(), *rng)?))
        }
        kept => Ok::<_, Error>(kept),
    };
    let hidden = draw(expected.hidden, config.output_size())?;
    Ok(Some(Zoneout { hidden, cell: draw(expected.cell, config.hidden_size)? }))
}

/// A mask of zeros, with probability `p`, and of values that keep the expectation.
fn mask(
    shape: &Shape,
    p: f64,
    dtype: DType,
    device: &Device,
    rng: &mut dyn RngCore,
) -> Result<Tensor> {
    let keep = if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 };
    drawn(shape, p, [0.0, keep], dtype, device, rng)
}

/// Elements that are the first of two values with probability `p` and otherwise the second.
fn drawn(
    shape: &Shape,
    p: f64,
    [first, second]: [f64; 2],
    dtype: DType,
    device: &Device,
    rng: &mut dyn RngCore,
) -> Result<Tensor> {
    let drawn =
        (0..shape.elem_count()).map(|_| if rng.random::<f64>() < p { first } else { second });
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

    #[test]
    fn zoneout_keeps_states_with_its_probability() {
        let (zoneout_hidden, zoneout_cell) = (0.2, 0.5);
        let config =
            RecurrentConfig { zoneout_hidden, zoneout_cell, ..RecurrentConfig::new(1, 20) };
        let like = Tensor::ones(1, DType::F64, &Device::Cpu).unwrap();
        let mut rng = Generator::seed(2);
        let drawn = zoneout(&config, 5000, &like, &mut Mode::Train(&mut rng)).unwrap().unwrap();
        for (kept, p) in [(&drawn.hidden, zoneout_hidden), (&drawn.cell, zoneout_cell)] {
            let rows = kept.rows().unwrap();
            assert_eq!(rows.dims(), [5000, 20]);
            let values = rows.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert!(values.iter().all(|&v| v == 0.0 || v == 1.0));
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!((mean - p).abs() < 0.01, "p = {p}: mean {mean}");
        }
        let expected = zoneout(&config, 5000, &like, &mut Mode::Inference).unwrap().unwrap();
        assert!(
            matches!(expected.hidden, Kept::All(0.2)) && matches!(expected.cell, Kept::All(0.5))
        );
        let plain = zoneout(&RecurrentConfig::new(1, 20), 5, &like, &mut Mode::Eval).unwrap();
        assert!(plain.is_none());
    }
}
