//! From the sequences in files to a data set with one kind of target, one vocabulary and one number of
//! features.

mod finish;
mod survey;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::formats::collect::survey::Survey;
use crate::formats::column::{Column, Role};
use crate::formats::feature_names::FeatureNames;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::options::ReadOptions;
use crate::formats::raw_sequence::RawSequence;
use crate::formats::schema::Schema;
use crate::formats::static_columns::StaticNames;
use crate::formats::target_evidence::TargetEvidence;
use crate::formats::target_names::TargetNames;
use crate::formats::task::Task;
use crate::formats::token_columns::Tokens;
use crate::target_kind::TargetKind;

pub(super) use survey::Surveyed;

/// Collects the sequences of one or more files.
pub(super) struct Collector<'a> {
    task: Option<Task>,
    /// The number of times that each step is read.
    repeat: usize,
    /// Whether targets are parts even if all are numbers.
    wants_parts: bool,
    targets: TargetNames,
    /// What the targets so far say about their kind.
    evidence: TargetEvidence,
    /// The class of all sequences of the current folder.
    label: Option<String>,
    known: Option<&'a TargetKind>,
    /// Whether values are kept in 64 bits in any case.
    exact: bool,
    names: FeatureNames,
    files: Vec<PathBuf>,
    declared: Vec<String>,
    features: Option<usize>,
    tokens: Tokens,
    statics: StaticNames,
    /// The number of sequences.
    count: usize,
    /// Each with the index of its file. None in a survey.
    sequences: Vec<(usize, RawSequence)>,
    /// Each with the index of its file.
    notes: Vec<(usize, String)>,
    /// Sentences about the content of all files.
    content_notes: Vec<String>,
    columns: Vec<Column>,
    known_columns: HashSet<(String, Role)>,
    /// Whether notes are left out.
    quiet: bool,
    /// Whether values are kept in 64 bits, where that has been decided.
    in_64_bits: Option<bool>,
    /// What is kept of values in place of themselves.
    survey: Option<Survey>,
}

impl<'a> Collector<'a> {
    /// Creates a collector for data of a known schema, of a task, or of the kind found in the files.
    pub(super) fn new(options: &ReadOptions, schema: Option<&'a Schema>) -> Self {
        let names = FeatureNames::new(schema.and_then(|schema| schema.features.clone()));
        let evidence = match schema {
            Some(_) => TargetEvidence::of_known_kind(),
            None => TargetEvidence::new(options.task.map(Task::predicts_numbers)),
        };
        Self {
            task: options.task,
            repeat: options.repeat.map_or(1, |times| times.get().into()),
            wants_parts: options.parts,
            targets: TargetNames::new(schema),
            evidence,
            label: None,
            known: schema.map(|schema| &schema.targets),
            exact: schema.is_some_and(|schema| schema.exact),
            features: names.count(),
            tokens: Tokens::new(schema),
            statics: StaticNames::new(schema),
            names,
            files: vec![],
            declared: vec![],
            count: 0,
            sequences: vec![],
            notes: vec![],
            content_notes: vec![],
            columns: vec![],
            known_columns: HashSet::new(),
            quiet: false,
            in_64_bits: None,
            survey: None,
        }
    }

    /// Creates a collector that keeps no values and no targets, for [`finish_survey`](Self::finish_survey).
    pub(super) fn survey(options: &ReadOptions, schema: Option<&'a Schema>) -> Self {
        Self { survey: Some(Survey::default()), ..Self::new(options, schema) }
    }

    /// Creates a collector for some sequences of surveyed files, which are read as all sequences are.
    pub(super) fn part(options: &ReadOptions, surveyed: &'a Surveyed) -> Self {
        let schema = &surveyed.schema;
        let mut part = Self::new(options, Some(schema));
        part.in_64_bits = Some(schema.exact);
        // Sequences without a step, and targets that are all numbers, do not say these.
        part.features = Some(surveyed.features);
        part.targets.expect(&surveyed.target_names);
        part
    }

    /// Whether these are the training data, and not data that are read with their schema.
    pub(super) fn is_training(&self) -> bool {
        self.known.is_none()
    }

    /// Whether the current file is the first of the training data, which decides the types of columns.
    pub(super) fn is_first_of_training(&self) -> bool {
        self.is_training() && self.count == 0
    }

    /// Adds a sentence that a person should read about the current file.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        if !self.quiet {
            self.notes.push((self.file(), note.into()));
        }
    }

    /// Leaves out all further notes about the current file, since its first part gave the same ones.
    pub(super) fn be_quiet(&mut self) {
        self.quiet = true;
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
        self.quiet = false;
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
        if let Some(label) = self.label.as_ref().filter(|_| self.wants_targets()) {
            let name = Value::Text(label.clone());
            sequence.target = RawTarget::One(Field::new(name, sequence.location));
        }
        let file = self.file();
        self.evidence.add(file, &sequence.target, &self.targets);
        match &mut self.survey {
            Some(survey) => {
                survey.add(&sequence, self.features.unwrap_or(0), self.tokens.count())?;
            }
            None => self.sequences.push((file, sequence)),
        }
        self.count += 1;
        Ok(())
    }

    /// Returns the number of sequences so far.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Sets the class of all further sequences, whatever targets their files have. `None` ends that.
    pub(super) fn label_all(&mut self, label: Option<&str>) {
        self.label = label.map(String::from);
        if self.wants_targets() {
            self.declared.clear();
        }
    }
}
