//! JSON lines: one object per line.
//!
//! ```text
//! {"sequence": [[1.0, 0.5], [2.0, null]], "target": "walk"}
//! {"id": "b", "sequence": [[3.0, 0.25]], "target": "run"}
//! ```
//!
//! `sequence` is a list of steps. Each step is a list of numbers, or one number if there is one
//! feature; `null` is a missing value. `target` is a label, a number, a list of numbers, a list of
//! labels (one per step) or a list of lists of numbers (one list per step). `id` is a name.

use std::io::{BufRead, Write};

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Location, Result};
use crate::example::{Target, TargetKind};
use crate::formats::collect::{Collector, Field, RawSequence, RawTarget};
use crate::formats::errors::{io, unsupported};
use crate::formats::line::Lines;
use crate::formats::number::narrow;
use crate::in_memory::InMemory;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(default)]
    id: Option<Id>,
    sequence: Vec<Numbers>,
    #[serde(default)]
    target: Option<Raw>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a whole number as `id`")]
enum Id {
    Text(String),
    Number(i64),
}

/// A step: a list of numbers, or one number.
struct Numbers(Vec<f32>);

/// A part of a target.
enum Raw {
    Field(Field),
    List(Vec<Raw>),
}

/// Reads all sequences of an input, without empty lines.
pub(super) fn read(input: impl BufRead, into: &mut Collector) -> Result<()> {
    let mut lines = Lines::new(input);
    let mut sequences = 0;
    while let Some(line) = lines.next()? {
        if line.text().is_empty() {
            continue;
        }
        if !line.text().starts_with('{') {
            return Err(line.error(0, "expected an object, `{...}`"));
        }
        let record: Record = serde_json::from_str(line.text()).map_err(|error| {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or_default();
            let before = line.text().as_bytes().get(..error.column().saturating_sub(1));
            let before = String::from_utf8_lossy(before.unwrap_or_default());
            let location = match line.location(0) {
                Location::Line { line, column } => {
                    Location::Line { line, column: column + before.chars().count() }
                }
                other => other,
            };
            location.caused_by(reason.to_string(), error)
        })?;
        let features = record.sequence.first().map(|step| step.0.len());
        for (t, step) in record.sequence.iter().enumerate() {
            if Some(step.0.len()) != features || step.0.is_empty() {
                let (expected, got) = (features.unwrap_or(0).max(1), step.0.len());
                let step = t + 1;
                let reason = format!("step {step}: expected {expected} features, got {got}");
                return Err(line.error(0, &reason));
            }
        }
        let target = match record.target {
            None => RawTarget::None,
            Some(raw) => raw.target().map_err(|reason| line.error(0, &reason))?,
        };
        into.push(RawSequence {
            id: record.id.map(|id| match id {
                Id::Text(text) => text,
                Id::Number(number) => number.to_string(),
            }),
            values: record.sequence.into_iter().flat_map(|step| step.0).collect(),
            features,
            target,
            location: line.location(0),
        })?;
        sequences += 1;
    }
    if sequences == 0 {
        return Err(lines.end().error(0, "expected a sequence, got the end of the file"));
    }
    Ok(())
}

impl Raw {
    fn target(self) -> Result<RawTarget, String> {
        let fields = |list: Vec<Self>| -> Result<Vec<Field>, String> {
            let field = |raw| match raw {
                Self::Field(field) => Ok(field),
                Self::List(_) => Err("target: expected lists of equal depth".to_string()),
            };
            list.into_iter().map(field).collect()
        };
        match self {
            Self::Field(field) => Ok(RawTarget::One(field)),
            Self::List(list) if matches!(list.first(), Some(Self::List(_))) => {
                let row = |raw| match raw {
                    Self::List(list) => fields(list),
                    Self::Field(_) => Err("target: expected lists of equal depth".to_string()),
                };
                Ok(RawTarget::Rows(list.into_iter().map(row).collect::<Result<_, _>>()?))
            }
            Self::List(list) => Ok(RawTarget::Many(fields(list)?)),
        }
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Step;
        impl<'de> Visitor<'de> for Step {
            type Value = Numbers;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a step: a list of numbers, or one number")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Numbers, E> {
                Ok(Numbers(vec![narrow(value).map_err(E::custom)?]))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Numbers, E> {
                Ok(Numbers(vec![value as f32]))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Numbers, E> {
                Ok(Numbers(vec![value as f32]))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Numbers, E> {
                Ok(Numbers(vec![f32::NAN]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Numbers, A::Error> {
                let mut values = vec![];
                while let Some(value) = list.next_element::<Option<f64>>()? {
                    let value = narrow(value.unwrap_or(f64::NAN));
                    values.push(value.map_err(de::Error::custom)?);
                }
                Ok(Numbers(values))
            }
        }
        deserializer.deserialize_any(Step)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part;
        impl<'de> Visitor<'de> for Part {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a target: a label, a number, or a list of them")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Field(Field::Number(narrow(value).map_err(E::custom)?)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Field(Field::Number(value as f32)))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Field(Field::Number(value as f32)))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Field(Field::Text(value.into())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                let mut parts = vec![];
                while let Some(part) = list.next_element()? {
                    parts.push(part);
                }
                Ok(Raw::List(parts))
            }
        }
        deserializer.deserialize_any(Part)
    }
}

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
pub(super) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        sequence: Vec<Vec<Number>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<Written<'a>>,
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
        let sequence = example.sequence.steps().map(numbers).collect();
        let id = dataset.ids().map(|ids| ids[index].as_str());
        let text = serde_json::to_string(&Line { id, sequence, target });
        let text =
            text.map_err(|error| unsupported("jsonl", format!("example {index}: {error}")))?;
        writeln!(out, "{text}").map_err(io)?;
    }
    Ok(())
}
