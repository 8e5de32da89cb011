//! Several targets with names and kinds of their own, in a table or in objects of JSON lines.

use crate::error::{Error, Location, Result};
use crate::example::{Sequence, Target};
use crate::formats::column_evidence::{ColumnEvidence, Counts, First};
use crate::formats::feature_names::list;
use crate::formats::field::{Evidence, Field, RawTarget};
use crate::formats::labels::{Vocabulary, distinct};
use crate::formats::raw_sequence::RawSequence;
use crate::formats::target_evidence::TargetEvidence;
use crate::formats::target_names::TargetNames;
use crate::formats::task::Task;
use crate::target_kind::{PartKind, TargetKind, TargetPart};

/// Class indices are kept as `f32`, which has all whole numbers up to this one.
const MOST_CLASSES: usize = 1 << 24;

/// The error of the first bad field, with the index of its file.
type InFile<T> = Result<T, (usize, Error)>;

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

/// Whether the targets are parts: because `wanted` says so, because they are objects, or because there are several, of
/// which some are classes.
pub(super) fn are_parts(
    wanted: bool,
    task: Option<Task>,
    names: &TargetNames,
    targets: &TargetEvidence,
) -> InFile<bool> {
    let forms = targets.forms();
    if task == Some(Task::Transcription) {
        return Ok(false);
    }
    if forms.objects {
        return Ok(true);
    }
    if wanted && let Some(file) = forms.unnamed {
        let reason = "expected targets with names, which the columns of a table and the keys of objects in JSON \
                      lines have, for the heads of train.heads";
        return Err((file, Location::Whole.error(reason)));
    }
    let count = names.known().len();
    if !forms.any || count == 0 {
        return Ok(false);
    }
    let is_class = |k: usize| match (names.declared(k), task) {
        (Some(numbers), _) => !numbers,
        (None, Some(task)) => !task.predicts_numbers(),
        (None, None) => targets.named(k).is_some_and(|column| {
            let Counts { numbers, names } = column.counts();
            names > 0 && names >= numbers
        }),
    };
    Ok(wanted || (count > 1 && (0..count).any(is_class)))
}

/// Decides what each of several targets is, and whether they are per step.
///
/// # Errors
///
/// The index of the file and the error of the first field that does not match its column.
pub(super) fn decide(
    task: Option<Task>,
    names: &TargetNames,
    targets: &TargetEvidence,
    notes: &mut Vec<String>,
) -> InFile<TargetKind> {
    let whole = |reason: String| (0, Location::Whole.error(reason));
    if let Some(reason) = names.mismatch() {
        return Err(whole(reason.into()));
    }
    let mut parts = vec![];
    for k in 0..names.known().len() {
        let name = names.shown(k);
        let Some(column) = targets.named(k).filter(|column| column.counts().total() > 0) else {
            return Err(whole(format!("target `{name}`: expected values, got missing ones only")));
        };
        let counts = column.counts();
        let given = names.declared(k).or(task.map(Task::predicts_numbers));
        let mut numbers = given.unwrap_or(counts.is_of_numbers());
        if given.is_none() && numbers && column.binary() == Some([true; 2]) {
            notes.push(format!(
                "target: the numbers 0 and 1 of `{name}` are two classes (data.read.csv.types can say \
                 target-number)"
            ));
            numbers = false;
        }
        for First { file, field, .. } in present_firsts(column) {
            check(given, numbers, counts, field).map_err(|reason| {
                (*file, field.location.error(format!("target `{name}`: {reason}")))
            })?;
        }
        let known = names.known()[k].clone();
        if numbers {
            parts.push(TargetPart { name: known, kind: PartKind::Values });
            continue;
        }
        let labels = column.labels(&format!("target `{name}`"), true, false);
        let labels = distinct(labels.map_err(|error| (0, error))?.into_iter(), notes);
        if labels.len() > MOST_CLASSES {
            let got = labels.len();
            let reason =
                format!("target `{name}`: expected at most {MOST_CLASSES} classes, got {got}");
            return Err(whole(reason));
        }
        parts.push(TargetPart { name: known, kind: PartKind::Classes(labels) });
    }
    let changes = targets.forms().objects_of_lists || targets.changes().any_present();
    let per_step = task.map_or(changes, Task::is_per_step);
    Ok(TargetKind::Parts { parts, per_step })
}

/// Returns the first field of each class that is not missing, in their order.
fn present_firsts(column: &ColumnEvidence) -> impl Iterator<Item = &First> {
    column.firsts().filter(|first| first.field.evidence() != Evidence::Missing)
}

/// Checks that a field that is not missing matches its column. `given` is what the configuration says.
pub(super) fn check(
    given: Option<bool>,
    numbers: bool,
    column: Counts,
    field: &Field,
) -> Result<(), String> {
    let Counts { numbers: count, names } = column;
    let total = column.total();
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
pub(super) fn check_declared(names: &TargetNames, targets: &TargetEvidence) -> InFile<()> {
    let declared = (0..targets.columns()).filter(|&k| names.declared(k) == Some(true));
    let columns = declared.filter_map(|k| Some((k, targets.named(k)?)));
    let firsts = columns.flat_map(|(k, column)| present_firsts(column).map(move |f| (k, f)));
    let errors = firsts.filter_map(|(k, first)| Some((k, first, first.field.number().err()?)));
    let Some((k, first, reason)) = errors.min_by_key(|(_, first, _)| first.ordinal) else {
        return Ok(());
    };
    let name = names.shown(k);
    let reason =
        format!("target `{name}`: {reason} (data.read.csv.types says that it is a target-number)");
    Err((first.file, first.field.location.error(reason)))
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
