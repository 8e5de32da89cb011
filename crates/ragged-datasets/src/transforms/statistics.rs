//! Statistics of each feature of the training examples.

use ragged_transforms::{MinMax, Standardize};

use crate::error::Result;
use crate::example::Example;

/// Statistics over all steps of all examples. Missing values only count in `missing`.
#[derive(Debug)]
pub(super) struct Statistics {
    count: Vec<f64>,
    mean: Vec<f64>,
    /// The sum of squared deviations from the mean.
    squares: Vec<f64>,
    /// NaN for a feature that is always missing.
    min: Vec<f64>,
    /// NaN for a feature that is always missing.
    max: Vec<f64>,
    /// Whether any value is missing.
    pub(super) missing: Vec<bool>,
}

impl Statistics {
    /// Accumulates in f64, in the order of the examples (Welford 1962).
    pub(super) fn of(
        features: usize,
        examples: impl Iterator<Item = Result<Example>>,
    ) -> Result<Self> {
        let mut this = Self {
            count: vec![0.0; features],
            mean: vec![0.0; features],
            squares: vec![0.0; features],
            min: vec![f64::NAN; features],
            max: vec![f64::NAN; features],
            missing: vec![false; features],
        };
        for example in examples {
            for step in example?.sequence.wide_values().chunks_exact(features.max(1)) {
                step.iter().enumerate().for_each(|(k, &value)| this.add(k, value));
            }
        }
        Ok(this)
    }

    fn add(&mut self, k: usize, value: f64) {
        if value.is_nan() {
            self.missing[k] = true;
            return;
        }
        // `min` and `max` of NaN and a number are the number.
        self.min[k] = self.min[k].min(value);
        self.max[k] = self.max[k].max(value);
        self.count[k] += 1.0;
        let deviation = value - self.mean[k];
        self.mean[k] += deviation / self.count[k];
        self.squares[k] += deviation * (value - self.mean[k]);
    }

    /// Returns the mean of each feature; 0 for a feature that is always missing.
    pub(super) fn mean(&self) -> Vec<f64> {
        self.mean.clone()
    }

    /// Scales each feature to mean 0 and standard deviation 1.
    pub(super) fn standardize(&self) -> Standardize {
        Standardize { mean: self.mean(), std: self.deviation() }
    }

    /// Scales each feature to a range.
    pub(super) fn min_max(&self, low: f32, high: f32) -> MinMax {
        // A feature that is always missing has no range, and any range leaves it missing.
        let known =
            |values: &[f64]| values.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect();
        MinMax { min: known(&self.min), max: known(&self.max), low, high }
    }

    /// Returns the standard deviation of each feature; 1 for a constant feature.
    fn deviation(&self) -> Vec<f64> {
        let deviation = |(&squares, &count): (&f64, &f64)| {
            let deviation = (squares / count).sqrt();
            if deviation.is_finite() && deviation > 0.0 { deviation } else { 1.0 }
        };
        self.squares.iter().zip(&self.count).map(deviation).collect()
    }
}
