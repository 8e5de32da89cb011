//! The transforms: as they are asked for, and as they are fitted.

use serde::{Deserialize, Serialize};

use super::missing::{forward_fill, indicate, mean_fill};
use super::scaling::check_range;
use super::statistics::Statistics;
use super::truncate::truncate;
use super::{Keep, MinMax, Standardize};
use crate::error::check_size;
use crate::{Error, Example, Result};

/// A transform to be fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TransformConfig {
    /// To mean 0 and deviation 1.
    Standardize,
    /// To a range.
    MinMax {
        /// What a feature's smallest training value becomes. Default 0.
        #[serde(default)]
        low: f32,
        /// What its largest becomes. Default 1.
        #[serde(default = "one")]
        high: f32,
    },
    /// A missing value is the one before it. At the beginning of a sequence it stays missing.
    ForwardFill,
    /// A missing value is the training data's mean.
    MeanFill,
    /// A further feature, 1 or 0, for each that misses some value in the training data. The values
    /// themselves stay missing: it goes before the filling.
    MissingIndicator,
    /// Values beyond a bound become the bound.
    Clip {
        /// The least.
        low: f32,
        /// The most.
        high: f32,
    },
    /// Each step's change from the one before; the first step's is 0.
    Difference,
    /// At most so many steps.
    Truncate {
        /// At least 1.
        max_length: usize,
        /// Which of them. Default the first.
        #[serde(default)]
        keep: Keep,
    },
}

fn one() -> f32 {
    1.0
}

/// A transform with what the training data showed.
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
        /// One a feature.
        mean: Vec<f32>,
    },
    /// See [`TransformConfig::MissingIndicator`].
    MissingIndicator {
        /// The features that get one, in growing order.
        columns: Vec<usize>,
    },
    /// See [`TransformConfig::Clip`].
    Clip {
        /// The least.
        low: f32,
        /// The most.
        high: f32,
    },
    /// See [`TransformConfig::Difference`].
    Difference,
    /// See [`TransformConfig::Truncate`].
    Truncate {
        /// At least 1.
        max_length: usize,
        /// Which of them.
        keep: Keep,
    },
}

impl TransformConfig {
    /// Fits to statistics, which are taken only where they are needed.
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
    /// Checks that it can be applied to so many features.
    pub(super) fn check(&self, features: usize) -> Result<()> {
        match self {
            Self::Standardize(scale) => scale.check(features),
            Self::MinMax(scale) => scale.check(features),
            Self::MeanFill { mean } => {
                if mean.len() == features && mean.iter().all(|mean| mean.is_finite()) {
                    return Ok(());
                }
                let (got, expected) =
                    (format!("{mean:?}"), format!("a finite mean for each of {features} features"));
                Err(Error::Config { name: "mean-fill", got, expected })
            }
            Self::MissingIndicator { columns } => {
                if columns.is_sorted_by(|a, b| a < b) && columns.iter().all(|&k| k < features) {
                    return Ok(());
                }
                let (got, expected) =
                    (format!("{columns:?}"), format!("growing indices of {features} features"));
                Err(Error::Config { name: "missing-indicator", got, expected })
            }
            Self::Clip { low, high } => check_range("clip", *low, *high),
            Self::Truncate { max_length, .. } => check_size("max_length", *max_length, usize::MAX),
            Self::ForwardFill | Self::Difference => Ok(()),
        }
    }

    /// The features that it makes of so many.
    pub(super) fn output_features(&self, features: usize) -> usize {
        match self {
            Self::MissingIndicator { columns } => features + columns.len(),
            _ => features,
        }
    }

    /// The steps that it makes of so many.
    pub(super) fn output_length(&self, length: usize) -> usize {
        match self {
            Self::Truncate { max_length, .. } => length.min(*max_length),
            _ => length,
        }
    }

    /// Changes an example; a missing value stays missing, but for the fillings.
    pub(super) fn apply(&self, mut example: Example) -> Result<Example> {
        let features = example.sequence.features();
        let values = example.sequence.values_mut();
        match self {
            Self::Standardize(scale) => scale.apply(values),
            Self::MinMax(scale) => scale.apply(values),
            Self::ForwardFill => forward_fill(values, features),
            Self::MeanFill { mean } => mean_fill(values, mean),
            Self::MissingIndicator { columns } => {
                example.sequence = indicate(&example.sequence, columns)?;
            }
            Self::Clip { low, high } => {
                // `clamp` leaves NaN as it is.
                values.iter_mut().for_each(|value| *value = value.clamp(*low, *high));
            }
            Self::Difference => {
                // From the end, so that the step before is still the old one.
                for at in (features..values.len()).rev() {
                    values[at] -= values[at - features];
                }
                values.iter_mut().take(features).for_each(|value| *value -= *value);
            }
            Self::Truncate { max_length, keep } => return truncate(example, *max_length, *keep),
        }
        Ok(example)
    }
}
