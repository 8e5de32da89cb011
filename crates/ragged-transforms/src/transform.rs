//! One fitted transform.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::missing::{forward_fill, indicate_missing, mean_fill};
use crate::scaling::{MinMax, Standardize, check_range};
use crate::values::Values;

/// A transform fitted to the training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Transform {
    /// Scales each feature to mean 0 and standard deviation 1.
    Standardize(Standardize),
    /// Scales each feature to a range.
    MinMax(MinMax),
    /// Replaces a missing value by the value before it. Values at the beginning of a sequence stay missing.
    ForwardFill,
    /// Replaces a missing value by the mean of its feature in the training data.
    MeanFill {
        /// The mean of each feature.
        mean: Vec<f64>,
    },
    /// Appends an indicator feature, 1 or 0, for each feature with missing values in the training data. The values
    /// themselves stay missing.
    MissingIndicator {
        /// The features with an indicator, in increasing order.
        columns: Vec<usize>,
    },
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
        /// Which steps to keep.
        keep: Keep,
    },
}

/// Which steps of a sequence that is too long to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The first steps.
    #[default]
    First,
    /// The last steps.
    Last,
}

impl Transform {
    /// Checks that the transform can be applied to `features` features.
    pub(crate) fn check(&self, features: usize) -> Result<()> {
        match self {
            Self::Standardize(scale) => scale.check(features),
            Self::MinMax(scale) => scale.check(features),
            Self::MeanFill { mean } => {
                if mean.len() != features {
                    let (name, got) = ("mean-fill", mean.len());
                    return Err(Error::Count { name, got, expected: features });
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
            Self::Truncate { max_length: 0, .. } => Err(Error::Zero { name: "max_length" }),
            Self::Truncate { .. } | Self::ForwardFill | Self::Difference => Ok(()),
        }
    }

    /// Returns the number of features that the transform makes from `features`.
    pub(crate) fn output_features(&self, features: usize) -> usize {
        match self {
            Self::MissingIndicator { columns } => features.saturating_add(columns.len()),
            _ => features,
        }
    }

    /// Returns the names of the features that the transform makes from those with `names`.
    pub(crate) fn output_names(&self, mut names: Vec<String>) -> Vec<String> {
        if let Self::MissingIndicator { columns } = self {
            let indicators = columns.iter().filter_map(|&column| names.get(column));
            let indicators: Vec<_> = indicators.map(|name| format!("{name} is missing")).collect();
            names.extend(indicators);
        }
        names
    }

    /// Returns which of `steps` the transform keeps.
    pub(crate) fn kept_steps(&self, steps: Range<usize>) -> Range<usize> {
        match *self {
            Self::Truncate { max_length, keep } if steps.len() > max_length => match keep {
                Keep::First => steps.start..steps.start + max_length,
                Keep::Last => steps.end - max_length..steps.end,
            },
            _ => steps,
        }
    }

    /// Returns an error if the transform needs the whole sequence.
    pub(crate) fn check_stepwise(&self) -> Result<()> {
        match self {
            Self::Truncate { keep: Keep::Last, .. } => {
                Err(Error::WholeSequence { transform: "truncate with keep = \"last\"" })
            }
            _ => Ok(()),
        }
    }

    /// The size of the state between steps of `features`, which [`apply`](Self::apply) reads and changes, and its numbers
    /// before the first step.
    pub(crate) fn initial_state(&self, features: usize) -> (usize, f64) {
        match self {
            // The last value of each feature; there is none yet.
            Self::ForwardFill => (features, f64::NAN),
            // Whether there was a step, and the last one.
            Self::Difference => (1 + features, 0.0),
            // The number of steps so far.
            Self::Truncate { .. } => (1, 0.0),
            _ => (0, 0.0),
        }
    }

    /// Applies the transform to the next steps of a sequence. Missing values stay missing, except in filling
    /// transforms.
    pub(crate) fn apply(&self, values: &mut Values, state: &mut [f64]) {
        let features = values.features;
        match self {
            Self::Standardize(scale) => scale.apply(&mut values.values),
            Self::MinMax(scale) => scale.apply(&mut values.values),
            Self::ForwardFill => forward_fill(&mut values.values, state),
            Self::MeanFill { mean } => mean_fill(&mut values.values, mean),
            Self::MissingIndicator { columns } => {
                values.values = indicate_missing(&values.values, features, columns);
                values.features += columns.len();
            }
            Self::Clip { low, high } => {
                // `clamp` keeps NaN.
                let (low, high) = (f64::from(*low), f64::from(*high));
                values.values.iter_mut().for_each(|value| *value = value.clamp(low, high));
            }
            Self::Difference => difference(&mut values.values, state),
            Self::Truncate { max_length, .. } => {
                let before = state[0] as usize;
                let steps = values.values.len() / features;
                let all = before.saturating_add(steps);
                let kept = self.kept_steps(0..all);
                let kept = kept.start.max(before) - before..kept.end.max(before) - before;
                values.values.truncate(kept.end * features);
                values.values.drain(..kept.start * features);
                state[0] = all.min(*max_length) as f64;
            }
        }
        let scaled = matches!(self, Self::Standardize(_) | Self::MinMax(_) | Self::Difference);
        if scaled || !values.exact {
            values.round();
        }
    }
}

/// Replaces each step by its difference from the one before. `state` is whether there was one, and that step.
fn difference(values: &mut [f64], state: &mut [f64]) {
    let Some((seen, last)) = state.split_first_mut() else { return };
    for step in values.chunks_exact_mut(last.len()) {
        for (value, last) in step.iter_mut().zip(last.iter_mut()) {
            let now = *value;
            *value -= if *seen == 0.0 { now } else { *last };
            *last = now;
        }
        *seen = 1.0;
    }
}
