//! A sine with noise, and its future.

use std::f64::consts::TAU;

use rand::Rng;
use rand_distr::StandardNormal;

use crate::error::Result;
use crate::example::{Example, Sequence, Target};

/// Draws `sin(2 pi (t / period + phase))` plus noise.
///
/// The target is the wave without noise, `horizon` steps after the last step.
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
    Ok(Example::new(sequence, Target::Values(vec![wave(length - 1 + horizon)])))
}
