//! The target of a line.

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::error::Location;
use crate::formats::field::{Field, RawTarget, Value};

/// A part of a target.
pub(super) enum Raw {
    Value(Value),
    List(Vec<Raw>),
}

impl Raw {
    /// Returns the target of the line at a location.
    pub(super) fn target(self, location: Location) -> Result<RawTarget, String> {
        let fields = |list: Vec<Self>| -> Result<Vec<Field>, String> {
            let field = |raw| match raw {
                Self::Value(value) => Ok(Field::new(value, location)),
                Self::List(_) => Err("target: expected lists of equal depth".to_string()),
            };
            list.into_iter().map(field).collect()
        };
        match self {
            Self::Value(value) => Ok(RawTarget::One(Field::new(value, location))),
            Self::List(list) if matches!(list.first(), Some(Self::List(_))) => {
                let row = |raw| match raw {
                    Self::List(list) => fields(list),
                    Self::Value(_) => Err("target: expected lists of equal depth".to_string()),
                };
                Ok(RawTarget::Rows(list.into_iter().map(row).collect::<Result<_, _>>()?))
            }
            Self::List(list) => Ok(RawTarget::Many(fields(list)?)),
        }
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
