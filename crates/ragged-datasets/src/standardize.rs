//! Features scaled to mean zero and deviation one, by what the training examples show.

use serde::{Deserialize, Serialize};

use crate::{Dataset, Error, Example, Result, TargetKind};

/// The mean and the deviation of every feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardize {
    /// One a feature.
    pub mean: Vec<f32>,
    /// One a feature; 1 for a feature that never changes.
    pub std: Vec<f32>,
}

impl Standardize {
    /// Measures all steps of all examples; a missing value (NaN) counts for nothing.
    ///
    /// Sums in f64, in the order of the examples (Welford 1962). Examples are those of epoch 0.
    ///
    /// # Errors
    ///
    /// Those of the data set, and [`Error::Example`] for an example with other features than it says.
    pub fn fit<D: Dataset>(dataset: &D) -> Result<Self> {
        let mut count = vec![0f64; dataset.features()];
        let mut mean = count.clone();
        let mut squares = count.clone();
        for index in 0..dataset.len() {
            let example = dataset.get(0, index)?;
            check_features(index, &example, count.len())?;
            for step in example.sequence.steps() {
                for (k, &value) in step.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
                    let value = f64::from(value);
                    count[k] += 1.0;
                    let before = value - mean[k];
                    mean[k] += before / count[k];
                    squares[k] += before * (value - mean[k]);
                }
            }
        }
        let deviation = |(&squares, &count): (&f64, &f64)| {
            let std = (squares / count).sqrt() as f32;
            if std.is_finite() && std > 0.0 { std } else { 1.0 }
        };
        Ok(Self {
            std: squares.iter().zip(&count).map(deviation).collect(),
            mean: mean.iter().map(|&mean| mean as f32).collect(),
        })
    }
}

fn check_features(index: usize, example: &Example, features: usize) -> Result<()> {
    let got = example.sequence.features();
    if got == features {
        return Ok(());
    }
    Err(Error::Example { index, got: format!("{got} features"), expected: features.to_string() })
}

/// A data set whose features are scaled on the way out: `(value - mean) / std`. Missing values stay
/// missing.
#[derive(Debug, Clone)]
pub struct Standardized<D> {
    dataset: D,
    scale: Standardize,
}

impl<D: Dataset> Standardized<D> {
    /// # Errors
    ///
    /// [`Error::Config`] where the scale was fitted to another number of features, or has a mean
    /// that is not finite or a deviation that is not positive (as a damaged file may).
    pub fn new(dataset: D, scale: Standardize) -> Result<Self> {
        let (got, features) = (scale.mean.len(), dataset.features());
        if (got, scale.std.len()) != (features, features) {
            let (got, expected) = (format!("for {got} features"), format!("one for {features}"));
            return Err(Error::Config { name: "standardize", got, expected });
        }
        let usable = |(&mean, &std): (&f32, &f32)| mean.is_finite() && std.is_finite() && std > 0.0;
        if let Some(k) = scale.mean.iter().zip(&scale.std).position(|pair| !usable(pair)) {
            let (mean, std) = (scale.mean[k], scale.std[k]);
            let got = format!("mean {mean} and deviation {std} for feature {k}");
            let expected = "a finite mean and a positive deviation".into();
            return Err(Error::Config { name: "standardize", got, expected });
        }
        Ok(Self { dataset, scale })
    }
}

impl<D: Dataset> Dataset for Standardized<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn features(&self) -> usize {
        self.dataset.features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.dataset.target_kind()
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        let mut example = self.dataset.get(epoch, index)?;
        let Standardize { mean, std } = &self.scale;
        check_features(index, &example, mean.len())?;
        for step in example.sequence.values_mut().chunks_exact_mut(mean.len()) {
            for ((value, mean), std) in step.iter_mut().zip(mean).zip(std) {
                *value = (*value - mean) / std;
            }
        }
        Ok(example)
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        self.dataset.length(epoch, index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InMemory, Sequence, Target};

    fn data(sequences: &[&[f32]]) -> InMemory {
        let example = |values: &&[f32]| Example {
            sequence: Sequence::new(values.to_vec(), 2).unwrap(),
            target: Target::Class(0),
        };
        let kind = TargetKind::Classes(vec!["a".into()]);
        InMemory::new(sequences.iter().map(example).collect(), kind).unwrap()
    }

    #[test]
    fn every_step_counts_alike_and_missing_ones_not() {
        // Feature 0: 1, 2, 6 over two sequences of different length; feature 1 never changes.
        let data = data(&[&[1.0, 5.0, 2.0, 5.0], &[6.0, f32::NAN], &[]]);
        let scale = Standardize::fit(&data).unwrap();
        assert_eq!(scale.mean, [3.0, 5.0]);
        let deviation = (14f32 / 3.0).sqrt();
        assert_eq!(scale.std, [deviation, 1.0]);
        let scaled = Standardized::new(data, scale.clone()).unwrap();
        let values = scaled.get(0, 0).unwrap().sequence.values().to_vec();
        assert_eq!(values, [-2.0 / deviation, 0.0, -1.0 / deviation, 0.0]);
        assert!(scaled.get(0, 1).unwrap().sequence.values()[1].is_nan());
        let narrow = Standardize { mean: vec![0.0], std: vec![1.0] };
        let error = Standardized::new(scaled, narrow).unwrap_err().to_string();
        assert_eq!(error, "standardize is for 1 features: expected one for 2");
    }

    #[test]
    fn a_scale_that_would_make_nonsense_is_refused() {
        #[track_caller]
        fn check(mean: f32, std: f32, got: &str) {
            let scale = Standardize { mean: vec![0.0, mean], std: vec![1.0, std] };
            let error = Standardized::new(data(&[&[1.0, 2.0]]), scale).unwrap_err().to_string();
            let expected = "a finite mean and a positive deviation";
            assert_eq!(error, format!("standardize is {got} for feature 1: expected {expected}"));
        }
        check(0.0, 0.0, "mean 0 and deviation 0");
        check(0.0, -1.0, "mean 0 and deviation -1");
        check(0.0, f32::NAN, "mean 0 and deviation NaN");
        check(0.0, f32::INFINITY, "mean 0 and deviation inf");
        check(f32::NAN, 1.0, "mean NaN and deviation 1");
    }

    #[test]
    fn a_feature_that_is_always_missing_stays_so() {
        let data = data(&[&[1.0, f32::NAN, 3.0, f32::NAN]]);
        let scale = Standardize::fit(&data).unwrap();
        assert_eq!((&scale.mean[..], &scale.std[..]), (&[2.0, 0.0][..], &[1.0, 1.0][..]));
        let scaled = Standardized::new(data, scale).unwrap().get(0, 0).unwrap();
        assert!(scaled.sequence.steps().all(|step| step[0].is_finite() && step[1].is_nan()));
    }
}
