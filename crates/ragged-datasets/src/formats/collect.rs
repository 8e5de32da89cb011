//! From what readers find to a data set: one kind of target, one vocabulary, one number of features.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Task;
use super::number::{number, shown};
use crate::error::Place;
use crate::{Error, Example, InMemory, Result, Sequence, Target, TargetKind};

/// A part of a target as a file has it.
#[derive(Debug, Clone)]
pub(super) enum Field {
    /// Surely a number.
    Number(f32),
    /// Surely a label.
    Text(String),
    /// A cell of a table: what it is, the whole column shows.
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

    /// As a label; a number is labelled by its digits.
    fn label(&self) -> String {
        match self {
            Self::Number(value) => value.to_string(),
            Self::Text(text) | Self::Cell(text) => text.clone(),
        }
    }
}

/// A target as a file has it.
#[derive(Debug, Clone)]
pub(super) enum RawTarget {
    None,
    One(Field),
    /// Several numbers, or a label for each step.
    Many(Vec<Field>),
    /// Some fields for each step.
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
            Self::Many(fields) => format!("{} of them", fields.len()),
            Self::Rows(rows) => {
                format!("{} for each of {} steps", rows.first().map_or(0, Vec::len), rows.len())
            }
        }
    }
}

/// A sequence as a file has it.
#[derive(Debug)]
pub(super) struct Row {
    /// Its name.
    pub(super) id: Option<String>,
    /// Row-major `[length, features]`.
    pub(super) values: Vec<f32>,
    /// `None` where there is no step to tell.
    pub(super) features: Option<usize>,
    pub(super) target: RawTarget,
    /// Where its target stands.
    pub(super) place: Place,
}

/// Takes up the sequences of one file or several.
pub(super) struct Collector<'a> {
    task: Option<Task>,
    known: Option<&'a TargetKind>,
    files: Vec<PathBuf>,
    declared: Vec<String>,
    features: Option<usize>,
    /// With the file that each comes from.
    rows: Vec<(usize, Row)>,
}

impl<'a> Collector<'a> {
    /// For targets of a known kind, of a task, or of the kind that is found.
    pub(super) fn new(task: Option<Task>, known: Option<&'a TargetKind>) -> Self {
        Self { task, known, files: vec![], declared: vec![], features: None, rows: vec![] }
    }

    /// Whether targets are read at all.
    pub(super) fn wants_targets(&self) -> bool {
        self.known != Some(&TargetKind::NONE)
    }

    /// What the targets are to be: known beforehand, or asked for.
    pub(super) fn wanted(&self) -> Option<Task> {
        self.known.and_then(Task::of).or(self.task)
    }

    /// What comes now is from this file.
    pub(super) fn begin(&mut self, file: &Path) {
        self.files.push(file.to_path_buf());
    }

    /// The classes and their order, where a file declares them.
    pub(super) fn declare_labels(&mut self, labels: &[String]) {
        for label in labels {
            if !self.declared.contains(label) {
                self.declared.push(label.clone());
            }
        }
    }

    /// Takes up a sequence, whose features must be those of the ones before.
    pub(super) fn push(&mut self, mut row: Row) -> Result<()> {
        if let Some(got) = row.features {
            let expected = *self.features.get_or_insert(got);
            if got != expected {
                return Err(row.place.error(format!("expected {expected} features, got {got}")));
            }
        }
        if !self.wants_targets() {
            row.target = RawTarget::None;
        }
        self.rows.push((self.files.len().saturating_sub(1), row));
        Ok(())
    }

    /// The number of sequences so far.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Gives all sequences from `begin` on one label, whatever target they had.
    pub(super) fn relabel(&mut self, begin: usize, label: &str) {
        if self.wants_targets() {
            for (_, row) in &mut self.rows[begin..] {
                row.target = RawTarget::One(Field::Text(label.into()));
            }
            self.declared.clear();
        }
    }

    /// The data set, once all is read.
    pub(super) fn finish(self) -> Result<InMemory> {
        let Some(features) = self.features.or(self.rows.first().map(|_| 1)) else {
            return Err(Place::Whole.error("expected at least one sequence, got none"));
        };
        let kind = match self.known {
            Some(kind) => kind.clone(),
            None => self.kind()?,
        };
        let labels = kind.labels().unwrap_or_default();
        let classes: HashMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
        let (mut examples, mut ids) = (vec![], vec![]);
        for (file, row) in self.rows {
            let length = row.values.len() / features;
            let target = target(&kind, &classes, &row, length);
            let target = target.map_err(|error| match self.files.get(file) {
                Some(file) => error.in_file(file),
                None => error,
            })?;
            ids.extend(row.id);
            examples.push(Example { sequence: Sequence::new(row.values, features)?, target });
        }
        let ids = (ids.len() == examples.len()).then_some(ids);
        InMemory::new(examples, kind)?.with_ids(ids)
    }

    /// What the targets are, by what is asked for and by what is there.
    fn kind(&self) -> Result<TargetKind> {
        let targets = || self.rows.iter().map(|(_, row)| &row.target);
        let width = |target: &RawTarget| match target {
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
                TargetKind::Values(targets().map(width).find(|&n| n > 0).unwrap_or(0))
            }
            Some(Task::StepRegression) => {
                let rows = targets().filter(|target| matches!(target, RawTarget::Rows(_)));
                TargetKind::StepValues(rows.map(width).find(|&n| n > 0).unwrap_or(1))
            }
        })
    }

    /// The declared labels, or those that are there: in the order of their numbers where all are
    /// numbers, else in that of the alphabet, so that the order of the examples does not matter.
    fn labels(&self) -> Vec<String> {
        if !self.declared.is_empty() {
            return self.declared.clone();
        }
        let fields = self.rows.iter().flat_map(|(_, row)| row.target.fields());
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

/// A target of the kind that all are to be of.
fn target(
    kind: &TargetKind,
    classes: &HashMap<&str, u32>,
    row: &Row,
    length: usize,
) -> Result<Target> {
    let error = |reason: String| -> Error { row.place.error(reason) };
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
    match (kind, &row.target) {
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
        // Of a sequence without a step, a format may not tell whose target it lacks.
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
                TargetKind::StepClasses(_) => format!("a label for each of {length} steps"),
                TargetKind::StepValues(count) => {
                    format!("{count} numbers for each of {length} steps")
                }
            };
            Err(error(format!("target: expected {expected}, got {}", row.target.describe())))
        }
    }
}
