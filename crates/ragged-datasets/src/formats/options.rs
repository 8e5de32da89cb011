//! How files are read.

use serde::{Deserialize, Serialize};

use crate::example::TargetKind;
use crate::formats::csv::CsvColumns;
use crate::formats::format::Format;

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

/// How a file is read. The default is for files whose ending and content are unambiguous.
///
/// ```
/// use ragged_datasets::formats::{ReadOptions, Task};
///
/// let options = ReadOptions { task: Some(Task::Classification), ..Default::default() };
/// assert_eq!(options.format, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// The format. Default by the ending of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What is predicted. Default by the targets in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// The columns of a table.
    pub csv: CsvColumns,
}
