//! Writing of JSON lines.

use std::io::Write;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::example::{Sequence, Target, TargetKind};
use crate::formats::errors::{io, unsupported};
use crate::in_memory::InMemory;

/// A number in JSON: `null` for NaN, otherwise the fewest digits that are read back exactly.
struct Number(f32);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The fewest digits for an f32 can, in rare cases, give another value when read as f64 and
        // rounded to f32. Then the digits of the f64 are written.
        let exact = self.0.to_string().parse::<f64>().is_ok_and(|value| value as f32 == self.0);
        match self.0 {
            value if value.is_nan() => serializer.serialize_unit(),
            value if exact => serializer.serialize_f32(value),
            value => serializer.serialize_f64(value.into()),
        }
    }
}

/// Writes one object per line.
pub(in crate::formats) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        sequence: Steps<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<Written<'a>>,
    }
    /// One list of values per step, or one per name of a feature.
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Steps<'a> {
        Rows(Vec<Vec<Number>>),
        #[serde(serialize_with = "in_order")]
        Columns(Vec<(&'a str, Vec<Number>)>),
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Written<'a> {
        Label(&'a str),
        Labels(Vec<&'a str>),
        Number(Number),
        Numbers(Vec<Number>),
        Rows(Vec<Vec<Number>>),
    }
    let kind = dataset.target_kind();
    let label = |class: u32| kind.labels().unwrap_or_default()[class as usize].as_str();
    let numbers = |values: &[f32]| values.iter().map(|&value| Number(value)).collect::<Vec<_>>();
    for (index, example) in dataset.examples().iter().enumerate() {
        let target = match (&example.target, kind) {
            (Target::Class(class), _) => Some(Written::Label(label(*class))),
            (Target::Values(_), TargetKind::Values(0)) => None,
            (Target::Values(values), _) if values.len() == 1 => {
                Some(Written::Number(Number(values[0])))
            }
            (Target::Values(values), _) => Some(Written::Numbers(numbers(values))),
            (Target::StepClasses(classes), _) => {
                Some(Written::Labels(classes.iter().map(|&class| label(class)).collect()))
            }
            (Target::StepValues(values), _) => {
                Some(Written::Rows(values.steps().map(numbers).collect()))
            }
        };
        let sequence = match dataset.feature_names() {
            None => Steps::Rows(example.sequence.steps().map(numbers).collect()),
            Some(names) => {
                let column = |(k, name)| (name, column(&example.sequence, k));
                Steps::Columns(names.iter().map(String::as_str).enumerate().map(column).collect())
            }
        };
        let id = dataset.ids().map(|ids| ids[index].as_str());
        let text = serde_json::to_string(&Line { id, sequence, target });
        let text =
            text.map_err(|error| unsupported("jsonl", format!("example {index}: {error}")))?;
        writeln!(out, "{text}").map_err(io)?;
    }
    Ok(())
}

/// Returns the values of one feature.
fn column(sequence: &Sequence, feature: usize) -> Vec<Number> {
    sequence.steps().map(|step| Number(step[feature])).collect()
}

/// Writes pairs as an object, without a change of their order.
fn in_order<S: serde::Serializer>(
    columns: &[(&str, Vec<Number>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(columns.iter().map(|(name, values)| (name, values)))
}
