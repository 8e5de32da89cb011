//! Writing of tables.

use std::io::Write;

use crate::dataset::Dataset;
use crate::error::{Error, Location, Result};
use crate::example::Target;
use crate::formats::errors::{io, unsupported};
use crate::formats::number::digits;
use crate::formats::table::header::is_role;
use crate::in_memory::InMemory;
use crate::target_kind::TargetKind;

/// Writes one row per step: the name of the sequence, or its index if it has none; the number of the
/// step as time; the features; and the target, if there is one.
pub(in crate::formats) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    let (examples, kind) = (dataset.examples(), dataset.target_kind());
    // Cells are read without the white space around them, on one line, and not empty.
    let ambiguous = |text: &&String| {
        text.is_empty() || text.trim() != text.as_str() || text.contains(['\n', '\r'])
    };
    if let Some(label) = kind.labels().unwrap_or_default().iter().find(ambiguous) {
        return Err(unsupported("csv", format!("the class label `{label}`")));
    }
    if let Some(id) = dataset.ids().unwrap_or_default().iter().find(ambiguous) {
        return Err(unsupported("csv", format!("a sequence of the name `{id}`")));
    }
    if let Some(index) = examples.iter().position(|example| example.sequence.is_empty()) {
        return Err(unsupported("csv", format!("a sequence without a step (example {index})")));
    }
    let mut writer = csv::Writer::from_writer(out);
    let mut header = vec!["series_id".to_string(), "time".into()];
    match dataset.feature_names() {
        None => header.extend((0..dataset.features()).map(|k| format!("feature_{k}"))),
        Some(names) => {
            if let Some(name) = names.iter().find(|name| ambiguous(name) || is_role(name)) {
                return Err(unsupported("csv", format!("a feature of the name `{name}`")));
            }
            header.extend_from_slice(names);
        }
    }
    match kind {
        TargetKind::Classes(_) | TargetKind::StepClasses(_) => header.push("target".into()),
        TargetKind::Values(1) | TargetKind::StepValues(1) => header.push("target".into()),
        TargetKind::Values(count) | TargetKind::StepValues(count) => {
            header.extend((0..*count).map(|k| format!("target_{k}")));
        }
        TargetKind::Labels(_) => return Err(unsupported("csv", "a list of labels")),
        TargetKind::Parts { .. } => return Err(unsupported("csv", "several targets with names")),
    }
    let written = |result: csv::Result<()>| result.map_err(failed);
    written(writer.write_record(&header))?;
    for (index, example) in examples.iter().enumerate() {
        let id = dataset.ids().map_or_else(|| index.to_string(), |ids| ids[index].clone());
        for (t, step) in example.sequence.steps().enumerate() {
            let mut row = vec![id.clone(), t.to_string()];
            let exact = |k| Some(example.sequence.exact_values()?[t * step.len() + k]);
            row.extend(step.iter().enumerate().map(|(k, value)| match value.is_nan() {
                true => String::new(),
                false => digits(*value, exact(k)),
            }));
            let label = |class: u32| kind.labels().unwrap_or_default()[class as usize].clone();
            match &example.target {
                Target::Class(class) => row.push(label(*class)),
                Target::StepClasses(classes) => row.push(label(classes[t])),
                Target::Values(values) => row.extend(values.iter().map(|&v| digits(v, None))),
                // Refused with the header.
                Target::Labels(_) => {}
                Target::StepValues(values) => {
                    let values = values.row(t).unwrap_or_default();
                    row.extend(values.iter().map(|&v| digits(v, None)));
                }
            }
            written(writer.write_record(&row))?;
        }
    }
    writer.flush().map_err(io)
}

fn failed(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => io(error),
        kind => Location::Whole.error(format!("{kind:?}")),
    }
}
