//! A data set with transformed examples.

use std::sync::Arc;

use ragged_transforms::{Pipeline, Values};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::example::{Example, Sequence, Target};
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// Applies all transforms to an example. Tokens and targets of steps are cut with their steps. `index` is only used in
/// errors.
pub(super) fn apply(pipeline: &Pipeline, index: usize, example: Example) -> Result<Example> {
    let (got, expected) = (example.sequence.features(), pipeline.features());
    if got != expected {
        return Err(Error::Features { index, got, expected });
    }
    let (length, kept) = (example.sequence.len(), pipeline.kept_steps(example.sequence.len()));
    let cut = match kept.len() < length {
        true => example.cut(kept.start, kept.end),
        false => example.clone(),
    };
    if expected == 0 {
        return Ok(cut);
    }
    let values = match example.sequence.exact_values() {
        Some(values) => Values::exact(values.to_vec(), got)?,
        None => Values::rounded(example.sequence.values(), got)?,
    };
    let values = pipeline.apply(values)?;
    let (exact, features) = (values.is_exact(), values.features());
    let sequence = match exact {
        true => Sequence::exact(values.into_vec(), features)?,
        false => Sequence::rounded(values.as_slice(), features)?,
    };
    let sequence = match cut.sequence.tokens() {
        Some(tokens) => sequence.with_tokens(tokens.clone())?,
        None => sequence,
    };
    let mut sequence = sequence;
    sequence.set_statics(cut.sequence.statics().cloned());
    Ok(Example { sequence, ..cut })
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
        let feature_names = names.map(|names| pipeline.output_names(names));
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
        apply(&self.pipeline, index, self.dataset.get(epoch, index)?)
    }

    fn target(&self, epoch: usize, index: usize) -> Result<Target> {
        // Those of steps are cut with their steps.
        match self.target_kind().is_per_step() {
            true => Ok(self.get(epoch, index)?.target),
            false => self.dataset.target(epoch, index),
        }
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        let length = self.dataset.length(epoch, index)?;
        Ok(self.pipeline.kept_steps(length).len())
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        self.dataset.token_columns()
    }

    fn static_columns(&self) -> &StaticColumns {
        self.dataset.static_columns()
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.dataset.id(index)
    }

    fn notes(&self) -> &[String] {
        self.dataset.notes()
    }
}
