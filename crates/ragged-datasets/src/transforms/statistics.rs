//! What the training examples show of each feature.

use super::Pipeline;
use crate::{Dataset, Result};

/// Over all steps of all examples; missing values count for nothing but `missing`.
#[derive(Debug)]
pub(super) struct Statistics {
    count: Vec<f64>,
    mean: Vec<f64>,
    squares: Vec<f64>,
    /// NaN for a feature that is always missing.
    pub(super) min: Vec<f32>,
    /// NaN for a feature that is always missing.
    pub(super) max: Vec<f32>,
    /// Whether some value is missing.
    pub(super) missing: Vec<bool>,
}

impl Statistics {
    /// Sums in f64, in the order of the examples (Welford 1962). Examples are those of epoch 0,
    /// after the transforms before.
    pub(super) fn of<D: Dataset + ?Sized>(dataset: &D, before: &Pipeline) -> Result<Self> {
        let features = before.output_features();
        let mut this = Self {
            count: vec![0.0; features],
            mean: vec![0.0; features],
            squares: vec![0.0; features],
            min: vec![f32::NAN; features],
            max: vec![f32::NAN; features],
            missing: vec![false; features],
        };
        for index in 0..dataset.len() {
            let example = before.apply(index, dataset.get(0, index)?)?;
            for step in example.sequence.steps() {
                step.iter().enumerate().for_each(|(k, &value)| this.add(k, value));
            }
        }
        Ok(this)
    }

    fn add(&mut self, k: usize, value: f32) {
        if value.is_nan() {
            self.missing[k] = true;
            return;
        }
        // `min` and `max` leave NaN behind for the number.
        self.min[k] = self.min[k].min(value);
        self.max[k] = self.max[k].max(value);
        let value = f64::from(value);
        self.count[k] += 1.0;
        let before = value - self.mean[k];
        self.mean[k] += before / self.count[k];
        self.squares[k] += before * (value - self.mean[k]);
    }

    /// The mean of each feature; 0 for one that is always missing.
    pub(super) fn mean(&self) -> Vec<f32> {
        self.mean.iter().map(|&mean| mean as f32).collect()
    }

    /// The deviation of each feature; 1 for one that never changes.
    pub(super) fn deviation(&self) -> Vec<f32> {
        let deviation = |(&squares, &count): (&f64, &f64)| {
            let deviation = (squares / count).sqrt() as f32;
            if deviation.is_finite() && deviation > 0.0 { deviation } else { 1.0 }
        };
        self.squares.iter().zip(&self.count).map(deviation).collect()
    }
}
