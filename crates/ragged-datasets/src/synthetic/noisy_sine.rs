//! A noisy sine and its future.

use std::f64::consts::TAU;

use rand::Rng;
use rand_distr::StandardNormal;

use crate::{Example, Result, Sequence, Target};

/// `sin(2 pi (t / period + phase))` with noise, and the wave itself `horizon` steps behind the last.
pub(super) fn draw(
    rng: &mut impl Rng,
    length: usize,
    horizon: usize,
    noise: f32,
) -> Result<Example> {
    let (period, phase) = (rng.random_range(10.0..50.0), rng.random::<f64>());
    let wave = |t: usize| (TAU * (t as f64 / period + phase)).sin() as f32;
    let values = (0..length).map(|t| wave(t) + noise * rng.sample::<f32, _>(StandardNormal));
    let sequence = Sequence::new(values.collect(), 1)?;
    Ok(Example { sequence, target: Target::Values(vec![wave(length - 1 + horizon)]) })
}
