//! One example: a sequence and what is to be predicted from it.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The steps of one sequence, each with the same features.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    values: Vec<f32>,
    features: usize,
}

impl Sequence {
    /// `values` is row-major `[length, features]`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where there is no feature, or the values are no whole number of steps.
    pub fn new(values: Vec<f32>, features: usize) -> Result<Self> {
        if features == 0 || !values.len().is_multiple_of(features) {
            let expected = format!("a divisor of the {} values, at least 1", values.len());
            return Err(Error::Config { name: "features", got: features.to_string(), expected });
        }
        Ok(Self { values, features })
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.values.len() / self.features
    }

    /// Whether it has no step; that is legal.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The features of a step.
    pub fn features(&self) -> usize {
        self.features
    }

    /// All values, step by step.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The features of step `t`, `None` beyond the end.
    pub fn row(&self, t: usize) -> Option<&[f32]> {
        self.steps().nth(t)
    }

    /// The steps in order.
    pub fn steps(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.features)
    }
}

/// What is to be predicted.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A class, by its index in [`TargetKind::Classes`].
    Class(u32),
    /// One or more numbers.
    Values(Vec<f32>),
}

/// What the targets of a data set are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// Classes, by their labels in the order of their indices.
    Classes(Vec<String>),
    /// So many numbers.
    Values(usize),
}

impl TargetKind {
    /// Whether a target is of this kind.
    pub fn admits(&self, target: &Target) -> bool {
        match (self, target) {
            (Self::Classes(labels), Target::Class(class)) => (*class as usize) < labels.len(),
            (Self::Values(count), Target::Values(values)) => values.len() == *count,
            _ => false,
        }
    }
}

/// A sequence and its target.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What is given.
    pub sequence: Sequence,
    /// What is to be predicted.
    pub target: Target,
}
