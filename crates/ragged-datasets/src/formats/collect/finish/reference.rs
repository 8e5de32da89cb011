//! The decision what is predicted by loops over all targets, with which that of a collector is compared.

use crate::error::{Error, Location};
use crate::formats::column_evidence::Counts;
use crate::formats::field::{Evidence, Field, RawTarget};
use crate::formats::labels::distinct;
use crate::formats::parts;
use crate::formats::target_names::TargetNames;
use crate::formats::task::{self, Task};
use crate::target_kind::{PartKind, TargetKind, TargetPart};

pub(super) type InFile<T> = Result<T, (usize, Error)>;

/// A decision: the kind, the notes, and what the column of targets is read as.
pub(super) type Decision = (TargetKind, Vec<String>, String);

/// All targets, each with the index of its file.
pub(super) struct Targets<'a>(pub(super) Vec<(usize, &'a RawTarget)>);

/// A field with the index of its file and that of its column.
type Placed<'a> = (usize, usize, &'a Field);

fn fields(target: &RawTarget) -> Vec<(usize, &Field)> {
    match target {
        RawTarget::None => vec![],
        RawTarget::One(field) => vec![(0, field)],
        RawTarget::Many(fields) => fields.iter().map(|field| (0, field)).collect(),
        RawTarget::Rows(rows) | RawTarget::Column(rows) | RawTarget::Named { rows, .. } => {
            rows.iter().flat_map(|row| row.iter().enumerate()).collect()
        }
    }
}

fn has_names(target: &RawTarget) -> bool {
    matches!(target, RawTarget::Column(_) | RawTarget::Named { .. })
}

fn counts<'a>(fields: impl Iterator<Item = Placed<'a>>, k: usize) -> Counts {
    let mut counts = Counts::default();
    for (_, _, field) in fields.filter(|(_, at, _)| *at == k) {
        match field.evidence() {
            Evidence::Number => counts.numbers += 1,
            Evidence::Name => counts.names += 1,
            Evidence::Missing => {}
        }
    }
    counts
}

/// The first field of a series that is not the first one of its column, without those that `skip` leaves out.
fn change(rows: &[Vec<Field>], skip: impl Fn(&Field) -> bool) -> Option<(&Field, &Field)> {
    let count = rows.first().map_or(0, Vec::len);
    let mut first: Vec<Option<&Field>> = vec![None; count];
    for (k, field) in rows.iter().flat_map(|row| row.iter().enumerate()) {
        if !skip(field) {
            let first = first[k].get_or_insert(field);
            if !first.same(field) {
                return Some((first, field));
            }
        }
    }
    None
}

impl<'a> Targets<'a> {
    fn fields(&self) -> impl Iterator<Item = Placed<'a>> {
        let of = |(file, target): &(usize, &'a RawTarget)| {
            let file = *file;
            fields(target).into_iter().map(move |(k, field)| (file, k, field))
        };
        self.0.iter().flat_map(of)
    }

    /// The fields with a name that are not missing.
    fn present(&self) -> impl Iterator<Item = Placed<'a>> {
        let named = self.0.iter().filter(|(_, target)| has_names(target)).copied();
        let fields = Targets(named.collect()).fields().collect::<Vec<_>>().into_iter();
        fields.filter(|(_, _, field)| field.evidence() != Evidence::Missing)
    }

    fn any(&self, what: impl Fn(&RawTarget) -> bool) -> bool {
        self.0.iter().any(|(_, target)| what(target))
    }

    fn is_binary(&self) -> bool {
        let mut found = [false; 2];
        for (_, k, field) in self.fields().filter(|(_, _, field)| !field.is_empty()) {
            match (field.evidence(), field.number()) {
                (Evidence::Number, Ok(0.0)) if k == 0 => found[0] = true,
                (Evidence::Number, Ok(1.0)) if k == 0 => found[1] = true,
                _ => return false,
            }
        }
        found == [true; 2] && !self.any(|t| matches!(t, RawTarget::Many(many) if many.len() > 1))
    }

    /// The task, if there are no parts.
    fn task(&self, given: Option<Task>, numbers: Option<bool>) -> InFile<Option<Task>> {
        let known = given.or(numbers.map(|numbers| Task::new(numbers, false)));
        for (file, k, field) in self.fields() {
            task::check(known, counts(self.fields(), k), field)
                .map_err(|reason| (file, field.location.error(format!("target: {reason}"))))?;
        }
        if given.is_some() || self.fields().all(|(_, _, field)| field.is_empty()) {
            return Ok(given);
        }
        let is_of_numbers = |(_, k, _)| counts(self.fields(), k).is_of_numbers();
        let numbers = numbers.unwrap_or(self.fields().all(is_of_numbers) && !self.is_binary());
        let per_step = self.any(|target| match target {
            RawTarget::Rows(_) => true,
            RawTarget::Many(_) => !numbers,
            RawTarget::Column(rows) => change(rows, Field::is_empty).is_some(),
            _ => false,
        });
        Ok(Some(Task::new(numbers, per_step)))
    }

    fn are_parts(&self, wanted: bool, task: Option<Task>, names: &TargetNames) -> InFile<bool> {
        if task == Some(Task::Transcription) {
            return Ok(false);
        }
        if self.any(|target| matches!(target, RawTarget::Named { .. })) {
            return Ok(true);
        }
        let unnamed =
            |(_, t): &&(usize, &RawTarget)| !has_names(t) && !matches!(t, RawTarget::None);
        if wanted && let Some((file, _)) = self.0.iter().find(unnamed) {
            let reason = "expected targets with names, which the columns of a table and the keys of objects in JSON \
                          lines have, for the heads of train.heads";
            return Err((*file, Location::Whole.error(reason)));
        }
        if names.known().is_empty() || !self.any(|target| !matches!(target, RawTarget::None)) {
            return Ok(false);
        }
        let is_class = |k: usize| {
            let counts = counts(self.present(), k);
            let by_task = task.map(|task| !task.predicts_numbers());
            let inferred = counts.names > 0 && counts.names >= counts.numbers;
            names.declared(k).map(|numbers| !numbers).or(by_task).unwrap_or(inferred)
        };
        let count = names.known().len();
        Ok(wanted || (count > 1 && (0..count).any(is_class)))
    }

    fn parts(
        &self,
        task: Option<Task>,
        names: &TargetNames,
        notes: &mut Vec<String>,
    ) -> InFile<TargetKind> {
        let whole = |reason: String| (0, Location::Whole.error(reason));
        if let Some(reason) = names.mismatch() {
            return Err(whole(reason.into()));
        }
        let mut all = vec![];
        for k in 0..names.known().len() {
            let name = names.shown(k);
            let counts = counts(self.present(), k);
            let fields: Vec<_> = self.present().filter(|(_, at, _)| *at == k).collect();
            if fields.is_empty() {
                let reason = "expected values, got missing ones only";
                return Err(whole(format!("target `{name}`: {reason}")));
            }
            let given = names.declared(k).or(task.map(Task::predicts_numbers));
            let mut numbers = given.unwrap_or(counts.is_of_numbers());
            let has = |number: f32| fields.iter().any(|(_, _, f)| f.number() == Ok(number));
            let binary = |field: &Field| field.number().is_ok_and(|n| n == 0.0 || n == 1.0);
            let binary = fields.iter().all(|(_, _, f)| binary(f)) && has(0.0) && has(1.0);
            if given.is_none() && numbers && binary {
                let by = "(data.read.csv.types can say target-number)";
                notes.push(format!("target: the numbers 0 and 1 of `{name}` are two classes {by}"));
                numbers = false;
            }
            for (file, _, field) in &fields {
                parts::check(given, numbers, counts, field).map_err(|reason| {
                    (*file, field.location.error(format!("target `{name}`: {reason}")))
                })?;
            }
            let labels = fields.iter().map(|(_, _, field)| field.label());
            let kind = match numbers {
                true => PartKind::Values,
                false => PartKind::Classes(distinct(labels, notes)),
            };
            all.push(TargetPart { name: names.known()[k].clone(), kind });
        }
        let changes = self.any(|target| match target {
            RawTarget::Named { listed, .. } => *listed,
            RawTarget::Column(rows) => {
                change(rows, |field| field.evidence() == Evidence::Missing).is_some()
            }
            _ => false,
        });
        let per_step = task.map_or(changes, Task::is_per_step);
        Ok(TargetKind::Parts { parts: all, per_step })
    }

    /// What a data set decides that is not read with a schema.
    pub(super) fn decide(
        &self,
        given: Option<Task>,
        wanted: bool,
        names: &TargetNames,
    ) -> InFile<Decision> {
        for (file, k, field) in self.present() {
            if names.declared(k) == Some(true) {
                field.number().map_err(|reason| {
                    let (name, by) = (names.shown(k), "data.read.csv.types says that it is");
                    let reason = format!("target `{name}`: {reason} ({by} a target-number)");
                    (file, field.location.error(reason))
                })?;
            }
        }
        let mut notes = vec![];
        if self.are_parts(wanted, given, names)? {
            let kind = self.parts(given, names, &mut notes)?;
            let TargetKind::Parts { parts: all, per_step } = &kind else { unreachable!("parts") };
            let content = parts::all_content(all, *per_step);
            return Ok((kind, notes, content));
        }
        let task = self.task(given, names.declared(0))?;
        if given.is_none() && names.declared(0).is_none() && self.is_binary() {
            let note = "target: the numbers 0 and 1 are two classes (set the task to regression for values)";
            notes.push(note.into());
        }
        let in_rows = self.any(|t| matches!(t, RawTarget::Column(rows) if rows.len() > 1));
        let why = if given.is_some() { ", by the given task" } else { "" };
        let content = task.map_or(String::new(), |task| task.content(in_rows) + why);
        let per_step = task.is_some_and(Task::is_per_step);
        let mut resolved = vec![];
        for (file, target) in &self.0 {
            resolved.push((*file, resolved_target(target, per_step).map_err(|e| (*file, e))?));
        }
        let resolved = Targets(resolved.iter().map(|(file, target)| (*file, target)).collect());
        let labels = |notes: &mut Vec<String>| {
            distinct(resolved.fields().map(|(_, _, field)| field.label()), notes)
        };
        let width = |target: &RawTarget| match target {
            RawTarget::None => 0,
            RawTarget::One(_) => 1,
            RawTarget::Many(fields) => fields.len(),
            RawTarget::Rows(rows) | RawTarget::Column(rows) | RawTarget::Named { rows, .. } => {
                rows.first().map_or(0, Vec::len)
            }
        };
        let kind = match task {
            None => TargetKind::NONE,
            Some(Task::Classification) => TargetKind::Classes(labels(&mut notes)),
            Some(Task::SequenceLabelling) => TargetKind::StepClasses(labels(&mut notes)),
            Some(Task::Transcription) => TargetKind::Labels(labels(&mut notes)),
            Some(Task::Regression) => {
                let mut widths = resolved.0.iter().map(|(_, target)| width(target));
                TargetKind::Values(widths.find(|&n| n > 0).unwrap_or(0))
            }
            Some(Task::StepRegression) => {
                let rows = resolved.0.iter().filter(|(_, t)| matches!(t, RawTarget::Rows(_)));
                let mut widths = rows.map(|(_, target)| width(target));
                TargetKind::StepValues(widths.find(|&n| n > 0).unwrap_or(1))
            }
        };
        Ok((kind, notes, content))
    }
}

/// One target per sequence, or one per step.
pub(super) fn resolved_target(target: &RawTarget, per_step: bool) -> Result<RawTarget, Error> {
    let RawTarget::Column(rows) = target else { return Ok(target.clone()) };
    if per_step {
        let empty = rows.iter().flatten().find(|field| field.is_empty());
        return empty.map_or(Ok(RawTarget::Rows(rows.clone())), |field| {
            Err(field.location.error("expected a target, got an empty cell"))
        });
    }
    if let Some((first, field)) = change(rows, Field::is_empty) {
        let (first, got) = (first.shown(), field.shown());
        let reason = format!("expected one target for the whole series, got {first} and {got}");
        return Err(field.location.error(reason));
    }
    let count = rows.first().map_or(0, Vec::len);
    let first = |k: usize| rows.iter().map(|row| &row[k]).find(|field| !field.is_empty()).cloned();
    let fields: Option<Vec<Field>> = (0..count).map(first).collect();
    Ok(match fields.unwrap_or_default() {
        fields if fields.is_empty() => RawTarget::None,
        fields if fields.len() == 1 => RawTarget::One(fields[0].clone()),
        fields => RawTarget::Many(fields),
    })
}
