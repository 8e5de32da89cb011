//! The steps of a line: lists, or objects with the names of the features as keys.

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::formats::feature_names::FeatureNames;
use crate::formats::number::{narrow, shown};

/// The value of `sequence`.
pub(super) enum Steps {
    /// One after another.
    Rows(Vec<Step>),
    /// All values of each feature.
    Columns(Vec<(String, Vec<f64>)>),
}

/// One step: a list of numbers, or one number, or a number for each name.
pub(super) struct Step {
    names: Option<Vec<String>>,
    values: Vec<f64>,
}

/// All steps of a sequence.
pub(super) struct Table {
    /// The names of the features, if the line has them.
    pub(super) names: Option<Vec<String>>,
    /// The number of features; `None` if it is unknown because there is no step.
    pub(super) features: Option<usize>,
    /// Row-major `[length, features]`.
    pub(super) values: Vec<f64>,
}

impl Steps {
    /// Checks that all steps have the same features.
    pub(super) fn table(self) -> Result<Table, String> {
        match self {
            Self::Rows(steps) => rows(steps),
            Self::Columns(columns) => transposed(columns),
        }
    }
}

fn rows(steps: Vec<Step>) -> Result<Table, String> {
    let mut names = FeatureNames::default();
    let mut named = None;
    let (mut features, mut values) = (None, vec![]);
    for (t, step) in steps.into_iter().enumerate() {
        let error = |reason: String| format!("step {}: {reason}", t + 1);
        if *named.get_or_insert(step.names.is_some()) != step.names.is_some() {
            return Err(error("expected all steps as lists, or all as objects".into()));
        }
        let got = step.values.len();
        match &step.names {
            Some(found) => {
                let order = names.order(found).map_err(error)?;
                values.extend(order.into_iter().map(|k| step.values[k]));
            }
            None => values.extend(&step.values),
        }
        let expected = *features.get_or_insert(got.max(1));
        if got != expected {
            return Err(error(format!("expected {expected} features, got {got}")));
        }
    }
    Ok(Table { names: names.into_names(), features, values })
}

fn transposed(columns: Vec<(String, Vec<f64>)>) -> Result<Table, String> {
    let length = columns.first().map_or(0, |(_, values)| values.len());
    if columns.is_empty() {
        return Err("expected at least one feature, got an empty object".into());
    }
    if let Some((name, values)) = columns.iter().find(|(_, values)| values.len() != length) {
        let (name, got, first) = (shown(name), values.len(), shown(&columns[0].0));
        return Err(format!("expected {length} values of `{name}`, as of `{first}`, got {got}"));
    }
    let values = (0..length).flat_map(|t| columns.iter().map(move |(_, values)| values[t]));
    let values = values.collect();
    let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
    Ok(Table { features: Some(names.len()), names: Some(names), values })
}

/// A number, or `null` for a missing value.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<f64>::deserialize(deserializer)?;
        let value = value.unwrap_or(f64::NAN);
        narrow(value).map(|_| Self(value)).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Steps;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a list of steps, or an object with a list of values for each feature")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Steps, A::Error> {
                let mut steps = vec![];
                while let Some(step) = list.next_element()? {
                    steps.push(step);
                }
                Ok(Steps::Rows(steps))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Steps, A::Error> {
                let mut columns = vec![];
                while let Some((name, values)) = map.next_entry::<String, Vec<Number>>()? {
                    columns.push((name, values.into_iter().map(|number| number.0).collect()));
                }
                Ok(Steps::Columns(columns))
            }
        }
        deserializer.deserialize_any(All)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl One {
            fn value<E: de::Error>(value: f64) -> Result<Step, E> {
                narrow(value).map_err(E::custom)?;
                Ok(Step { names: None, values: vec![value] })
            }
        }
        impl<'de> Visitor<'de> for One {
            type Value = Step;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a step: a list of numbers, one number, or an object of numbers")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Step, E> {
                Self::value(value)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Step, E> {
                Self::value(value as f64)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Step, E> {
                Self::value(value as f64)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Step, E> {
                Self::value(f64::NAN)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Step, A::Error> {
                let mut values = vec![];
                while let Some(Number(value)) = list.next_element()? {
                    values.push(value);
                }
                Ok(Step { names: None, values })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
                let (mut names, mut values) = (vec![], vec![]);
                while let Some((name, Number(value))) = map.next_entry::<String, Number>()? {
                    names.push(name);
                    values.push(value);
                }
                Ok(Step { names: Some(names), values })
            }
        }
        deserializer.deserialize_any(One)
    }
}
