//! The target of a line.

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Location;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::number::shown;

/// A part of a target.
pub(super) enum Raw {
    Value(Value),
    List(Vec<Raw>),
    /// By name, in the order of the file.
    Object(Vec<(String, Raw)>),
}

impl Raw {
    /// Returns the target of the line at a location.
    pub(super) fn target(self, location: Location) -> Result<RawTarget, String> {
        let fields = |list: Vec<Self>| -> Result<Vec<Field>, String> {
            let field = |raw| match raw {
                Self::Value(value) => Ok(Field::new(value, location)),
                Self::List(_) | Self::Object(_) => Err(DEPTH.to_string()),
            };
            list.into_iter().map(field).collect()
        };
        match self {
            Self::Value(value) => Ok(RawTarget::One(Field::new(value, location))),
            Self::List(list) if matches!(list.first(), Some(Self::List(_))) => {
                let row = |raw| match raw {
                    Self::List(list) => fields(list),
                    Self::Value(_) | Self::Object(_) => Err(DEPTH.to_string()),
                };
                Ok(RawTarget::Rows(list.into_iter().map(row).collect::<Result<_, _>>()?))
            }
            Self::List(list) => Ok(RawTarget::Many(fields(list)?)),
            Self::Object(parts) => named(parts, location),
        }
    }
}

const DEPTH: &str = "target: expected lists of equal depth";

/// Returns the target of an object: one value for each name, or one list for each.
fn named(parts: Vec<(String, Raw)>, location: Location) -> Result<RawTarget, String> {
    if parts.is_empty() {
        return Err("target: expected a value for at least one name, got none".into());
    }
    let listed = matches!(parts.first(), Some((_, Raw::List(_))));
    let (mut names, mut columns) = (vec![], vec![]);
    for (name, raw) in parts {
        let values = match (raw, listed) {
            (Raw::Value(value), false) => vec![Raw::Value(value)],
            (Raw::List(values), true) => values,
            _ => {
                let reason = "expected a value for each name, or a list for each";
                return Err(format!("target `{}`: {reason}", shown(&name)));
            }
        };
        let field = |raw| match raw {
            Raw::Value(value) => Ok(Field::new(value, location)),
            Raw::List(_) | Raw::Object(_) => Err(DEPTH.to_string()),
        };
        columns.push(values.into_iter().map(field).collect::<Result<Vec<_>, _>>()?);
        names.push(name);
    }
    let length = columns.first().map_or(0, Vec::len);
    if let Some(k) = columns.iter().position(|column| column.len() != length) {
        let (name, first, got) = (shown(&names[k]), shown(&names[0]), columns[k].len());
        return Err(format!(
            "target `{name}`: expected {length} values, as of `{first}`, got {got}"
        ));
    }
    let row = |t: usize| columns.iter().map(|column| column[t].clone()).collect();
    let rows = (0..length).map(row).collect();
    Ok(RawTarget::Named { names, rows, listed })
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part;
        impl<'de> Visitor<'de> for Part {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a target: a label, a number, a list of them, or an object of them")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Value(Value::Number(value)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Value(Value::Integer(value.into())))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Value(Value::Integer(value.into())))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Value(Value::Text(value.into())))
            }

            /// A missing value, which only several targets with names may have.
            fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
                Ok(Raw::Value(Value::Number(f64::NAN)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                let mut parts = vec![];
                while let Some(part) = list.next_element()? {
                    parts.push(part);
                }
                Ok(Raw::List(parts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut parts = vec![];
                while let Some(part) = map.next_entry()? {
                    parts.push(part);
                }
                Ok(Raw::Object(parts))
            }
        }
        deserializer.deserialize_any(Part)
    }
}
