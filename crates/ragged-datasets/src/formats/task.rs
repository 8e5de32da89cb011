//! What is predicted, decided from the targets of all sequences by one rule for every format.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::formats::column_evidence::{Counts, First};
use crate::formats::field::{Evidence, Field};
use crate::formats::target_evidence::TargetEvidence;
use crate::target_kind::TargetKind;

/// What is predicted from a sequence.
///
/// If [`ReadOptions::task`](crate::formats::ReadOptions::task) is absent, the targets decide:
///
/// 1. Each column of targets consists of numbers or of names. In JSON and arrays, the type decides:
///    numbers are numbers, texts are names, and the integers of an array are names. The cells of a table
///    are numbers if more than half of the column is written as numbers, without counting missing
///    cells.
/// 2. Numbers are values to predict, and names are classes. If all targets are 0 or 1, in one column, and both occur,
///    they are two classes.
/// 3. A cell that does not match its column is an error at its line: a text among numbers, a number
///    of JSON among names, a missing value among either. An empty cell of a table is allowed if another
///    row of its series has the target.
/// 4. Several columns of targets that are not all numbers, and the keys of an object in JSON lines, are
///    [parts](crate::TargetKind::Parts), each of which is classes or values by 1 and 2. Missing values are allowed
///    among them: an empty cell and `NA` in a table, `null` in JSON.
/// 5. Targets are per step if the file has a list of them for each sequence. In a table, they are per
///    step if the target changes within any series. Numbers are compared as numbers, so that `0.5` and
///    `0.50` are the same, and names without the white space around them.
///
/// A given task decides 2 and 5. Then names among numbers are labels, and a missing value is an error
/// among labels that are all numbers.
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
    /// A list of labels for each sequence, of any length. Only a given task is this one: by itself, a list has one label
    /// for each step.
    Transcription,
}

impl Task {
    /// Returns the task of a kind of target, or `None` if there is no target, or several of kinds of their own.
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
            TargetKind::Labels(_) => Some(Self::Transcription),
            TargetKind::Parts { .. } => None,
        }
    }

    pub(super) fn new(numbers: bool, per_step: bool) -> Self {
        match (numbers, per_step) {
            (true, false) => Self::Regression,
            (true, true) => Self::StepRegression,
            (false, false) => Self::Classification,
            (false, true) => Self::SequenceLabelling,
        }
    }

    /// Whether targets are numbers, and not names.
    pub(super) fn predicts_numbers(self) -> bool {
        matches!(self, Self::Regression | Self::StepRegression)
    }

    /// Whether each step has a target.
    pub(super) fn is_per_step(self) -> bool {
        matches!(self, Self::SequenceLabelling | Self::StepRegression)
    }

    /// Describes the targets of a column. `in_rows` is whether a series of a table has several rows.
    pub(super) fn content(self, in_rows: bool) -> String {
        let what = match self {
            Self::Transcription => "lists of labels",
            _ if self.predicts_numbers() => "numbers",
            _ => "names of classes",
        };
        let per = match self.is_per_step() {
            true => "one for each step",
            false if in_rows => "the same in all rows of a sequence",
            false => "one for each sequence",
        };
        format!("{what}, {per}")
    }

    /// Returns the name in sentences.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
            Self::SequenceLabelling => "sequence labelling",
            Self::StepRegression => "step regression",
            Self::Transcription => "transcription",
        }
    }
}

/// Decides the task from the targets. `None` if there is no target. `numbers` is whether they are numbers, where that
/// is known of the column.
///
/// # Errors
///
/// The index of the file and the error of the first field that does not match its column.
pub(super) fn decide(
    given: Option<Task>,
    numbers: Option<bool>,
    targets: &TargetEvidence,
) -> Result<Option<Task>, (usize, Error)> {
    let known = given.or(numbers.map(|numbers| Task::new(numbers, false)));
    let error = targets.first_error(|k, field| check(known, targets.counts(k), field));
    if let Some((first, reason)) = error {
        return Err((first.file, first.field.location.error(format!("target: {reason}"))));
    }
    if given.is_some() {
        return Ok(given);
    }
    // If a field is empty, another one of its series has the target, or the target is missing.
    if targets.is_empty() {
        return Ok(None);
    }
    let all_numbers = (0..targets.columns()).all(|k| targets.counts(k).is_of_numbers());
    let inferred = all_numbers && !is_binary(targets);
    let numbers = numbers.unwrap_or(inferred);
    let forms = targets.forms();
    let per_step = forms.lists_of_lists || (forms.lists && !numbers) || targets.changes().any();
    Ok(Some(Task::new(numbers, per_step)))
}

/// Whether all targets are the numbers 0 or 1 in one column, and both occur.
pub(super) fn is_binary(targets: &TargetEvidence) -> bool {
    // A list of several numbers for a sequence is several values.
    if targets.forms().long_lists {
        return false;
    }
    let is_number = |first: &First| first.field.evidence() == Evidence::Number;
    let mut found = [false; 2];
    for k in 0..targets.columns() {
        for column in targets.column(k).filter(|column| !column.is_empty()) {
            match column.binary() {
                Some([zero, one]) if k == 0 && column.firsts().all(is_number) => {
                    found = [found[0] | zero, found[1] | one];
                }
                _ => return false,
            }
        }
    }
    found == [true; 2]
}

/// Checks that a field matches its column.
pub(super) fn check(given: Option<Task>, column: Counts, field: &Field) -> Result<(), String> {
    if field.is_empty() {
        return Ok(());
    }
    let evidence = field.evidence();
    let numbers = given.map_or(column.is_of_numbers(), Task::predicts_numbers);
    if numbers {
        return match (evidence, field.number()) {
            (Evidence::Missing, _) => {
                Err(format!("expected a number, got {}, which is a missing value", field.shown()))
            }
            (Evidence::Name, number) if given.is_none() => {
                let numbers = column.numbers;
                let label = || format!("expected a number, got the label {}", field.shown());
                Err(format!(
                    "{}, but {numbers} of {} targets are numbers (if they are the names of classes, \
                     set the task to classification)",
                    number.err().unwrap_or_else(label),
                    column.total()
                ))
            }
            // Texts and integers of arrays are numbers if the task says so.
            (_, number) => number.map(drop),
        };
    }
    match evidence {
        Evidence::Missing if field.is_typed_number() || (given.is_some() && column.names == 0) => {
            Err(format!("expected a label, got {}, which is a missing value", field.shown()))
        }
        Evidence::Missing if given.is_none() => Err(format!(
            "expected a label, got {}, which is a missing value (if it is the name of a class, set \
             the task to classification)",
            field.shown()
        )),
        Evidence::Number if given.is_none() && field.is_typed_number() => Err(format!(
            "expected a text, as in {} of {} targets, got the number {} (if it is the name of a \
             class, set the task to classification)",
            column.names,
            column.total(),
            field.label()
        )),
        _ => Ok(()),
    }
}
