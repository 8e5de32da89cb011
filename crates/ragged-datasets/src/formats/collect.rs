//! From the sequences in files to a data set with one kind of target, one vocabulary and one number of
//! features.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Location, Result};
use crate::example::{Example, Sequence, Target, TargetKind};
use crate::formats::number::{number, shown};
use crate::formats::task::Task;
use crate::in_memory::InMemory;

/// A part of a target, as read from a file.
#[derive(Debug, Clone)]
pub(super) enum Field {
    /// A number.
    Number(f32),
    /// A label.
    Text(String),
    /// A cell of a table. Whether it is a number or a label depends on the whole column.
    Cell(String),
}

impl Field {
    fn is_number(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Text(_) => false,
            Self::Cell(text) => number(text).is_ok(),
        }
    }

    fn number(&self) -> Result<f32, String> {
        match self {
            Self::Number(value) => Ok(*value),
            Self::Text(text) | Self::Cell(text) => number(text),
        }
    }

    /// Returns the field as a label; the label of a number is its digits.
    fn label(&self) -> String {
        match self {
            Self::Number(value) => value.to_string(),
            Self::Text(text) | Self::Cell(text) => text.clone(),
        }
    }
}

/// A target, as read from a file.
#[derive(Debug, Clone)]
pub(super) enum RawTarget {
    None,
    One(Field),
    /// Several numbers, or one label for each step.
    Many(Vec<Field>),
    /// One or more fields for each step.
    Rows(Vec<Vec<Field>>),
}

impl RawTarget {
    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    fn fields(&self) -> Box<dyn Iterator<Item = &Field> + '_> {
        match self {
            Self::None => Box::new(std::iter::empty()),
            Self::One(field) => Box::new(std::iter::once(field)),
            Self::Many(fields) => Box::new(fields.iter()),
            Self::Rows(rows) => Box::new(rows.iter().flatten()),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::None => "none".into(),
            Self::One(field) => format!("`{}`", shown(&field.label())),
            Self::Many(fields) => format!("a list of {}", fields.len()),
            Self::Rows(rows) => {
                format!("{} for each of {} steps", rows.first().map_or(0, Vec::len), rows.len())
            }
        }
    }
}

/// A sequence, as read from a file.
#[derive(Debug)]
pub(super) struct RawSequence {
    /// The name of the sequence.
    pub(super) id: Option<String>,
    /// Row-major `[length, features]`.
    pub(super) values: Vec<f32>,
    /// The number of features; `None` if it is unknown because there is no step.
    pub(super) features: Option<usize>,
    pub(super) target: RawTarget,
    /// The location of the target.
    pub(super) location: Location,
}

/// Collects the sequences of one or more files.
pub(super) struct Collector<'a> {
    task: Option<Task>,
    known: Option<&'a TargetKind>,
    files: Vec<PathBuf>,
    declared: Vec<String>,
    features: Option<usize>,
    /// Each with the index of its file.
    sequences: Vec<(usize, RawSequence)>,
}

impl<'a> Collector<'a> {
    /// Creates a collector for targets of a known kind, of a task, or of the kind found in the files.
    pub(super) fn new(task: Option<Task>, known: Option<&'a TargetKind>) -> Self {
        Self { task, known, files: vec![], declared: vec![], features: None, sequences: vec![] }
    }

    /// Whether targets are read at all.
    pub(super) fn wants_targets(&self) -> bool {
        self.known != Some(&TargetKind::NONE)
    }

    /// Returns the task of the targets, if it was given.
    pub(super) fn wanted(&self) -> Option<Task> {
        self.known.and_then(Task::of).or(self.task)
    }

    /// Starts a file, to which the following sequences belong.
    pub(super) fn begin(&mut self, file: &Path) {
        self.files.push(file.to_path_buf());
    }

    /// Declares classes and their order.
    pub(super) fn declare_labels(&mut self, labels: &[String]) {
        for label in labels {
            if !self.declared.contains(label) {
                self.declared.push(label.clone());
            }
        }
    }

    /// Adds a sequence, which must have as many features as the ones before.
    pub(super) fn push(&mut self, mut sequence: RawSequence) -> Result<()> {
        if let Some(got) = sequence.features {
            let expected = *self.features.get_or_insert(got);
            if got != expected {
                return Err(sequence
                    .location
                    .error(format!("expected {expected} features, got {got}")));
            }
        }
        if !self.wants_targets() {
            sequence.target = RawTarget::None;
        }
        self.sequences.push((self.files.len().saturating_sub(1), sequence));
        Ok(())
    }

    /// Returns the number of sequences so far.
    pub(super) fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Sets the target of all sequences from `begin` on to one label.
    pub(super) fn relabel(&mut self, begin: usize, label: &str) {
        if self.wants_targets() {
            for (_, sequence) in &mut self.sequences[begin..] {
                sequence.target = RawTarget::One(Field::Text(label.into()));
            }
            self.declared.clear();
        }
    }

    /// Makes a data set of all sequences.
    pub(super) fn finish(self) -> Result<InMemory> {
        let Some(features) = self.features.or(self.sequences.first().map(|_| 1)) else {
            return Err(Location::Whole.error("expected at least one sequence, got none"));
        };
        let kind = match self.known {
            Some(kind) => kind.clone(),
            None => self.kind()?,
        };
        let labels = kind.labels().unwrap_or_default();
        let classes: HashMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
        let (mut examples, mut ids) = (vec![], vec![]);
        for (file, raw) in self.sequences {
            let length = raw.values.len() / features;
            let target = target(&kind, &classes, &raw, length);
            let target = target.map_err(|error| match self.files.get(file) {
                Some(file) => error.in_file(file),
                None => error,
            })?;
            ids.extend(raw.id);
            examples.push(Example::new(Sequence::new(raw.values, features)?, target));
        }
        let ids = (ids.len() == examples.len()).then_some(ids);
        InMemory::new(examples, kind)?.with_ids(ids)
    }

    /// Determines the kind of the targets from the task, if given, and from the targets.
    fn kind(&self) -> Result<TargetKind> {
        let targets = || self.sequences.iter().map(|(_, sequence)| &sequence.target);
        let fields = |target: &RawTarget| match target {
            RawTarget::None => 0,
            RawTarget::One(_) => 1,
            RawTarget::Many(fields) => fields.len(),
            RawTarget::Rows(rows) => rows.first().map_or(0, Vec::len),
        };
        let task = self.task.or_else(|| {
            let numbers = targets().flat_map(RawTarget::fields).all(Field::is_number);
            let has = |what: fn(&RawTarget) -> bool| targets().any(what);
            Some(if has(|target| matches!(target, RawTarget::Rows(_))) {
                if numbers { Task::StepRegression } else { Task::SequenceLabelling }
            } else if has(|target| matches!(target, RawTarget::Many(_))) {
                if numbers { Task::Regression } else { Task::SequenceLabelling }
            } else if has(|target| !target.is_none()) {
                if numbers { Task::Regression } else { Task::Classification }
            } else {
                return None;
            })
        });
        Ok(match task {
            None => TargetKind::NONE,
            Some(Task::Classification) => TargetKind::Classes(self.labels()),
            Some(Task::SequenceLabelling) => TargetKind::StepClasses(self.labels()),
            Some(Task::Regression) => {
                TargetKind::Values(targets().map(fields).find(|&n| n > 0).unwrap_or(0))
            }
            Some(Task::StepRegression) => {
                let rows = targets().filter(|target| matches!(target, RawTarget::Rows(_)));
                TargetKind::StepValues(rows.map(fields).find(|&n| n > 0).unwrap_or(1))
            }
        })
    }

    /// Returns the declared labels, or the labels of the targets.
    ///
    /// The latter are sorted numerically if all are numbers, and otherwise alphabetically, so that the
    /// order of the examples does not matter.
    fn labels(&self) -> Vec<String> {
        if !self.declared.is_empty() {
            return self.declared.clone();
        }
        let fields = self.sequences.iter().flat_map(|(_, sequence)| sequence.target.fields());
        let mut labels: Vec<String> = fields.map(Field::label).collect();
        labels.sort_unstable();
        labels.dedup();
        let number = |label: &String| label.parse::<f64>().ok().filter(|n| n.is_finite());
        if labels.iter().all(|label| number(label).is_some()) {
            labels.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(a.cmp(b)));
        }
        labels
    }
}

/// Converts a target to the kind of the data set.
fn target(
    kind: &TargetKind,
    classes: &HashMap<&str, u32>,
    raw: &RawSequence,
    length: usize,
) -> Result<Target> {
    let error = |reason: String| -> Error { raw.location.error(reason) };
    let class = |field: &Field| -> Result<u32> {
        let label = field.label();
        classes.get(label.as_str()).copied().ok_or_else(|| {
            let known = classes.len();
            error(format!("expected one of the {known} known labels, got `{}`", shown(&label)))
        })
    };
    let value = |field: &Field| -> Result<f32> {
        field.number().map_err(|reason| error(format!("target: {reason}")))
    };
    match (kind, &raw.target) {
        (TargetKind::Values(0), _) => Ok(Target::Values(vec![])),
        (TargetKind::Classes(_), RawTarget::One(field)) => Ok(Target::Class(class(field)?)),
        (TargetKind::Values(1), RawTarget::One(field)) => Ok(Target::Values(vec![value(field)?])),
        (TargetKind::Values(count), RawTarget::Many(fields)) if fields.len() == *count => {
            Ok(Target::Values(fields.iter().map(value).collect::<Result<_>>()?))
        }
        (TargetKind::StepClasses(_), RawTarget::Many(fields)) if fields.len() == length => {
            Ok(Target::StepClasses(fields.iter().map(class).collect::<Result<_>>()?))
        }
        (TargetKind::StepClasses(_), RawTarget::Rows(rows))
            if rows.len() == length && rows.iter().all(|fields| fields.len() == 1) =>
        {
            Ok(Target::StepClasses(rows.iter().flatten().map(class).collect::<Result<_>>()?))
        }
        (TargetKind::StepValues(1), RawTarget::Many(fields)) if fields.len() == length => {
            let values = fields.iter().map(value).collect::<Result<_>>()?;
            Ok(Target::StepValues(Sequence::new(values, 1)?))
        }
        // For a sequence without a step, a format may not record the number of values per step.
        (TargetKind::StepValues(count), RawTarget::Many(fields)) if fields.len() + length == 0 => {
            Ok(Target::StepValues(Sequence::new(vec![], *count)?))
        }
        (TargetKind::StepValues(count), RawTarget::Rows(rows))
            if rows.len() == length && rows.iter().all(|fields| fields.len() == *count) =>
        {
            let values = rows.iter().flatten().map(value).collect::<Result<_>>()?;
            Ok(Target::StepValues(Sequence::new(values, *count)?))
        }
        _ => {
            let expected = match kind {
                TargetKind::Classes(_) => "one label".to_string(),
                TargetKind::Values(1) => "one number".into(),
                TargetKind::Values(count) => format!("{count} numbers"),
                TargetKind::StepClasses(_) => format!("one label for each of {length} steps"),
                TargetKind::StepValues(count) => {
                    format!("{count} numbers for each of {length} steps")
                }
            };
            Err(error(format!("target: expected {expected}, got {}", raw.target.describe())))
        }
    }
}
