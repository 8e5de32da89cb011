//! Series with a trend, two seasons and promotions that are known in advance.

use std::f64::consts::TAU;

use rand::Rng;
use rand_distr::StandardNormal;

use crate::error::Result;
use crate::example::{Example, Sequence, Target};

pub(super) const FEATURES: usize = 2;

/// Returns the names of the features.
pub(super) fn names() -> Vec<String> {
    ["demand", "promotion"].map(String::from).to_vec()
}

/// The steps of the two seasons: the days of a week and of a lunar month.
const SEASONS: [f64; 2] = [7.0, 28.0];

/// Returns the variance of the demand without noise over all steps of all series of `length` steps.
pub(super) fn variance(length: usize) -> f64 {
    // Level and trend are uniform; a sine has half its squared amplitude; promotions are on in 0.3 of the steps.
    let level = 20f64.powi(2) / 12.0;
    let trend = 0.04f64.powi(2) / 12.0 * (length as f64).powi(2) / 3.0;
    let square = |low: f64, high: f64| (low * low + low * high + high * high) / 3.0;
    let seasons = (square(3.0, 8.0) + square(2.0, 5.0)) / 2.0;
    let promotions = 0.3 * square(4.0, 8.0) - (0.3f64 * 6.0).powi(2);
    level + trend + seasons + promotions
}

/// Draws a series that [`SyntheticTask::Seasonal`](crate::synthetic::SyntheticTask::Seasonal) describes.
pub(super) fn draw(rng: &mut impl Rng, length: usize, noise: f32) -> Result<Example> {
    let level = rng.random_range(40.0..60.0f64);
    let trend = rng.random_range(-0.02..0.02f64);
    let amplitudes = [rng.random_range(3.0..8.0f64), rng.random_range(2.0..5.0)];
    let phases = [rng.random::<f64>(), rng.random()];
    let effect = rng.random_range(4.0..8.0f64);
    let (mut promotion, mut left) = (false, 0u32);
    let mut values = Vec::with_capacity(length * FEATURES);
    for t in 0..length {
        if left == 0 {
            promotion = rng.random_bool(0.3);
            left = rng.random_range(3..10);
        }
        left -= 1;
        let t = t as f64;
        let seasons = (0..2).map(|k| amplitudes[k] * (TAU * (t / SEASONS[k] + phases[k])).sin());
        let mean =
            level + trend * t + seasons.sum::<f64>() + effect * f64::from(u8::from(promotion));
        let error = f64::from(noise * rng.sample::<f32, _>(StandardNormal));
        values.extend([(mean + error) as f32, f32::from(u8::from(promotion))]);
    }
    Ok(Example::new(Sequence::new(values, FEATURES)?, Target::Values(vec![])))
}
