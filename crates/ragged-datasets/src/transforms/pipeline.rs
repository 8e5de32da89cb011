//! Transforms in a row.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::statistics::Statistics;
use super::{Transform, TransformConfig};
use crate::{Dataset, Error, Example, Result, TargetKind};

/// Fitted transforms, one after another, for a number of features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Pipeline {
    features: usize,
    transforms: Vec<Transform>,
}

/// A pipeline as a file has it: nothing is checked yet.
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
    /// Nothing is changed.
    pub fn identity(features: usize) -> Self {
        Self { features, transforms: vec![] }
    }

    /// Fits each transform to what those before it make of the examples, which are to be the training
    /// examples alone.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for bounds or sizes that cannot be; those of the data set.
    pub fn fit<D: Dataset + ?Sized>(configs: &[TransformConfig], dataset: &D) -> Result<Self> {
        let mut pipeline = Self::identity(dataset.features());
        for config in configs {
            let transform = config.fit(|| Statistics::of(dataset, &pipeline))?;
            pipeline.push(transform)?;
        }
        Ok(pipeline)
    }

    fn push(&mut self, transform: Transform) -> Result<()> {
        transform.check(self.output_features())?;
        self.transforms.push(transform);
        Ok(())
    }

    /// The fitted transforms in order.
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    /// The features that it takes.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The features that it gives: those that a model sees.
    pub fn output_features(&self) -> usize {
        self.transforms.iter().fold(self.features, |n, transform| transform.output_features(n))
    }

    /// Applies all transforms to an example, whose index errors name.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] for another number of features.
    pub fn apply(&self, index: usize, example: Example) -> Result<Example> {
        let got = example.sequence.features();
        if got != self.features {
            let (got, expected) = (format!("{got} features"), self.features.to_string());
            return Err(Error::Example { index, got, expected });
        }
        self.transforms.iter().try_fold(example, |example, transform| transform.apply(example))
    }
}

/// A data set whose examples go through a pipeline on the way out.
#[derive(Debug, Clone)]
pub struct Transformed<D> {
    dataset: D,
    pipeline: Arc<Pipeline>,
}

impl<D: Dataset> Transformed<D> {
    /// # Errors
    ///
    /// [`Error::Config`] where the pipeline was fitted to another number of features.
    pub fn new(dataset: D, pipeline: impl Into<Arc<Pipeline>>) -> Result<Self> {
        let pipeline = pipeline.into();
        let (got, features) = (pipeline.features(), dataset.features());
        if got != features {
            let (got, expected) = (format!("for {got} features"), format!("one for {features}"));
            return Err(Error::Config { name: "pipeline", got, expected });
        }
        Ok(Self { dataset, pipeline })
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
}
