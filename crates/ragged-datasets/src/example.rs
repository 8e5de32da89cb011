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
    /// One or more numbers; none where there is nothing to predict.
    Values(Vec<f32>),
    /// A class for every step.
    StepClasses(Vec<u32>),
    /// K numbers for every step, `[length, K]`.
    StepValues(Sequence),
}

/// What the targets of a data set are: it decides a model's outputs and loss, and is saved with a
/// run so that a class keeps its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// A class a sequence; the labels in the order of their indices.
    Classes(Vec<String>),
    /// So many numbers a sequence; 0 where there is no target.
    Values(usize),
    /// A class a step (sequence labelling); the labels in the order of their indices.
    StepClasses(Vec<String>),
    /// So many numbers a step.
    StepValues(usize),
}

impl TargetKind {
    /// The kind of examples without a target.
    pub const NONE: Self = Self::Values(0);

    /// Checks that a target is of this kind, for a sequence of `length` steps.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] names the example, what it has and what was expected.
    pub fn check(&self, index: usize, length: usize, target: &Target) -> Result<()> {
        let fits = match (self, target) {
            (Self::Classes(labels), Target::Class(class)) => (*class as usize) < labels.len(),
            (Self::Values(count), Target::Values(values)) => values.len() == *count,
            (Self::StepClasses(labels), Target::StepClasses(classes)) => {
                classes.len() == length && classes.iter().all(|&c| (c as usize) < labels.len())
            }
            (Self::StepValues(count), Target::StepValues(values)) => {
                (values.len(), values.features()) == (length, *count)
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let expected = match self {
            Self::Classes(labels) => format!("a class below {}", labels.len()),
            Self::Values(count) => format!("{count} values"),
            Self::StepClasses(labels) => {
                format!("{length} classes below {}, one a step", labels.len())
            }
            Self::StepValues(count) => format!("{count} values for each of {length} steps"),
        };
        Err(Error::Example { index, got: format!("target {target:?}"), expected })
    }

    /// The labels of the classes, where targets are classes.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Classes(labels) | Self::StepClasses(labels) => Some(labels),
            Self::Values(_) | Self::StepValues(_) => None,
        }
    }

    /// The outputs that a model needs: a logit a class, or a number a value.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes(labels) | Self::StepClasses(labels) => labels.len(),
            Self::Values(count) | Self::StepValues(count) => *count,
        }
    }

    /// Whether every step has a target of its own.
    pub fn is_per_step(&self) -> bool {
        matches!(self, Self::StepClasses(_) | Self::StepValues(_))
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
