//! From the sequences in files to a data set with one kind of target, one vocabulary and one number of
//! features.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Location, Result};
use crate::example::Example;
use crate::formats::column::{Column, Role};
use crate::formats::content;
use crate::formats::feature_names::FeatureNames;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::labels::{Vocabulary, distinct};
use crate::formats::notes;
use crate::formats::number::shown;
use crate::formats::options::ReadOptions;
use crate::formats::parts;
use crate::formats::precision::Precision;
use crate::formats::raw_sequence::RawSequence;
use crate::formats::resolve::{resolve, target};
use crate::formats::schema::Schema;
use crate::formats::static_columns::StaticNames;
use crate::formats::target_names::TargetNames;
use crate::formats::task::{self, Task};
use crate::formats::token_columns::Tokens;
use crate::in_memory::InMemory;
use crate::target_kind::{TargetKind, TargetPart};

/// Collects the sequences of one or more files.
pub(super) struct Collector<'a> {
    task: Option<Task>,
    /// The number of times that each step is read.
    repeat: usize,
    /// Whether targets are parts even if all are numbers.
    wants_parts: bool,
    targets: TargetNames,
    known: Option<&'a TargetKind>,
    /// Whether values are kept in 64 bits in any case.
    exact: bool,
    names: FeatureNames,
    files: Vec<PathBuf>,
    declared: Vec<String>,
    features: Option<usize>,
    tokens: Tokens,
    statics: StaticNames,
    /// Each with the index of its file.
    sequences: Vec<(usize, RawSequence)>,
    /// Each with the index of its file.
    notes: Vec<(usize, String)>,
    /// Sentences about the content of all files.
    content_notes: Vec<String>,
    columns: Vec<Column>,
    known_columns: HashSet<(String, Role)>,
}

impl<'a> Collector<'a> {
    /// Creates a collector for data of a known schema, of a task, or of the kind found in the files.
    pub(super) fn new(options: &ReadOptions, schema: Option<&'a Schema>) -> Self {
        let names = FeatureNames::new(schema.and_then(|schema| schema.features.clone()));
        Self {
            task: options.task,
            repeat: options.repeat.map_or(1, |times| times.get().into()),
            wants_parts: options.parts,
            targets: TargetNames::new(schema),
            known: schema.map(|schema| &schema.targets),
            exact: schema.is_some_and(|schema| schema.exact),
            features: names.count(),
            tokens: Tokens::new(schema),
            statics: StaticNames::new(schema),
            names,
            files: vec![],
            declared: vec![],
            sequences: vec![],
            notes: vec![],
            content_notes: vec![],
            columns: vec![],
            known_columns: HashSet::new(),
        }
    }

    /// Whether these are the training data, and not data that are read with their schema.
    pub(super) fn is_training(&self) -> bool {
        self.known.is_none()
    }

    /// Whether the current file is the first of the training data, which decides the types of columns.
    pub(super) fn is_first_of_training(&self) -> bool {
        self.is_training() && self.sequences.is_empty()
    }

    /// Adds a sentence that a person should read about the current file.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push((self.file(), note.into()));
    }

    /// Records what a column of the current file is read as. Files with the same columns share them.
    pub(super) fn column(&mut self, name: &str, role: Role, content: &str) {
        if self.known_columns.insert((name.into(), role)) {
            self.columns.push(Column { name: name.into(), role, content: content.into() });
        }
    }

    /// Records all features, by the function of their index that names those without a name.
    pub(super) fn feature_columns(&mut self, name: impl Fn(usize) -> String) {
        for k in 0..self.features.unwrap_or(0) {
            let name = self.names.name(k).map_or_else(|| name(k), String::from);
            self.column(&name, Role::Feature(k), "");
        }
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

    /// Whether targets have names even if all are numbers.
    #[cfg(feature = "parquet")]
    pub(super) fn wants_parts(&self) -> bool {
        self.wants_parts || matches!(self.known, Some(TargetKind::Parts { .. }))
    }

    /// Starts a file, to which the following sequences belong.
    pub(super) fn begin(&mut self, file: &Path) {
        self.files.push(file.to_path_buf());
    }

    /// Declares classes and their order.
    pub(super) fn declare_labels(&mut self, labels: &[String]) {
        let mut known: HashSet<String> = self.declared.iter().cloned().collect();
        let labels = labels.iter().map(|label| label.trim().to_string());
        self.declared.extend(labels.filter(|label| known.insert(label.clone())));
    }

    /// Returns the columns of tokens.
    pub(super) fn tokens(&mut self) -> &mut Tokens {
        &mut self.tokens
    }

    /// Returns the static columns.
    pub(super) fn statics(&mut self) -> &mut StaticNames {
        &mut self.statics
    }

    /// Returns the names of the targets.
    pub(super) fn targets(&mut self) -> &mut TargetNames {
        &mut self.targets
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
        if sequence.statics.is_none() {
            let checked = self.statics.check(&[], &[]);
            checked.map_err(|reason| sequence.location.error(reason))?;
        }
        if !self.wants_targets() {
            sequence.target = RawTarget::None;
        }
        if let RawTarget::Named { names, rows, .. } = &mut sequence.target {
            let order = self.targets.order(names, true);
            let order = order.map_err(|reason| sequence.location.error(reason))?;
            for row in rows {
                *row = order.iter().map(|&k| row[k].clone()).collect();
            }
            *names = self.targets.known().to_vec();
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
        let first = self.sequences.first();
        let Some(features) = self.features.or(first.map(|_| 1)) else {
            return Err(Location::Whole.error("expected at least one sequence, got none"));
        };
        let parts = self.parts()?;
        let targets = self.sequences.iter().map(|(file, sequence)| (*file, &sequence.target));
        let task = match self.wanted() {
            _ if parts.is_some() => None,
            // The targets of a known kind are checked one by one.
            Some(task) if self.known.is_some() => Some(task),
            given => {
                let numbers = self.targets.declared(0);
                task::decide(given, numbers, targets).map_err(|(file, e)| self.in_file(file, e))?
            }
        };
        let raw = self.sequences.iter().map(|(_, sequence)| &sequence.target);
        let decided = self.wanted().is_some() || self.targets.declared(0).is_some();
        if !decided && parts.is_none() && task::is_binary(raw) {
            let note = "target: the numbers 0 and 1 are two classes (set the task to regression for values)";
            self.content_notes.push(note.into());
        }
        let per_step = task.is_some_and(Task::is_per_step);
        let content = task.map_or(String::new(), |task| {
            let why = match (self.known, self.task) {
                (Some(_), _) => ", as in the training data",
                (None, Some(_)) => ", by the given task",
                (None, None) => "",
            };
            task.content(self.sequences.iter().map(|(_, sequence)| &sequence.target)) + why
        });
        for column in self.columns.iter_mut().filter(|column| column.role == Role::Target) {
            column.content.clone_from(&content);
        }
        if let Some(TargetKind::Parts { parts, per_step }) = &parts {
            for column in self.columns.iter_mut().filter(|column| column.role == Role::Target) {
                // Those of JSON lines are in one object.
                column.content = match parts.iter().find(|part| part.name == column.name) {
                    Some(part) => parts::content(part, *per_step),
                    None => parts::all_content(parts, *per_step),
                };
            }
        }
        for at in 0..if parts.is_some() { 0 } else { self.sequences.len() } {
            let (file, raw) = &mut self.sequences[at];
            let (file, target) = (*file, std::mem::replace(&mut raw.target, RawTarget::None));
            match resolve(target, per_step) {
                Ok(target) => self.sequences[at].1.target = target,
                Err(error) => return Err(self.in_file(file, error)),
            }
        }
        let kind = match (self.known, parts) {
            (Some(kind), _) => kind.clone(),
            (None, Some(kind)) => kind,
            (None, None) => self.kind(task),
        };
        let exact = self.check_precision(features) || self.exact;
        let vocabulary = Vocabulary::new(kind.labels().unwrap_or_default());
        let of_part = |part: &TargetPart| Vocabulary::new(part.labels().unwrap_or_default());
        let of_parts: Vec<Vocabulary> = kind.parts().iter().map(of_part).collect();
        let (mut examples, mut ids) = (vec![], vec![]);
        for (file, mut raw) in std::mem::take(&mut self.sequences) {
            let (values, tokens) =
                (std::mem::take(&mut raw.values), std::mem::take(&mut raw.tokens));
            let sequence = self.tokens.sequence(values, features, exact, tokens)?;
            let sequence = sequence.repeat_steps(self.repeat);
            let sequence = match raw.statics.take() {
                Some(statics) => sequence.with_statics(statics),
                None => sequence,
            };
            let length = sequence.len();
            let target = match &kind {
                TargetKind::Parts { parts, per_step } => {
                    parts::target(parts, *per_step, &of_parts, &raw, length)
                }
                kind => target(kind, &vocabulary, &raw, length),
            };
            let target = target.map_err(|error| self.in_file(file, error))?;
            ids.extend(raw.id);
            examples.push(Example::new(sequence, target));
        }
        let (named, count) = (ids.len(), examples.len());
        if named > 0 && named < count {
            let note = format!("{named} of {count} sequences have names, which are left out");
            self.content_notes.push(note);
        }
        let ids = (named == count).then_some(ids);
        if self.known.is_none() {
            let content = content::notes(&examples, features, |k| self.names.name(k));
            self.content_notes.extend(content);
            self.content_notes.extend(parts::missing_notes(kind.parts(), &examples));
        }
        let notes = notes::distinct(&self.notes, &self.files).chain(self.content_notes).collect();
        let names = self.names.into_names();
        let data = InMemory::new(examples, kind)?.with_ids(ids)?.with_feature_names(names)?;
        let data = data.with_token_columns(self.tokens.into_columns())?;
        let data = data.with_static_columns(self.statics.into_columns())?;
        Ok(data.with_notes(notes).with_columns(self.columns))
    }

    /// Returns the kind of several targets with names, or `None` if the targets are of another kind.
    fn parts(&mut self) -> Result<Option<TargetKind>> {
        let targets = || self.sequences.iter().map(|(file, sequence)| (*file, &sequence.target));
        let (task, names, mut notes) = (self.task, &self.targets, vec![]);
        let decided = match self.known {
            Some(TargetKind::Parts { .. }) => return Ok(self.known.cloned()),
            Some(_) => return Ok(None),
            None => parts::check_declared(names, targets())
                .and_then(|()| parts::are_parts(self.wants_parts, task, names, targets()))
                .and_then(|are_parts| match are_parts {
                    true => parts::decide(task, names, targets(), &mut notes).map(Some),
                    false => Ok(None),
                }),
        };
        let decided = decided.map_err(|(file, error)| self.in_file(file, error))?;
        self.content_notes.extend(notes);
        Ok(decided)
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
            RawTarget::Rows(rows) | RawTarget::Column(rows) | RawTarget::Named { rows, .. } => {
                rows.first().map_or(0, Vec::len)
            }
        };
        match task {
            None => TargetKind::NONE,
            Some(Task::Classification) => TargetKind::Classes(self.labels()),
            Some(Task::SequenceLabelling) => TargetKind::StepClasses(self.labels()),
            Some(Task::Transcription) => TargetKind::Labels(self.labels()),
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
