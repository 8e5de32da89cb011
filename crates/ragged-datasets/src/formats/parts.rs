//! Several targets with names and kinds of their own, in a table or in objects of JSON lines.

use crate::error::{Error, Location, Result};
use crate::example::{Example, Sequence, Target};
use crate::formats::feature_names::list;
use crate::formats::field::{Evidence, Field, RawTarget};
use crate::formats::labels::{Vocabulary, distinct};
use crate::formats::raw_sequence::RawSequence;
use crate::formats::target_names::TargetNames;
use crate::formats::task::Task;
use crate::target_kind::{PartKind, TargetKind, TargetPart};

/// Class indices are kept as `f32`, which has all whole numbers up to this one.
const MOST_CLASSES: usize = 1 << 24;

/// The error of the first bad field, with the index of its file.
type InFile<T> = Result<T, (usize, Error)>;

/// The fields of one column by their type.
#[derive(Debug, Default, Clone, Copy)]
struct Column {
    numbers: usize,
    names: usize,
}

/// Returns the fields of a target that has names, one row per step or one row.
fn rows(target: &RawTarget) -> Option<&[Vec<Field>]> {
    match target {
        RawTarget::Column(rows) | RawTarget::Named { rows, .. } => Some(rows),
        RawTarget::None | RawTarget::One(_) | RawTarget::Many(_) | RawTarget::Rows(_) => None,
    }
}

/// Returns the fields that are not missing, each with the index of its column.
fn present(target: &RawTarget) -> impl Iterator<Item = (usize, &Field)> {
    let rows = rows(target).unwrap_or_default();
    let fields = rows.iter().flat_map(|row| row.iter().enumerate());
    fields.filter(|(_, field)| field.evidence() != Evidence::Missing)
}

fn count<'a>(
    names: &TargetNames,
    targets: impl Iterator<Item = (usize, &'a RawTarget)>,
) -> Vec<Column> {
    let mut columns = vec![Column::default(); names.known().len()];
    for (k, field) in targets.flat_map(|(_, target)| present(target)) {
        let Some(column) = columns.get_mut(k) else { continue };
        match field.evidence() {
            Evidence::Number => column.numbers += 1,
            Evidence::Name | Evidence::Missing => column.names += 1,
        }
    }
    columns
}

/// Whether the targets are parts: because `wanted` says so, because they are objects, or because there are several, of
/// which some are classes.
pub(super) fn are_parts<'a>(
    wanted: bool,
    task: Option<Task>,
    names: &TargetNames,
    targets: impl Iterator<Item = (usize, &'a RawTarget)> + Clone,
) -> InFile<bool> {
    let named = |(_, target): (usize, &RawTarget)| matches!(target, RawTarget::Named { .. });
    if task == Some(Task::Transcription) {
        return Ok(false);
    }
    if targets.clone().any(named) {
        return Ok(true);
    }
    let all_none = targets.clone().all(|(_, target)| matches!(target, RawTarget::None));
    let unnamed = |(file, target): (usize, &RawTarget)| {
        (rows(target).is_none() && !matches!(target, RawTarget::None)).then_some(file)
    };
    if wanted && let Some(file) = targets.clone().find_map(unnamed) {
        let reason = "expected targets with names, which the columns of a table and the keys of objects in JSON \
                      lines have, for the heads of train.heads";
        return Err((file, Location::Whole.error(reason)));
    }
    if all_none || names.known().is_empty() {
        return Ok(false);
    }
    let columns = count(names, targets);
    let is_class = |(k, column): (usize, &Column)| match (names.declared(k), task) {
        (Some(numbers), _) => !numbers,
        (None, Some(task)) => !task.predicts_numbers(),
        (None, None) => column.names > 0 && column.names >= column.numbers,
    };
    Ok(wanted || (columns.len() > 1 && columns.iter().enumerate().any(is_class)))
}

/// Decides what each of several targets is, and whether they are per step.
///
/// # Errors
///
/// The index of the file and the error of the first field that does not match its column.
pub(super) fn decide<'a>(
    task: Option<Task>,
    names: &TargetNames,
    targets: impl Iterator<Item = (usize, &'a RawTarget)> + Clone,
    notes: &mut Vec<String>,
) -> InFile<TargetKind> {
    if let Some(reason) = names.mismatch() {
        return Err((0, Location::Whole.error(reason)));
    }
    let columns = count(names, targets.clone());
    let mut parts = vec![];
    for (k, column) in columns.into_iter().enumerate() {
        let (name, total) = (names.shown(k), column.numbers + column.names);
        if total == 0 {
            let reason = format!("target `{name}`: expected values, got missing ones only");
            return Err((0, Location::Whole.error(reason)));
        }
        let fields = || {
            let of =
                move |(file, target)| present(target).map(move |(at, field)| (file, at, field));
            targets.clone().flat_map(of).filter(move |(_, at, _)| *at == k)
        };
        let given = names.declared(k).or(task.map(Task::predicts_numbers));
        let mut numbers = given.unwrap_or(column.numbers > column.names);
        if given.is_none() && numbers && is_binary(fields().map(|(_, _, field)| field)) {
            notes.push(format!(
                "target: the numbers 0 and 1 of `{name}` are two classes (data.read.csv.types can say \
                 target-number)"
            ));
            numbers = false;
        }
        for (file, _, field) in fields() {
            check(given, numbers, column, field).map_err(|reason| {
                (file, field.location.error(format!("target `{name}`: {reason}")))
            })?;
        }
        let name = names.known()[k].clone();
        if numbers {
            parts.push(TargetPart { name, kind: PartKind::Values });
            continue;
        }
        let labels = distinct(fields().map(|(_, _, field)| field.label()), notes);
        if labels.len() > MOST_CLASSES {
            let (shown, got) = (names.shown(k), labels.len());
            let reason =
                format!("target `{shown}`: expected at most {MOST_CLASSES} classes, got {got}");
            return Err((0, Location::Whole.error(reason)));
        }
        parts.push(TargetPart { name, kind: PartKind::Classes(labels) });
    }
    let per_step = task.map_or_else(|| targets.map(|(_, t)| t).any(changes), Task::is_per_step);
    Ok(TargetKind::Parts { parts, per_step })
}

/// Whether a target has several values within a sequence. A list has them, whatever its length.
fn changes(target: &RawTarget) -> bool {
    let mut first: Vec<Option<&Field>> = vec![];
    matches!(target, RawTarget::Named { listed: true, .. })
        || present(target).any(|(k, field)| {
            if first.len() <= k {
                first.resize(k + 1, None);
            }
            !first[k].get_or_insert(field).same(field)
        })
}

/// Whether all fields are the numbers 0 or 1, and both occur.
fn is_binary<'a>(fields: impl Iterator<Item = &'a Field>) -> bool {
    let mut found = [false; 2];
    for field in fields {
        match field.number() {
            Ok(0.0) => found[0] = true,
            Ok(1.0) => found[1] = true,
            _ => return false,
        }
    }
    found == [true; 2]
}

/// Checks that a field that is not missing matches its column. `given` is what the configuration says.
fn check(given: Option<bool>, numbers: bool, column: Column, field: &Field) -> Result<(), String> {
    let Column { numbers: count, names } = column;
    let total = count + names;
    match (numbers, field.evidence()) {
        (true, Evidence::Name) if given.is_none() => {
            let label = || format!("expected a number, got the label {}", field.shown());
            Err(format!(
                "{}, but {count} of {total} are numbers (data.read.csv.types can say target-category)",
                field.number().err().unwrap_or_else(label),
            ))
        }
        (true, _) => field.number().map(drop),
        (false, Evidence::Number) if given.is_none() && names > 0 && field.is_typed_number() => {
            Err(format!(
                "expected a text, as in {names} of {total}, got the number {}",
                field.label()
            ))
        }
        (false, _) => Ok(()),
    }
}

/// Checks that the columns that are numbers by the configuration have no other cells.
pub(super) fn check_declared<'a>(
    names: &TargetNames,
    targets: impl Iterator<Item = (usize, &'a RawTarget)>,
) -> InFile<()> {
    for (file, target) in targets {
        for (k, field) in present(target).filter(|(k, _)| names.declared(*k) == Some(true)) {
            field.number().map_err(|reason| {
                let name = names.shown(k);
                let reason = format!(
                    "target `{name}`: {reason} (data.read.csv.types says that it is a target-number)"
                );
                (file, field.location.error(reason))
            })?;
        }
    }
    Ok(())
}

/// Converts a target to the parts of a data set. A missing value is NaN.
pub(super) fn target(
    parts: &[TargetPart],
    per_step: bool,
    vocabularies: &[Vocabulary],
    raw: &RawSequence,
    length: usize,
) -> Result<Target> {
    let error = |reason: String| Err(raw.location.error(format!("target: {reason}")));
    let listed = match &raw.target {
        RawTarget::Column(_) => per_step,
        RawTarget::Named { listed, .. } => *listed,
        other => {
            let names = list(parts.iter().map(|part| part.name.as_str()));
            let got = other.describe();
            return error(format!("expected a value for each of {names}, got {got}"));
        }
    };
    let rows = rows(&raw.target).unwrap_or_default();
    match (per_step, listed) {
        (true, false) => return error("expected a list of values, one for each step".into()),
        (false, true) => return error("expected one value for the sequence, got a list".into()),
        (true, true) if rows.len() != length => {
            let got = rows.len();
            return error(format!(
                "expected a list of {length} values, one for each step, got {got}"
            ));
        }
        _ => {}
    }
    let value = |k: usize, field: &Field| -> Result<f32> {
        let (part, vocabulary) = (&parts[k], &vocabularies[k]);
        let error = |reason: String| {
            let name = &part.name;
            Err(field.location.error(format!("target `{name}`: {reason}")))
        };
        if field.evidence() == Evidence::Missing {
            return Ok(f32::NAN);
        }
        let Some(labels) = part.labels() else { return field.number().or_else(error) };
        match vocabulary.class(&field.label()) {
            Some(class) => Ok(class as f32),
            None => {
                let known = list(labels.iter().map(String::as_str));
                let (count, got) = (labels.len(), field.shown());
                error(format!("expected one of the {count} known labels ({known}), got {got}"))
            }
        }
    };
    let in_order = |row: &Vec<Field>| -> Result<Vec<f32>> {
        row.iter().enumerate().map(|(k, field)| value(k, field)).collect()
    };
    if per_step {
        let values = rows.iter().map(in_order).collect::<Result<Vec<_>>>()?;
        return Ok(Target::StepValues(Sequence::new(values.concat(), parts.len())?));
    }
    let mut first: Vec<Option<&Field>> = vec![None; parts.len()];
    for (k, field) in present(&raw.target) {
        let known = first[k].get_or_insert(field);
        if !known.same(field) {
            let (name, known, got) = (&parts[k].name, known.shown(), field.shown());
            let reason = format!(
                "target `{name}`: expected one for the whole series, got {known} and {got}"
            );
            return Err(field.location.error(reason));
        }
    }
    let one = |(k, field): (usize, &Option<&Field>)| field.map_or(Ok(f32::NAN), |f| value(k, f));
    Ok(Target::Values(first.iter().enumerate().map(one).collect::<Result<_>>()?))
}

/// Returns the values of several targets, row-major.
fn values(example: &Example) -> &[f32] {
    match &example.target {
        Target::Values(values) => values,
        Target::StepValues(values) => values.values(),
        Target::Class(_) | Target::StepClasses(_) | Target::Labels(_) => &[],
    }
}

/// Returns a note on each part of which some values are missing.
pub(super) fn missing_notes(parts: &[TargetPart], examples: &[Example]) -> Vec<String> {
    let mut missing = vec![0usize; parts.len()];
    let mut rows = 0;
    for row in examples.iter().flat_map(|example| values(example).chunks_exact(parts.len().max(1)))
    {
        rows += 1;
        missing
            .iter_mut()
            .zip(row)
            .for_each(|(count, value)| *count += usize::from(value.is_nan()));
    }
    let with = parts.iter().zip(missing).filter(|(_, count)| *count > 0);
    let note = |(part, count): (&TargetPart, usize)| {
        format!("target: {count} of {rows} values of `{}` are missing, and do not count", part.name)
    };
    with.map(note).collect()
}

/// Describes several targets in one sentence.
pub(crate) fn summary(parts: &[TargetPart], per_step: bool, examples: &[Example]) -> String {
    let part = |(k, part): (usize, &TargetPart)| match part.labels() {
        Some(labels) => {
            let (count, classes) =
                (labels.len(), if labels.len() == 1 { "class" } else { "classes" });
            format!("{}, {count} {classes}: {}", part.name, list(labels.iter().map(String::as_str)))
        }
        None => {
            let of_part = |example| values(example).iter().skip(k).step_by(parts.len());
            let known = examples.iter().flat_map(of_part).filter(|value| !value.is_nan());
            let [mut min, mut max, mut count] = [f32::INFINITY, f32::NEG_INFINITY, 0.0];
            for &value in known {
                (min, max, count) = (min.min(value), max.max(value), count + 1.0);
            }
            if count == 0.0 {
                return format!("{}, no values", part.name);
            }
            format!("{}, values from {min} to {max}", part.name)
        }
    };
    let parts: Vec<String> = parts.iter().enumerate().map(part).collect();
    let per = if per_step { " (one target per step)" } else { "" };
    format!("target: {} parts{per}: {}", parts.len(), parts.join("; "))
}

/// Describes what all parts are read as.
pub(super) fn all_content(parts: &[TargetPart], per_step: bool) -> String {
    let of = |part: &TargetPart| match part.labels() {
        Some(_) => format!("{} (names of classes)", part.name),
        None => format!("{} (numbers)", part.name),
    };
    let all: Vec<String> = parts.iter().map(of).collect();
    let per = if per_step { "one for each step" } else { "one for each sequence" };
    format!("{}, {per}", all.join(", "))
}

/// Describes what a part is read as.
pub(super) fn content(part: &TargetPart, per_step: bool) -> String {
    let what = if part.labels().is_some() { "names of classes" } else { "numbers" };
    let per = if per_step { "one for each step" } else { "one for each sequence" };
    format!("{what}, {per}")
}
