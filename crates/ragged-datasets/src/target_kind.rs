//! The kind of the targets of a data set: one class, values, lists of labels, or several parts.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::example::Target;
use crate::target_shape::ExpectedTarget;

/// The kind of the targets of a data set.
///
/// It determines the number of outputs and the loss of a model. It is saved with a run, so that a
/// class keeps its index.
///
/// ```
/// use ragged_datasets::{Target, TargetKind};
///
/// let kind = TargetKind::Classes(vec!["walk".into(), "run".into()]);
/// assert_eq!(kind.outputs(), 2);
/// assert!(kind.check(0, 10, &Target::Class(1)).is_ok());
/// let error = kind.check(0, 10, &Target::Class(2)).unwrap_err();
/// assert_eq!(error.to_string(), "example 0 has target class 2: expected a class below 2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// One class per sequence; the labels in the order of their indices.
    Classes(Vec<String>),
    /// This number of values per sequence; 0 if there is no target.
    Values(usize),
    /// One class per step (sequence labelling); the labels in the order of their indices.
    StepClasses(Vec<String>),
    /// This number of values per step.
    StepValues(usize),
    /// A list of labels per sequence, of any length (transcription); the labels in the order of their indices.
    Labels(Vec<String>),
    /// Several targets of any kinds, one value each. The target of an example is [`Target::Values`], or
    /// [`Target::StepValues`] for targets per step, with one value per part: a class as its index, a missing target as
    /// NaN.
    Parts {
        /// The targets in their order.
        parts: Vec<TargetPart>,
        /// Whether every step has its own targets.
        per_step: bool,
    },
}

/// One of several targets.
///
/// ```
/// use ragged_datasets::{PartKind, Target, TargetKind, TargetPart};
///
/// let labels = vec!["walk".into(), "run".into()];
/// let activity = TargetPart { name: "activity".into(), kind: PartKind::Classes(labels) };
/// let speed = TargetPart { name: "speed".into(), kind: PartKind::Values };
/// let kind = TargetKind::Parts { parts: vec![activity, speed], per_step: false };
/// assert_eq!(kind.outputs(), 3);
/// // A run at a speed of 2.5, and a walk whose speed is not known.
/// assert!(kind.check(0, 10, &Target::Values(vec![1.0, 2.5])).is_ok());
/// assert!(kind.check(1, 10, &Target::Values(vec![0.0, f32::NAN])).is_ok());
/// assert!(kind.check(2, 10, &Target::Values(vec![2.0, 2.5])).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetPart {
    /// The name of the column, or of the key in JSON lines.
    pub name: String,
    /// What it is.
    pub kind: PartKind,
}

/// What one of several targets is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// A class; the labels in the order of their indices.
    Classes(Vec<String>),
    /// A number.
    Values,
}

impl TargetPart {
    /// Returns the labels of a part that is a class.
    pub fn labels(&self) -> Option<&[String]> {
        match &self.kind {
            PartKind::Classes(labels) => Some(labels),
            PartKind::Values => None,
        }
    }

    /// Returns the kind that the part has as the only target.
    pub fn alone(&self, per_step: bool) -> TargetKind {
        match (&self.kind, per_step) {
            (PartKind::Classes(labels), false) => TargetKind::Classes(labels.clone()),
            (PartKind::Classes(labels), true) => TargetKind::StepClasses(labels.clone()),
            (PartKind::Values, false) => TargetKind::Values(1),
            (PartKind::Values, true) => TargetKind::StepValues(1),
        }
    }

    /// Returns the number of outputs that a model needs: one logit per class, or one.
    pub fn outputs(&self) -> usize {
        self.labels().map_or(1, <[String]>::len)
    }

    /// Whether a value is one of the part: the index of a class, a number, or NaN for a missing target.
    fn admits(&self, value: f32) -> bool {
        let Some(labels) = self.labels() else { return true };
        value.is_nan() || (value.fract() == 0.0 && (0.0..labels.len() as f32).contains(&value))
    }
}

impl TargetKind {
    /// The kind of examples without a target.
    pub const NONE: Self = Self::Values(0);

    /// Checks that a target is of this kind, for a sequence of `length` steps.
    ///
    /// # Errors
    ///
    /// [`Error::Target`] with the index of the example, its target and what was expected.
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
            (Self::Labels(known), Target::Labels(labels)) => {
                labels.iter().all(|&label| (label as usize) < known.len())
            }
            (Self::Parts { parts, per_step: false }, Target::Values(values)) => {
                values.len() == parts.len() && admits(parts, values)
            }
            (Self::Parts { parts, per_step: true }, Target::StepValues(values)) => {
                (values.len(), values.features()) == (length, parts.len())
                    && values.steps().all(|step| admits(parts, step))
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let expected = match self {
            Self::Classes(labels) => ExpectedTarget::Class { classes: Some(labels.len()) },
            Self::Values(count) => ExpectedTarget::Values(*count),
            Self::StepClasses(labels) => {
                ExpectedTarget::StepClasses { steps: length, classes: Some(labels.len()) }
            }
            Self::StepValues(values) => {
                ExpectedTarget::StepValues { steps: length, values: *values }
            }
            Self::Labels(known) => ExpectedTarget::Labels { labels: Some(known.len()) },
            Self::Parts { parts, per_step } => {
                ExpectedTarget::Parts { parts: parts.len(), steps: per_step.then_some(length) }
            }
        };
        Err(Error::Target { index, got: target.shape(), expected })
    }

    /// Returns the parts of several targets; none for other kinds.
    pub fn parts(&self) -> &[TargetPart] {
        match self {
            Self::Parts { parts, .. } => parts,
            _ => &[],
        }
    }

    /// Returns the labels that targets have, or `None` if targets are values or have several
    /// [parts](Self::parts).
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Classes(labels) | Self::StepClasses(labels) | Self::Labels(labels) => {
                Some(labels)
            }
            Self::Values(_) | Self::StepValues(_) | Self::Parts { .. } => None,
        }
    }

    /// Returns the number of outputs that a model needs: one logit per class, or one output per value; of several
    /// parts, those of all of them. A list of labels
    /// needs one logit for the blank, which is the first, and one per label.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes(labels) | Self::StepClasses(labels) => labels.len(),
            Self::Values(count) | Self::StepValues(count) => *count,
            Self::Labels(labels) => labels.len() + 1,
            Self::Parts { parts, .. } => parts.iter().map(TargetPart::outputs).sum(),
        }
    }

    /// Whether targets are lists of labels, so that a model has outputs for every step, but no target for one.
    pub fn is_transcription(&self) -> bool {
        matches!(self, Self::Labels(_))
    }

    /// Whether every step has its own target.
    pub fn is_per_step(&self) -> bool {
        match self {
            Self::StepClasses(_) | Self::StepValues(_) => true,
            Self::Classes(_) | Self::Values(_) | Self::Labels(_) => false,
            Self::Parts { per_step, .. } => *per_step,
        }
    }
}

/// Whether each value is one of its part.
fn admits(parts: &[TargetPart], values: &[f32]) -> bool {
    parts.iter().zip(values).all(|(part, &value)| part.admits(value))
}
