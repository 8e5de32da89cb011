//! Writing of JSON lines.

use std::io::Write;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::example::{Sequence, Target};
use crate::formats::errors::{io, unsupported};
use crate::formats::number::digits;
use crate::in_memory::InMemory;
use crate::target_kind::{TargetKind, TargetPart};

/// A number in JSON: `null` for NaN, otherwise the fewest digits that are read back exactly.
struct Number {
    value: f32,
    /// The value before it was rounded, if it is kept.
    exact: Option<f64>,
}

impl Number {
    fn new(value: f32) -> Self {
        Self { value, exact: None }
    }

    /// Returns element `at` of the values of a sequence.
    fn of(sequence: &Sequence, at: usize) -> Self {
        let exact = sequence.exact_values().map(|values| values[at]);
        Self { value: sequence.values()[at], exact }
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.value.is_nan() {
            return serializer.serialize_unit();
        }
        match digits(self.value, self.exact).parse::<f64>() {
            Ok(value) => serializer.serialize_f64(value),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

/// Writes one object per line.
pub(in crate::formats) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<Steps<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tokens: Option<Vec<&'a str>>,
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
        #[serde(serialize_with = "parts_in_order")]
        Parts(Vec<(&'a str, Part<'a>)>),
    }
    let kind = dataset.target_kind();
    let label = |class: u32| kind.labels().unwrap_or_default()[class as usize].as_str();
    let numbers =
        |values: &[f32]| values.iter().map(|&value| Number::new(value)).collect::<Vec<_>>();
    for (index, example) in dataset.examples().iter().enumerate() {
        let target = match (&example.target, kind) {
            (Target::Class(class), _) => Some(Written::Label(label(*class))),
            (Target::Values(_), TargetKind::Values(0)) => None,
            (Target::Values(values), TargetKind::Parts { parts, .. }) => {
                Some(Written::Parts(written_parts(parts, values, false)))
            }
            (Target::StepValues(values), TargetKind::Parts { parts, .. }) => {
                Some(Written::Parts(written_parts(parts, values.values(), true)))
            }
            (Target::Values(values), _) if values.len() == 1 => {
                Some(Written::Number(Number::new(values[0])))
            }
            (Target::Values(values), _) => Some(Written::Numbers(numbers(values))),
            (Target::StepClasses(classes) | Target::Labels(classes), _) => {
                Some(Written::Labels(classes.iter().map(|&class| label(class)).collect()))
            }
            (Target::StepValues(values), _) => {
                Some(Written::Rows(values.steps().map(numbers).collect()))
            }
        };
        let sequence = match dataset.feature_names() {
            _ if dataset.features() == 0 => None,
            None => Some(Steps::Rows(rows(&example.sequence))),
            Some(names) => {
                let column = |(k, name)| (name, column(&example.sequence, k));
                let names = names.iter().map(String::as_str).enumerate();
                Some(Steps::Columns(names.map(column).collect()))
            }
        };
        let texts = dataset.token_columns().first().map(|column| &column.texts);
        let tokens = example.sequence.tokens().zip(texts).map(|(tokens, texts)| {
            tokens.ids().iter().map(|&id| texts[id as usize].as_str()).collect()
        });
        let id = dataset.ids().map(|ids| ids[index].as_str());
        let text = serde_json::to_string(&Line { id, sequence, tokens, target });
        let text =
            text.map_err(|error| unsupported("jsonl", format!("example {index}: {error}")))?;
        writeln!(out, "{text}").map_err(io)?;
    }
    Ok(())
}

/// One of several targets: one field, or one for each step.
#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    One(PartField<'a>),
    Listed(Vec<PartField<'a>>),
}

/// A class or a number; `null` if it is missing.
#[derive(Serialize)]
#[serde(untagged)]
enum PartField<'a> {
    Label(&'a str),
    Number(Number),
}

/// Returns several targets, given row-major, by their names.
fn written_parts<'a>(
    parts: &'a [TargetPart],
    values: &[f32],
    listed: bool,
) -> Vec<(&'a str, Part<'a>)> {
    let field = |part: &'a TargetPart, value: f32| match part.labels() {
        Some(labels) if !value.is_nan() => {
            PartField::Label(labels.get(value as usize).map_or("", String::as_str))
        }
        _ => PartField::Number(Number::new(value)),
    };
    let written = |(k, part): (usize, &'a TargetPart)| {
        let mut fields = values.iter().skip(k).step_by(parts.len()).map(|&v| field(part, v));
        let written = match fields.next() {
            Some(first) if !listed => Part::One(first),
            first => Part::Listed(first.into_iter().chain(fields).collect()),
        };
        (part.name.as_str(), written)
    };
    parts.iter().enumerate().map(written).collect()
}

/// Writes parts as an object, without a change of their order.
fn parts_in_order<S: serde::Serializer>(
    parts: &[(&str, Part)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(parts.iter().map(|(name, part)| (name, part)))
}

/// Returns the values of one feature.
fn column(sequence: &Sequence, feature: usize) -> Vec<Number> {
    let all = 0..sequence.values().len();
    all.skip(feature).step_by(sequence.features()).map(|at| Number::of(sequence, at)).collect()
}

/// Returns the values of each step.
fn rows(sequence: &Sequence) -> Vec<Vec<Number>> {
    let features = sequence.features();
    let row = |t| (t * features..(t + 1) * features).map(|at| Number::of(sequence, at)).collect();
    (0..sequence.len()).map(row).collect()
}

/// Writes pairs as an object, without a change of their order.
fn in_order<S: serde::Serializer>(
    columns: &[(&str, Vec<Number>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(columns.iter().map(|(name, values)| (name, values)))
}
