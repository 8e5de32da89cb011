//! Scaling of features.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Scales each feature to mean 0 and standard deviation 1 over the training steps:
/// `(value - mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardize {
    /// The mean of each feature.
    pub mean: Vec<f64>,
    /// The standard deviation of each feature; 1 for a constant feature.
    pub std: Vec<f64>,
}

impl Standardize {
    pub(crate) fn check(&self, features: usize) -> Result<()> {
        let usable = |mean: f64, std: f64| mean.is_finite() && std.is_finite() && std > 0.0;
        let expected = "a finite mean and a positive standard deviation";
        check_pairs("standardize", &self.mean, &self.std, features, usable, expected)
    }

    pub(crate) fn apply(&self, values: &mut [f64]) {
        let Self { mean, std } = self;
        for step in values.chunks_exact_mut(mean.len()) {
            for ((value, mean), std) in step.iter_mut().zip(mean).zip(std) {
                *value = (*value - mean) / std;
            }
        }
    }
}

/// Scales each feature to `low..=high` over the training steps. Other data may exceed this range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinMax {
    /// The smallest training value of each feature.
    pub min: Vec<f64>,
    /// The largest training value of each feature.
    pub max: Vec<f64>,
    /// The result for the smallest value.
    pub low: f32,
    /// The result for the largest value.
    pub high: f32,
}

impl MinMax {
    pub(crate) fn check(&self, features: usize) -> Result<()> {
        check_range("min-max", self.low, self.high)?;
        let usable = |min: f64, max: f64| min.is_finite() && max.is_finite() && min <= max;
        let expected = "a finite minimum and a maximum of at least the minimum";
        check_pairs("min-max", &self.min, &self.max, features, usable, expected)
    }

    /// A constant feature becomes `low`, as in scikit-learn.
    pub(crate) fn apply(&self, values: &mut [f64]) {
        let Self { min, max, low, high } = self;
        for step in values.chunks_exact_mut(min.len()) {
            for ((value, min), max) in step.iter_mut().zip(min).zip(max) {
                // The difference of two values in the range of 32-bit floats cannot overflow.
                let width = if max > min { max - min } else { 1.0 };
                let relative = (*value - min) / width;
                *value = f64::from(*low) + relative * (f64::from(*high) - f64::from(*low));
            }
        }
    }
}

/// Checks that two bounds are finite and in increasing order.
pub(crate) fn check_range(name: &'static str, low: f32, high: f32) -> Result<()> {
    if low.is_finite() && high.is_finite() && low < high {
        return Ok(());
    }
    Err(Error::Bounds { name, low, high })
}

/// Checks two lists of one value per feature.
fn check_pairs(
    name: &'static str,
    first: &[f64],
    second: &[f64],
    features: usize,
    usable: fn(f64, f64) -> bool,
    expected: &'static str,
) -> Result<()> {
    if (first.len(), second.len()) != (features, features) {
        // Blames the first list unless only the second has another length.
        let got = if first.len() == features { second.len() } else { first.len() };
        return Err(Error::Count { name, got, expected: features });
    }
    match first.iter().zip(second).position(|(&a, &b)| !usable(a, b)) {
        None => Ok(()),
        Some(k) => Err(Error::Fitted {
            transform: name,
            feature: k,
            got: vec![first[k], second[k]],
            expected,
        }),
    }
}
