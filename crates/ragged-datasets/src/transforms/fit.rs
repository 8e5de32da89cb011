//! Transforms as configured, and their fit to the training data.

use ragged_transforms::{Keep, Pipeline, Transform};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::transforms::statistics::Statistics;
use crate::transforms::transformed::apply;

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

impl TransformConfig {
    /// Fits the transform. `statistics` is called only if they are needed.
    fn fit(&self, statistics: impl FnOnce() -> Result<Statistics>) -> Result<Transform> {
        Ok(match *self {
            Self::Standardize => Transform::Standardize(statistics()?.standardize()),
            Self::MinMax { low, high } => Transform::MinMax(statistics()?.min_max(low, high)),
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

/// Fits each transform to the examples of epoch 0, as the transforms before it leave them.
///
/// The data set must hold only the training examples.
///
/// # Errors
///
/// [`Error::Transform`](crate::Error::Transform) for an option outside its range, and errors from the data set.
///
/// ```
/// use ragged_datasets::transforms::{TransformConfig, Transformed, fit};
/// use ragged_datasets::{Dataset, Example, InMemory, Sequence, Target, TargetKind};
///
/// let sequence = Sequence::new(vec![1.0, f32::NAN, 3.0], 1)?;
/// let example = Example::new(sequence, Target::Values(vec![]));
/// let data = InMemory::new(vec![example], TargetKind::NONE)?;
/// let pipeline = fit(&[TransformConfig::MeanFill], &data)?;
/// let filled = Transformed::new(data, pipeline)?;
/// assert_eq!(filled.get(0, 0)?.sequence.values(), [1.0, 2.0, 3.0]);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
pub fn fit<D: Dataset + ?Sized>(configs: &[TransformConfig], dataset: &D) -> Result<Pipeline> {
    let mut pipeline = Pipeline::identity(dataset.features());
    for config in configs {
        let example = |index| apply(&pipeline, index, dataset.get(0, index)?);
        let statistics =
            || Statistics::of(pipeline.output_features(), (0..dataset.len()).map(example));
        let transform = config.fit(statistics)?;
        pipeline.push(transform)?;
    }
    Ok(pipeline)
}
