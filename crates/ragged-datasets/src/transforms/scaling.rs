//! Features brought to one scale.

use serde::{Deserialize, Serialize};

use super::statistics::Statistics;
use crate::{Error, Result};

/// To mean 0 and deviation 1 over the training steps: `(value - mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardize {
    /// One a feature.
    pub mean: Vec<f32>,
    /// One a feature; 1 for a feature that never changes.
    pub std: Vec<f32>,
}

impl Standardize {
    pub(super) fn fit(statistics: &Statistics) -> Self {
        Self { mean: statistics.mean(), std: statistics.deviation() }
    }

    pub(super) fn check(&self, features: usize) -> Result<()> {
        check_pairs("standardize", &self.mean, &self.std, features, |mean, std| {
            mean.is_finite() && std.is_finite() && std > 0.0
        })
    }

    pub(super) fn apply(&self, values: &mut [f32]) {
        let Self { mean, std } = self;
        for step in values.chunks_exact_mut(mean.len()) {
            for ((value, mean), std) in step.iter_mut().zip(mean).zip(std) {
                *value = (*value - mean) / std;
            }
        }
    }
}

/// To `low..=high` over the training steps; other data may lie outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinMax {
    /// The smallest value of each feature.
    pub min: Vec<f32>,
    /// The largest value of each feature.
    pub max: Vec<f32>,
    /// What the smallest becomes.
    pub low: f32,
    /// What the largest becomes.
    pub high: f32,
}

impl MinMax {
    pub(super) fn fit(statistics: &Statistics, low: f32, high: f32) -> Self {
        // A feature that is always missing has no range; any will do.
        let known =
            |values: &[f32]| values.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect();
        Self { min: known(&statistics.min), max: known(&statistics.max), low, high }
    }

    pub(super) fn check(&self, features: usize) -> Result<()> {
        check_range("min-max", self.low, self.high)?;
        check_pairs("min-max", &self.min, &self.max, features, |min, max| {
            min.is_finite() && max.is_finite() && min <= max
        })
    }

    /// A feature that never changes becomes `low`, as with scikit-learn.
    pub(super) fn apply(&self, values: &mut [f32]) {
        let Self { min, max, low, high } = self;
        for step in values.chunks_exact_mut(min.len()) {
            for ((value, min), max) in step.iter_mut().zip(min).zip(max) {
                // In f64, where the width of no pair of f32 overflows.
                let width = f64::from(*max) - f64::from(*min);
                let width = if width > 0.0 { width } else { 1.0 };
                let share = (f64::from(*value) - f64::from(*min)) / width;
                *value = (f64::from(*low) + share * (f64::from(*high) - f64::from(*low))) as f32;
            }
        }
    }
}

/// Two finite bounds in order.
pub(super) fn check_range(name: &'static str, low: f32, high: f32) -> Result<()> {
    if low.is_finite() && high.is_finite() && low < high {
        return Ok(());
    }
    let expected = "two finite numbers, the lower first".into();
    Err(Error::Config { name, got: format!("{low} to {high}"), expected })
}

/// Two lists of a number a feature.
fn check_pairs(
    name: &'static str,
    first: &[f32],
    second: &[f32],
    features: usize,
    usable: fn(f32, f32) -> bool,
) -> Result<()> {
    if (first.len(), second.len()) != (features, features) {
        let (got, expected) =
            (format!("for {} features", first.len()), format!("one for {features}"));
        return Err(Error::Config { name, got, expected });
    }
    match first.iter().zip(second).position(|(&a, &b)| !usable(a, b)) {
        None => Ok(()),
        Some(k) => {
            let got = format!("{} and {} for feature {k}", first[k], second[k]);
            Err(Error::Config { name, got, expected: "numbers that can be scaled by".into() })
        }
    }
}
