//! From the sequences in files to a data set with one kind of target, one vocabulary and one number of
//! features.

use std::path::{Path, PathBuf};

use crate::error::{Error, Location, Result};
use crate::example::{Example, Sequence, Target, TargetKind};
use crate::formats::feature_names::FeatureNames;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::labels::{Vocabulary, distinct};
use crate::formats::number::shown;
use crate::formats::precision::Precision;
use crate::formats::schema::Schema;
use crate::formats::task::{self, Task};
use crate::in_memory::InMemory;

/// A sequence, as read from a file.
#[derive(Debug)]
pub(super) struct RawSequence {
    /// The name of the sequence.
    pub(super) id: Option<String>,
    /// Row-major `[length, features]`.
    pub(super) values: Vec<f64>,
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
    /// Whether values are kept in 64 bits in any case.
    exact: bool,
    names: FeatureNames,
    files: Vec<PathBuf>,
    declared: Vec<String>,
    features: Option<usize>,
    /// Each with the index of its file.
    sequences: Vec<(usize, RawSequence)>,
    /// Each with the index of its file.
    notes: Vec<(usize, String)>,
    /// Sentences about the content of all files.
    content_notes: Vec<String>,
}

impl<'a> Collector<'a> {
    /// Creates a collector for data of a known schema, of a task, or of the kind found in the files.
    pub(super) fn new(task: Option<Task>, schema: Option<&'a Schema>) -> Self {
        let names = FeatureNames::new(schema.and_then(|schema| schema.features.clone()));
        Self {
            task,
            known: schema.map(|schema| &schema.targets),
            exact: schema.is_some_and(|schema| schema.exact),
            features: names.count(),
            names,
            files: vec![],
            declared: vec![],
            sequences: vec![],
            notes: vec![],
            content_notes: vec![],
        }
    }

    /// Adds a sentence that a person should read about the current file.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push((self.file(), note.into()));
    }

    /// Returns, for each feature, its index among the names of the current file.
    pub(super) fn order(&mut self, found: &[String]) -> Result<Vec<usize>, String> {
        self.names.order(found)
    }

    /// Notes that the current file does not name its features, if others do.
    pub(super) fn unnamed(&mut self) {
        if let Some(note) = self.names.note_unnamed() {
            self.note(note);
        }
    }

    /// Returns the index of the current file.
    fn file(&self) -> usize {
        self.files.len().saturating_sub(1)
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
            let label = label.trim();
            if !self.declared.iter().any(|declared| declared == label) {
                self.declared.push(label.into());
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
        self.sequences.push((self.file(), sequence));
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
                let name = Value::Text(label.into());
                sequence.target = RawTarget::One(Field::new(name, sequence.location));
            }
            self.declared.clear();
        }
    }

    /// Makes a data set of all sequences.
    pub(super) fn finish(mut self) -> Result<InMemory> {
        let Some(features) = self.features.or(self.sequences.first().map(|_| 1)) else {
            return Err(Location::Whole.error("expected at least one sequence, got none"));
        };
        let targets = self.sequences.iter().map(|(file, sequence)| (*file, &sequence.target));
        let task = match self.wanted() {
            // The targets of a known kind are checked one by one.
            Some(task) if self.known.is_some() => Some(task),
            given => task::decide(given, targets).map_err(|(file, e)| self.in_file(file, e))?,
        };
        let per_step = task.is_some_and(Task::is_per_step);
        for at in 0..self.sequences.len() {
            let (file, raw) = &mut self.sequences[at];
            let (file, target) = (*file, std::mem::replace(&mut raw.target, RawTarget::None));
            match resolve(target, per_step) {
                Ok(target) => self.sequences[at].1.target = target,
                Err(error) => return Err(self.in_file(file, error)),
            }
        }
        let kind = match self.known {
            Some(kind) => kind.clone(),
            None => self.kind(task),
        };
        let exact = self.check_precision(features) || self.exact;
        let vocabulary = Vocabulary::new(kind.labels().unwrap_or_default());
        let (mut examples, mut ids) = (vec![], vec![]);
        for (file, raw) in std::mem::take(&mut self.sequences) {
            let length = raw.values.len() / features;
            let target = target(&kind, &vocabulary, &raw, length);
            let target = target.map_err(|error| self.in_file(file, error))?;
            ids.extend(raw.id);
            let sequence = match exact {
                true => Sequence::exact(raw.values, features)?,
                false => Sequence::rounded(&raw.values, features)?,
            };
            examples.push(Example::new(sequence, target));
        }
        let (named, count) = (ids.len(), examples.len());
        if named > 0 && named < count {
            let note = format!("{named} of {count} sequences have names, which are left out");
            self.content_notes.push(note);
        }
        let ids = (named == count).then_some(ids);
        let notes = self.notes();
        let names = self.names.into_names();
        let data = InMemory::new(examples, kind)?.with_ids(ids)?.with_feature_names(names)?;
        Ok(data.with_notes(notes))
    }

    /// Returns the distinct notes, each with the first of its files if there are several files.
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<(usize, &str, usize)> = vec![];
        for (file, text) in &self.notes {
            match notes.iter_mut().find(|(_, known, _)| known == text) {
                Some((_, _, count)) => *count += 1,
                None => notes.push((*file, text, 1)),
            }
        }
        let note = |(file, text, count): (usize, &str, usize)| match self.files.get(file) {
            Some(path) if self.files.len() > 1 => {
                let path = path.display();
                let others = count - 1;
                let more =
                    if others > 0 { format!(" and {others} other files") } else { String::new() };
                format!("{path}{more}: {text}")
            }
            _ => text.to_string(),
        };
        notes.into_iter().map(note).chain(self.content_notes.iter().cloned()).collect()
    }

    /// Whether 32 bits cannot hold the values of some feature, which is noted.
    fn check_precision(&mut self, features: usize) -> bool {
        let mut precisions = vec![Precision::new(); features];
        for (_, sequence) in &self.sequences {
            for (k, value) in sequence.values.iter().enumerate() {
                precisions[k % features].add(*value);
            }
        }
        let lost = precisions.iter().enumerate().filter(|(_, precision)| precision.is_lost());
        let note = |(k, precision): (usize, &Precision)| match self.names.name(k) {
            Some(name) => precision.note(&format!("`{}`", shown(name))),
            None => precision.note(&(k + 1).to_string()),
        };
        let notes: Vec<String> = lost.map(note).collect();
        let any = !notes.is_empty();
        self.content_notes.extend(notes);
        any
    }

    /// Names the file of an error by its index.
    fn in_file(&self, file: usize, error: Error) -> Error {
        match self.files.get(file) {
            Some(file) => error.in_file(file),
            None => error,
        }
    }

    /// Determines the kind of the targets, whose task is decided.
    fn kind(&mut self, task: Option<Task>) -> TargetKind {
        let targets = || self.sequences.iter().map(|(_, sequence)| &sequence.target);
        let fields = |target: &RawTarget| match target {
            RawTarget::None => 0,
            RawTarget::One(_) => 1,
            RawTarget::Many(fields) => fields.len(),
            RawTarget::Rows(rows) | RawTarget::Column(rows) => rows.first().map_or(0, Vec::len),
        };
        match task {
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
        }
    }

    /// Returns the declared labels, or the labels of the targets.
    fn labels(&mut self) -> Vec<String> {
        if !self.declared.is_empty() {
            return self.declared.clone();
        }
        let fields = self.sequences.iter().flat_map(|(_, sequence)| sequence.target.fields());
        distinct(fields.map(|(_, field)| field.label()), &mut self.content_notes)
    }
}

/// Makes one target per sequence, or one per step, of the cells of a table.
fn resolve(target: RawTarget, per_step: bool) -> Result<RawTarget> {
    let rows = match target {
        RawTarget::Column(rows) if per_step => {
            return match rows.iter().flatten().find(|field| field.is_empty()) {
                None => Ok(RawTarget::Rows(rows)),
                Some(field) => Err(field.location.error("expected a target, got an empty cell")),
            };
        }
        RawTarget::Column(rows) => rows,
        other => return Ok(other),
    };
    let count = rows.first().map_or(0, Vec::len);
    let mut first: Vec<Option<Field>> = vec![None; count];
    for (k, field) in rows.into_iter().flat_map(|row| row.into_iter().enumerate()) {
        match &first[k] {
            _ if field.is_empty() => {}
            None => first[k] = Some(field),
            Some(known) if known.same(&field) => {}
            Some(known) => {
                let (first, got) = (known.shown(), field.shown());
                let reason =
                    format!("expected one target for the whole series, got {first} and {got}");
                return Err(field.location.error(reason));
            }
        }
    }
    let fields: Option<Vec<Field>> = first.into_iter().collect();
    Ok(match fields {
        None => RawTarget::None,
        Some(mut fields) => match (fields.pop(), fields.is_empty()) {
            (None, _) => RawTarget::None,
            (Some(field), true) => RawTarget::One(field),
            (Some(field), false) => {
                fields.push(field);
                RawTarget::Many(fields)
            }
        },
    })
}

/// Converts a target to the kind of the data set.
fn target(
    kind: &TargetKind,
    vocabulary: &Vocabulary,
    raw: &RawSequence,
    length: usize,
) -> Result<Target> {
    let error = |reason: String| -> Error { raw.location.error(reason) };
    let class = |field: &Field| -> Result<u32> {
        let label = field.label();
        vocabulary.class(&label).ok_or_else(|| {
            let (known, got) = (vocabulary.len(), shown(&label));
            let reason = format!("expected one of the {known} known labels, got `{got}`");
            field.location.error(reason)
        })
    };
    let value = |field: &Field| -> Result<f32> {
        field.number().map_err(|reason| field.location.error(format!("target: {reason}")))
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
