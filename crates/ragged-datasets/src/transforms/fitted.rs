//! The transforms, as configured and as fitted.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_size};
use crate::example::{Example, Sequence};
use crate::transforms::missing::{forward_fill, indicate_missing, mean_fill};
use crate::transforms::scaling::{MinMax, Standardize, check_range};
use crate::transforms::statistics::Statistics;
use crate::transforms::truncate::{Keep, truncate};

/// A transform to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TransformConfig {
    /// Scales each feature to mean 0 and standard deviation 1.
    Standardize,
    /// Scales each feature to a range.
    MinMax {
        /// The result for the smallest training value of a feature. Default 0.
        #[serde(default)]
        low: f32,
        /// The result for the largest training value of a feature. Default 1.
        #[serde(default = "one")]
        high: f32,
    },
    /// Replaces a missing value by the value before it. Values at the beginning of a sequence stay
    /// missing.
    ForwardFill,
    /// Replaces a missing value by the mean of its feature in the training data.
    MeanFill,
    /// Appends an indicator feature, 1 or 0, for each feature with missing values in the training data.
    /// The values themselves stay missing, so this transform goes before a filling one.
    MissingIndicator,
    /// Limits values to a range.
    Clip {
        /// The smallest value.
        low: f32,
        /// The largest value.
        high: f32,
    },
    /// Replaces each step by its difference from the step before; the first step becomes 0.
    Difference,
    /// Truncates sequences.
    Truncate {
        /// The largest number of steps, at least 1.
        max_length: usize,
        /// Which steps to keep. Default the first.
        #[serde(default)]
        keep: Keep,
    },
}

fn one() -> f32 {
    1.0
}

/// A transform fitted to the training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Transform {
    /// See [`TransformConfig::Standardize`].
    Standardize(Standardize),
    /// See [`TransformConfig::MinMax`].
    MinMax(MinMax),
    /// See [`TransformConfig::ForwardFill`].
    ForwardFill,
    /// See [`TransformConfig::MeanFill`].
    MeanFill {
        /// The mean of each feature.
        mean: Vec<f64>,
    },
    /// See [`TransformConfig::MissingIndicator`].
    MissingIndicator {
        /// The features with an indicator, in increasing order.
        columns: Vec<usize>,
    },
    /// See [`TransformConfig::Clip`].
    Clip {
        /// The smallest value.
        low: f32,
        /// The largest value.
        high: f32,
    },
    /// See [`TransformConfig::Difference`].
    Difference,
    /// See [`TransformConfig::Truncate`].
    Truncate {
        /// The largest number of steps, at least 1.
        max_length: usize,
        /// Which steps to keep.
        keep: Keep,
    },
}

impl TransformConfig {
    /// Fits the transform. `statistics` is called only if they are needed.
    pub(super) fn fit(&self, statistics: impl FnOnce() -> Result<Statistics>) -> Result<Transform> {
        Ok(match *self {
            Self::Standardize => Transform::Standardize(Standardize::fit(&statistics()?)),
            Self::MinMax { low, high } => Transform::MinMax(MinMax::fit(&statistics()?, low, high)),
            Self::ForwardFill => Transform::ForwardFill,
            Self::MeanFill => Transform::MeanFill { mean: statistics()?.mean() },
            Self::MissingIndicator => {
                let missing = statistics()?.missing;
                let columns = (0..missing.len()).filter(|&k| missing[k]).collect();
                Transform::MissingIndicator { columns }
            }
            Self::Clip { low, high } => Transform::Clip { low, high },
            Self::Difference => Transform::Difference,
            Self::Truncate { max_length, keep } => Transform::Truncate { max_length, keep },
        })
    }
}

impl Transform {
    /// Checks that the transform can be applied to `features` features.
    pub(super) fn check(&self, features: usize) -> Result<()> {
        match self {
            Self::Standardize(scale) => scale.check(features),
            Self::MinMax(scale) => scale.check(features),
            Self::MeanFill { mean } => {
                if mean.len() != features {
                    let (name, of, got) = ("mean-fill", "features", mean.len());
                    return Err(Error::Count { name, of, got, expected: features });
                }
                match mean.iter().position(|mean| !mean.is_finite()) {
                    None => Ok(()),
                    Some(feature) => Err(Error::Fitted {
                        transform: "mean-fill",
                        feature,
                        got: vec![mean[feature]],
                        expected: "a finite mean",
                    }),
                }
            }
            Self::MissingIndicator { columns } => {
                if columns.is_sorted_by(|a, b| a < b) && columns.iter().all(|&k| k < features) {
                    return Ok(());
                }
                let (name, expected) = ("missing-indicator", "increasing feature indices");
                Err(Error::FeatureIndices { name, got: columns.clone(), expected, features })
            }
            Self::Clip { low, high } => check_range("clip", *low, *high),
            Self::Truncate { max_length, .. } => check_size("max_length", *max_length, usize::MAX),
            Self::ForwardFill | Self::Difference => Ok(()),
        }
    }

    /// Returns the number of features that the transform makes from `features`.
    pub(super) fn output_features(&self, features: usize) -> usize {
        match self {
            Self::MissingIndicator { columns } => features + columns.len(),
            _ => features,
        }
    }

    /// Returns the names of the features that the transform makes from those with `names`.
    pub(super) fn output_names(&self, mut names: Vec<String>) -> Vec<String> {
        if let Self::MissingIndicator { columns } = self {
            let indicators = columns.iter().filter_map(|&column| names.get(column));
            let indicators: Vec<_> = indicators.map(|name| format!("{name} is missing")).collect();
            names.extend(indicators);
        }
        names
    }

    /// Returns the number of steps that the transform makes from `length`.
    pub(super) fn output_length(&self, length: usize) -> usize {
        match self {
            Self::Truncate { max_length, .. } => length.min(*max_length),
            _ => length,
        }
    }

    /// Applies the transform to an example. Missing values stay missing, except in filling transforms.
    ///
    /// Values are computed in 64 bits. Scaled values and differences are rounded to 32 bits; other values
    /// stay as exact as they are.
    pub(super) fn apply(&self, example: Example) -> Result<Example> {
        if let Self::Truncate { max_length, keep } = self {
            return truncate(example, *max_length, *keep);
        }
        let Example { sequence, target } = example;
        let (features, mut values) = (sequence.features(), sequence.wide_values());
        match self {
            Self::Standardize(scale) => scale.apply(&mut values),
            Self::MinMax(scale) => scale.apply(&mut values),
            Self::ForwardFill => forward_fill(&mut values, features),
            Self::MeanFill { mean } => mean_fill(&mut values, mean),
            Self::MissingIndicator { columns } => {
                values = indicate_missing(&values, features, columns);
            }
            Self::Clip { low, high } => {
                // `clamp` keeps NaN.
                let (low, high) = (f64::from(*low), f64::from(*high));
                values.iter_mut().for_each(|value| *value = value.clamp(low, high));
            }
            Self::Difference => {
                // Backwards, so that the step before is still unchanged.
                for at in (features..values.len()).rev() {
                    values[at] -= values[at - features];
                }
                values.iter_mut().take(features).for_each(|value| *value -= *value);
            }
            Self::Truncate { .. } => {}
        }
        let scaled = matches!(self, Self::Standardize(_) | Self::MinMax(_) | Self::Difference);
        let features = self.output_features(features);
        let sequence = match sequence.exact_values().is_some() && !scaled {
            true => Sequence::exact(values, features)?,
            false => Sequence::rounded(&values, features)?,
        };
        Ok(Example::new(sequence, target))
    }
}
