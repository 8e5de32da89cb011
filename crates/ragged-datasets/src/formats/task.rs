//! What is predicted, decided from the targets of all sequences by one rule for every format.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::example::{Example, Target};
use crate::formats::field::{Evidence, Field, RawTarget};
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

    fn new(numbers: bool, per_step: bool) -> Self {
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

    /// Describes the targets of a column.
    pub(super) fn content<'a>(self, mut targets: impl Iterator<Item = &'a RawTarget>) -> String {
        let what = match self {
            Self::Transcription => "lists of labels",
            _ if self.predicts_numbers() => "numbers",
            _ => "names of classes",
        };
        let in_rows =
            |target: &RawTarget| matches!(target, RawTarget::Column(rows) if rows.len() > 1);
        let per = match self.is_per_step() {
            true => "one for each step",
            false if targets.any(in_rows) => "the same in all rows of a sequence",
            false => "one for each sequence",
        };
        format!("{what}, {per}")
    }

    fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
            Self::SequenceLabelling => "sequence labelling",
            Self::StepRegression => "step regression",
            Self::Transcription => "transcription",
        }
    }
}

/// The number of fields of one column by their type.
#[derive(Debug, Default, Clone, Copy)]
struct Column {
    numbers: usize,
    names: usize,
}

impl Column {
    fn is_of_numbers(self) -> bool {
        self.numbers > self.names
    }
}

/// Decides the task from the targets, each with the index of its file. `None` if there is no target. `numbers` is
/// whether they are numbers, where that is known of the column.
///
/// # Errors
///
/// The index of the file and the error of the first field that does not match its column.
pub(super) fn decide<'a>(
    given: Option<Task>,
    numbers: Option<bool>,
    targets: impl Iterator<Item = (usize, &'a RawTarget)> + Clone,
) -> Result<Option<Task>, (usize, Error)> {
    let mut columns: Vec<Column> = vec![];
    for (k, field) in targets.clone().flat_map(|(_, target)| target.fields()) {
        if columns.len() <= k {
            columns.resize(k + 1, Column::default());
        }
        match field.evidence() {
            Evidence::Number => columns[k].numbers += 1,
            Evidence::Name => columns[k].names += 1,
            Evidence::Missing => {}
        }
    }
    let known = given.or(numbers.map(|numbers| Task::new(numbers, false)));
    for (file, target) in targets.clone() {
        for (k, field) in target.fields() {
            check(known, columns[k], field)
                .map_err(|reason| (file, field.location.error(format!("target: {reason}"))))?;
        }
    }
    if given.is_some() {
        return Ok(given);
    }
    // If a field is empty, another one of its series has the target, or the target is missing.
    let any = targets.clone().any(|(_, target)| target.fields().any(|(_, f)| !f.is_empty()));
    if !any {
        return Ok(None);
    }
    let binary = is_binary(targets.clone().map(|(_, target)| target));
    let inferred = columns.iter().all(|column| column.is_of_numbers()) && !binary;
    let numbers = numbers.unwrap_or(inferred);
    let per_step = targets.clone().any(|(_, target)| match target {
        RawTarget::Rows(_) => true,
        RawTarget::Many(_) => !numbers,
        RawTarget::Column(_) => target.change().is_some(),
        RawTarget::None | RawTarget::One(_) | RawTarget::Named { .. } => false,
    });
    Ok(Some(Task::new(numbers, per_step)))
}

/// Whether all targets are the numbers 0 or 1 in one column, and both occur.
pub(super) fn is_binary<'a>(targets: impl Iterator<Item = &'a RawTarget> + Clone) -> bool {
    // A list of several numbers for a sequence is several values.
    if targets.clone().any(|target| matches!(target, RawTarget::Many(many) if many.len() > 1)) {
        return false;
    }
    let mut found = [false; 2];
    for (k, field) in targets.flat_map(RawTarget::fields).filter(|(_, field)| !field.is_empty()) {
        match (field.evidence(), field.number()) {
            (Evidence::Number, Ok(0.0)) if k == 0 => found[0] = true,
            (Evidence::Number, Ok(1.0)) if k == 0 => found[1] = true,
            _ => return false,
        }
    }
    found == [true; 2]
}

/// Checks that a field matches its column.
fn check(given: Option<Task>, column: Column, field: &Field) -> Result<(), String> {
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
                let Column { numbers, names } = column;
                let label = || format!("expected a number, got the label {}", field.shown());
                Err(format!(
                    "{}, but {numbers} of {} targets are numbers (if they are the names of classes, \
                     set the task to classification)",
                    number.err().unwrap_or_else(label),
                    numbers + names
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
            column.numbers + column.names,
            field.label()
        )),
        _ => Ok(()),
    }
}

/// The number of classes that a summary lists.
const CLASSES: usize = 20;

/// Describes the targets, which have no parts, in one sentence, such as `target: regression, 12 values from 0.5 to 14.25`.
pub(crate) fn summary(kind: &TargetKind, examples: &[Example]) -> String {
    let Some(task) = Task::of(kind) else { return "target: none".into() };
    let per_step = if kind.is_per_step() { " (one target per step)" } else { "" };
    let task = task.name();
    if let Some(labels) = kind.labels() {
        let shown = labels.iter().take(CLASSES).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if labels.len() > CLASSES { ", ..." } else { "" };
        let classes = match (kind.is_transcription(), labels.len()) {
            (true, 1) => "label",
            (true, _) => "labels",
            (false, 1) => "class",
            (false, _) => "classes",
        };
        let count = labels.len();
        return format!("target: {task}{per_step}, {count} {classes}: {shown}{more}");
    }
    let values = || {
        examples.iter().flat_map(|example| match &example.target {
            Target::Values(values) => values.as_slice(),
            Target::StepValues(values) => values.values(),
            Target::Class(_) | Target::StepClasses(_) | Target::Labels(_) => &[],
        })
    };
    let count = values().count();
    let min = values().copied().fold(f32::INFINITY, f32::min);
    let max = values().copied().fold(f32::NEG_INFINITY, f32::max);
    let width = match kind.outputs() {
        1 => String::new(),
        outputs => format!(" in {outputs} columns"),
    };
    match count {
        0 => format!("target: {task}{per_step}, no values"),
        1 => format!("target: {task}{per_step}, 1 value, {min}"),
        _ => format!("target: {task}{per_step}, {count} values{width} from {min} to {max}"),
    }
}
