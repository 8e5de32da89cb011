//! From the collected sequences to a data set.

use crate::error::{Error, Location, Result};
use crate::example::{Example, Target};
use crate::formats::collect::Collector;
use crate::formats::collect::survey::Surveyed;
use crate::formats::column::Role;
use crate::formats::content;
use crate::formats::field::RawTarget;
use crate::formats::labels::{Vocabulary, distinct};
use crate::formats::notes;
use crate::formats::number::shown;
use crate::formats::parts;
use crate::formats::precision::Precision;
use crate::formats::raw_sequence::RawSequence;
use crate::formats::resolve::{resolve, target};
use crate::formats::schema::Schema;
use crate::formats::target_summary::TargetSummary;
use crate::formats::task::{self, Task};
use crate::in_memory::InMemory;
use crate::target_kind::{TargetKind, TargetPart};

impl Collector<'_> {
    /// Makes a data set of all sequences.
    pub(in crate::formats) fn finish(mut self) -> Result<InMemory> {
        let features = self.features()?;
        let kind = self.decide()?;
        let exact = match self.in_64_bits {
            Some(exact) => exact,
            None => self.check_precision(features) || self.exact,
        };
        let labels = Labels::new(&kind);
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
            let target = labels.target(&raw, length);
            let target = target.map_err(|error| self.in_file(file, error))?;
            ids.extend(raw.id);
            examples.push(Example::new(sequence, target));
        }
        let ids = self.has_ids(ids.len()).then_some(ids);
        if self.known.is_none() {
            let content = content::notes(&examples, features, |k| self.names.name(k));
            self.content_notes.extend(content);
            let mut summary = TargetSummary::new(&kind);
            examples.iter().for_each(|example| summary.add(&example.target));
            self.content_notes.extend(summary.missing_notes());
        }
        let notes = notes::distinct(&self.notes, &self.files).chain(self.content_notes).collect();
        let names = self.names.into_names();
        let data = InMemory::new(examples, kind)?.with_ids(ids)?.with_feature_names(names)?;
        let data = data.with_token_columns(self.tokens.into_columns())?;
        let data = data.with_static_columns(self.statics.into_columns())?;
        Ok(data.with_notes(notes).with_columns(self.columns))
    }

    /// Returns what all sequences have in common, whose values and targets were not kept. Of the targets, only their
    /// kind is decided: those of each sequence are checked when they are read again.
    pub(in crate::formats) fn finish_survey(mut self) -> Result<Surveyed> {
        let features = self.features()?;
        let targets = self.decide()?;
        let survey = self.survey.take().unwrap_or_default();
        let lost = self.note_precision(survey.precisions());
        let exact = self.in_64_bits.unwrap_or(lost || self.exact);
        let (lengths, ids) = survey.into_lengths_and_ids();
        let has_ids = self.has_ids(ids.len());
        let notes = notes::distinct(&self.notes, &self.files).chain(self.content_notes).collect();
        let static_columns = self.statics.into_columns();
        let token_columns = self.tokens.into_columns();
        let schema = Schema {
            targets,
            features: self.names.into_names(),
            tokens: token_columns.iter().map(|column| column.name.clone()).collect(),
            static_numbers: static_columns.numbers.clone(),
            static_categories: static_columns.category_names(),
            exact,
        };
        Ok(Surveyed {
            schema,
            features,
            repeat: self.repeat,
            lengths,
            ids: has_ids.then_some(ids),
            token_columns,
            static_columns,
            target_names: self.targets.known().to_vec(),
            notes,
            columns: self.columns,
        })
    }

    /// Returns the number of features.
    fn features(&self) -> Result<usize> {
        let first = (self.count > 0).then_some(1);
        let none = || Location::Whole.error("expected at least one sequence, got none");
        self.features.or(first).ok_or_else(none)
    }

    /// Whether all sequences have names. If only some have, which are left out, this is noted.
    fn has_ids(&mut self, named: usize) -> bool {
        let count = self.count;
        if named > 0 && named < count {
            let note = format!("{named} of {count} sequences have names, which are left out");
            self.content_notes.push(note);
        }
        named == count
    }

    /// Decides what is predicted, and makes one target per sequence, or one per step, of those of tables.
    fn decide(&mut self) -> Result<TargetKind> {
        let parts = self.parts()?;
        let task = match self.wanted() {
            _ if parts.is_some() => None,
            // The targets of a known kind are checked one by one.
            Some(task) if self.known.is_some() => Some(task),
            given => {
                let numbers = self.targets.declared(0);
                let decided = task::decide(given, numbers, &self.evidence);
                decided.map_err(|(file, error)| self.in_file(file, error))?
            }
        };
        let decided = self.wanted().is_some() || self.targets.declared(0).is_some();
        if !decided && parts.is_none() && task::is_binary(&self.evidence) {
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
            task.content(self.evidence.forms().rows_of_cells) + why
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
        if parts.is_none() {
            let checked = self.evidence.changes_mut().check(per_step);
            checked.map_err(|(file, error)| self.in_file(file, error))?;
            for (_, sequence) in &mut self.sequences {
                let target = std::mem::replace(&mut sequence.target, RawTarget::None);
                sequence.target = resolve(target, per_step);
            }
        }
        Ok(match (self.known, parts) {
            (Some(kind), _) => kind.clone(),
            (None, Some(kind)) => kind,
            (None, None) => self.kind(task)?,
        })
    }

    /// Returns the kind of several targets with names, or `None` if the targets are of another kind.
    fn parts(&mut self) -> Result<Option<TargetKind>> {
        let (task, names, targets) = (self.task, &self.targets, &self.evidence);
        let mut notes = vec![];
        let decided = match self.known {
            Some(TargetKind::Parts { .. }) => return Ok(self.known.cloned()),
            Some(_) => return Ok(None),
            None => parts::check_declared(names, targets)
                .and_then(|()| parts::are_parts(self.wants_parts, task, names, targets))
                .and_then(|are_parts| match are_parts {
                    true => parts::decide(task, names, targets, &mut notes).map(Some),
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
        self.note_precision(&precisions)
    }

    /// Notes the features whose values 32 bits cannot hold. Returns whether there are any.
    fn note_precision(&mut self, precisions: &[Precision]) -> bool {
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
    fn kind(&mut self, task: Option<Task>) -> Result<TargetKind> {
        let forms = self.evidence.forms();
        Ok(match task {
            None => TargetKind::NONE,
            Some(Task::Classification) => TargetKind::Classes(self.labels(false)?),
            Some(Task::SequenceLabelling) => TargetKind::StepClasses(self.labels(true)?),
            Some(Task::Transcription) => TargetKind::Labels(self.labels(false)?),
            Some(Task::Regression) => TargetKind::Values(forms.width),
            Some(Task::StepRegression) => TargetKind::StepValues(forms.step_width.max(1)),
        })
    }

    /// Returns the declared labels, or the labels of the targets.
    fn labels(&mut self, per_step: bool) -> Result<Vec<String>> {
        if !self.declared.is_empty() {
            return Ok(self.declared.clone());
        }
        Ok(distinct(self.evidence.labels(per_step)?, &mut self.content_notes))
    }
}

/// The labels of targets of a kind.
struct Labels<'a> {
    kind: &'a TargetKind,
    vocabulary: Vocabulary,
    of_parts: Vec<Vocabulary>,
}

impl<'a> Labels<'a> {
    fn new(kind: &'a TargetKind) -> Self {
        let vocabulary = Vocabulary::new(kind.labels().unwrap_or_default());
        let of_part = |part: &TargetPart| Vocabulary::new(part.labels().unwrap_or_default());
        Self { kind, vocabulary, of_parts: kind.parts().iter().map(of_part).collect() }
    }

    /// Returns the target of a sequence of a length.
    fn target(&self, raw: &RawSequence, length: usize) -> Result<Target> {
        match self.kind {
            TargetKind::Parts { parts, per_step } => {
                parts::target(parts, *per_step, &self.of_parts, raw, length)
            }
            kind => target(kind, &self.vocabulary, raw, length),
        }
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
