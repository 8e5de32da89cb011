//! The kinds of task that a file may describe.

use serde::{Deserialize, Serialize};

use crate::example::TargetKind;

/// What is predicted from a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A class.
    Classification,
    /// One or more values.
    Regression,
    /// A class for each step.
    SequenceLabelling,
    /// One or more values for each step.
    StepRegression,
}

impl Task {
    /// Returns the task of a kind of target, or `None` if there is no target.
    ///
    /// ```
    /// use ragged_datasets::TargetKind;
    /// use ragged_datasets::formats::Task;
    ///
    /// assert_eq!(Task::of(&TargetKind::Values(2)), Some(Task::Regression));
    /// assert_eq!(Task::of(&TargetKind::NONE), None);
    /// ```
    pub fn of(kind: &TargetKind) -> Option<Self> {
        match kind {
            TargetKind::Classes(_) => Some(Self::Classification),
            TargetKind::Values(0) => None,
            TargetKind::Values(_) => Some(Self::Regression),
            TargetKind::StepClasses(_) => Some(Self::SequenceLabelling),
            TargetKind::StepValues(_) => Some(Self::StepRegression),
        }
    }
}
