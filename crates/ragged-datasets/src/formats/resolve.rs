//! From the fields of one sequence to its target, once the kind of targets is decided.

use crate::error::{Error, Result};
use crate::example::{Sequence, Target};
use crate::formats::feature_names::list;
use crate::formats::field::{Field, RawTarget};
use crate::formats::labels::Vocabulary;
use crate::formats::number::shown;
use crate::formats::raw_sequence::RawSequence;
use crate::target_kind::TargetKind;

/// Makes one target per sequence, or one per step, of the cells of a table, which are
/// [checked](crate::formats::series_changes::SeriesChanges::check) for that.
pub(super) fn resolve(target: RawTarget, per_step: bool) -> RawTarget {
    let rows = match target {
        RawTarget::Column(rows) if per_step => return RawTarget::Rows(rows),
        RawTarget::Column(rows) => rows,
        other => return other,
    };
    let count = rows.first().map_or(0, Vec::len);
    let mut first: Vec<Option<Field>> = vec![None; count];
    for row in rows {
        for (known, field) in first.iter_mut().zip(row).filter(|(_, field)| !field.is_empty()) {
            known.get_or_insert(field);
        }
    }
    let fields: Option<Vec<Field>> = first.into_iter().collect();
    match fields {
        None => RawTarget::None,
        Some(mut fields) => match (fields.pop(), fields.is_empty()) {
            (None, _) => RawTarget::None,
            (Some(field), true) => RawTarget::One(field),
            (Some(field), false) => {
                fields.push(field);
                RawTarget::Many(fields)
            }
        },
    }
}

/// Converts a target to the kind of the data set.
pub(super) fn target(
    kind: &TargetKind,
    vocabulary: &Vocabulary,
    raw: &RawSequence,
    length: usize,
) -> Result<Target> {
    let error = |reason: String| -> Error { raw.location.error(reason) };
    let class = |field: &Field| -> Result<u32> {
        let label = field.label();
        vocabulary.class(&label).ok_or_else(|| {
            let (count, got) = (vocabulary.len(), shown(&label));
            let known = list(kind.labels().unwrap_or_default().iter().map(String::as_str));
            let reason = format!("expected one of the {count} known labels ({known}), got `{got}`");
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
        (TargetKind::Labels(_), RawTarget::Many(fields)) => {
            Ok(Target::Labels(fields.iter().map(class).collect::<Result<_>>()?))
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
                TargetKind::Labels(_) => "a list of labels".into(),
                // Converted by the parts themselves.
                TargetKind::Parts { parts, .. } => format!("{} targets", parts.len()),
            };
            Err(error(format!("target: expected {expected}, got {}", raw.target.describe())))
        }
    }
}
