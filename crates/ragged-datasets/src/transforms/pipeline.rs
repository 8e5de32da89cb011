//! A list of fitted transforms, and a data set with these applied.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::example::{Example, TargetKind};
use crate::transforms::fitted::{Transform, TransformConfig};
use crate::transforms::statistics::Statistics;

/// Fitted transforms, applied one after the other.
///
/// ```
/// use ragged_datasets::transforms::{Pipeline, TransformConfig};
/// use ragged_datasets::{Dataset, Example, InMemory, Sequence, Target, TargetKind};
///
/// let sequence = Sequence::new(vec![1.0, f32::NAN, 3.0], 1)?;
/// let example = Example::new(sequence, Target::Values(vec![]));
/// let data = InMemory::new(vec![example], TargetKind::NONE)?;
/// let pipeline = Pipeline::fit(&[TransformConfig::MeanFill], &data)?;
/// assert_eq!(pipeline.apply(0, data.get(0, 0)?)?.sequence.values(), [1.0, 2.0, 3.0]);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Pipeline {
    features: usize,
    transforms: Vec<Transform>,
}

/// A pipeline as saved, not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    features: usize,
    transforms: Vec<Transform>,
}

impl TryFrom<Saved> for Pipeline {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let mut pipeline = Self::identity(saved.features);
        saved.transforms.into_iter().try_for_each(|transform| pipeline.push(transform))?;
        Ok(pipeline)
    }
}

impl Pipeline {
    /// Creates a pipeline without transforms, for examples of `features` features.
    pub fn identity(features: usize) -> Self {
        Self { features, transforms: vec![] }
    }

    /// Fits each transform to the examples of epoch 0, as the transforms before it leave them.
    ///
    /// The data set must hold only the training examples.
    ///
    /// # Errors
    ///
    /// [`Error::Bounds`] or [`Error::Size`] for an option outside its range, and errors from the data
    /// set.
    pub fn fit<D: Dataset + ?Sized>(configs: &[TransformConfig], dataset: &D) -> Result<Self> {
        let mut pipeline = Self::identity(dataset.features());
        for config in configs {
            let example = |index| pipeline.apply(index, dataset.get(0, index)?);
            let statistics =
                || Statistics::of(pipeline.output_features(), (0..dataset.len()).map(example));
            let transform = config.fit(statistics)?;
            pipeline.push(transform)?;
        }
        Ok(pipeline)
    }

    fn push(&mut self, transform: Transform) -> Result<()> {
        transform.check(self.output_features())?;
        self.transforms.push(transform);
        Ok(())
    }

    /// Returns the fitted transforms in order.
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    /// Returns the number of features of the input.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns the number of features of the output, which is the input of a model.
    pub fn output_features(&self) -> usize {
        self.transforms.iter().fold(self.features, |n, transform| transform.output_features(n))
    }

    /// Applies all transforms to an example. `index` is only used in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Features`] for another number of features than the pipeline was fitted to.
    pub fn apply(&self, index: usize, example: Example) -> Result<Example> {
        let got = example.sequence.features();
        if got != self.features {
            return Err(Error::Features { index, got, expected: self.features });
        }
        self.transforms.iter().try_fold(example, |example, transform| transform.apply(example))
    }
}

/// A data set that applies a pipeline to the examples of another data set.
#[derive(Debug, Clone)]
pub struct Transformed<D> {
    dataset: D,
    pipeline: Arc<Pipeline>,
    feature_names: Option<Vec<String>>,
}

impl<D: Dataset> Transformed<D> {
    /// Creates a data set.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] if the pipeline was fitted to another number of features.
    pub fn new(dataset: D, pipeline: impl Into<Arc<Pipeline>>) -> Result<Self> {
        let pipeline = pipeline.into();
        let (got, expected) = (pipeline.features(), dataset.features());
        if got != expected {
            return Err(Error::Count { name: "pipeline", of: "features", got, expected });
        }
        let names = dataset.feature_names().map(<[String]>::to_vec);
        let feature_names = names.map(|names| {
            pipeline.transforms.iter().fold(names, |names, transform| transform.output_names(names))
        });
        Ok(Self { dataset, pipeline, feature_names })
    }
}

impl<D: Dataset> Dataset for Transformed<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn features(&self) -> usize {
        self.pipeline.output_features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.dataset.target_kind()
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        self.pipeline.apply(index, self.dataset.get(epoch, index)?)
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        let length = self.dataset.length(epoch, index)?;
        Ok(self.pipeline.transforms.iter().fold(length, |n, transform| transform.output_length(n)))
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.dataset.id(index)
    }

    fn notes(&self) -> &[String] {
        self.dataset.notes()
    }
}
