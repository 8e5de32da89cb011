//! Targets as read from a file, before their kind is decided.

use std::borrow::Cow;

use crate::error::Location;
use crate::formats::decimal::Decimal;
use crate::formats::feature_names::list;
use crate::formats::number::{has_separators, is_missing, narrow, number, shown};

/// One value of a target.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number of a format that distinguishes numbers from texts.
    Number(f64),
    /// A whole number of such a format.
    Integer(i128),
    /// A whole number of an array, which is a class unless values are to be predicted.
    Code(i128),
    /// A text of a format that distinguishes numbers from texts.
    Text(String),
    /// A cell of a table. Whether it is a number or a label depends on the whole column.
    Cell(String),
}

impl Value {
    /// Whether another value is written in the same way, so that all that is said of one field holds for both.
    pub(super) fn is_written_as(&self, other: &Self) -> bool {
        match (self, other) {
            // 0 and -0 are equal, but different labels.
            (Self::Number(a), Self::Number(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }
}

/// What a field is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    Number,
    Name,
    Missing,
}

/// A part of a target and its position in the file.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) value: Value,
    pub(super) location: Location,
}

impl Field {
    pub(super) fn new(value: Value, location: Location) -> Self {
        Self { value, location }
    }

    /// Returns what the field is, without regard to other fields.
    pub(super) fn evidence(&self) -> Evidence {
        match &self.value {
            Value::Number(value) if value.is_nan() => Evidence::Missing,
            Value::Number(_) | Value::Integer(_) => Evidence::Number,
            Value::Code(_) | Value::Text(_) => Evidence::Name,
            Value::Cell(text) if is_missing(text) => Evidence::Missing,
            Value::Cell(text) if Decimal::parse(text).is_some() || has_separators(text) => {
                Evidence::Number
            }
            Value::Cell(_) => Evidence::Name,
        }
    }

    /// Whether the field is an empty cell.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Cell(text) if text.is_empty())
    }

    /// Whether the value is written as a number in a format that distinguishes numbers from texts.
    pub(super) fn is_typed_number(&self) -> bool {
        matches!(self.value, Value::Number(_) | Value::Integer(_))
    }

    /// Returns the field as a value to predict.
    pub(super) fn number(&self) -> Result<f32, String> {
        match &self.value {
            Value::Number(value) if value.is_nan() => {
                Err("expected a number, got NaN, which is a missing value".into())
            }
            Value::Number(value) => narrow(*value),
            Value::Integer(value) | Value::Code(value) => narrow(*value as f64),
            Value::Text(text) | Value::Cell(text) => narrow(number(text)?),
        }
    }

    /// Returns the value of [`number`](Self::number), without a reason if there is none.
    pub(super) fn value_to_predict(&self) -> Option<f32> {
        let value = match &self.value {
            Value::Number(value) => *value,
            Value::Integer(value) | Value::Code(value) => *value as f64,
            Value::Text(text) | Value::Cell(text) => text.parse().ok()?,
        };
        Some(value as f32).filter(|value| value.is_finite())
    }

    /// Returns the field as a label; the label of a number is its digits.
    pub(super) fn label(&self) -> Cow<'_, str> {
        match &self.value {
            // The digits of an f32 where these suffice: arrays often have this type.
            Value::Number(value) if f64::from(*value as f32) == *value => {
                (*value as f32).to_string().into()
            }
            Value::Number(value) => value.to_string().into(),
            Value::Integer(value) | Value::Code(value) => value.to_string().into(),
            Value::Text(text) | Value::Cell(text) => text.trim().into(),
        }
    }

    /// Whether two fields are the same label or number.
    pub(super) fn same(&self, other: &Self) -> bool {
        let (a, b) = (self.label(), other.label());
        a == b || Decimal::parse(&a).is_some_and(|a| Some(a) == Decimal::parse(&b))
    }

    /// Returns the field as messages show it.
    pub(super) fn shown(&self) -> String {
        format!("`{}`", shown(&self.label()))
    }
}

/// A target of one sequence.
#[derive(Debug, Clone)]
pub(super) enum RawTarget {
    None,
    One(Field),
    /// Several numbers, or one label for each step.
    Many(Vec<Field>),
    /// One or more fields for each step.
    Rows(Vec<Vec<Field>>),
    /// The cells of a table: one or more for each step, of which the same value in all steps is one
    /// target for the sequence.
    Column(Vec<Vec<Field>>),
    /// An object of JSON: a value for each name, or a list of them with one for each step. The fields of a row are in
    /// the order of the names.
    Named {
        names: Vec<String>,
        rows: Vec<Vec<Field>>,
        listed: bool,
    },
}

impl RawTarget {
    /// Returns the kind and size of the target, as messages name it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::None => "none".into(),
            Self::One(field) => field.shown(),
            Self::Many(fields) => format!("a list of {}", fields.len()),
            Self::Rows(rows) | Self::Column(rows) => {
                format!("{} for each of {} steps", rows.first().map_or(0, Vec::len), rows.len())
            }
            Self::Named { names, .. } => {
                format!("an object with {}", list(names.iter().map(String::as_str)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Field {
        Field::new(Value::Cell(text.into()), Location::Whole)
    }

    #[test]
    fn cells_are_numbers_names_or_missing() {
        for (texts, evidence) in [
            (&["0.5", "-1e3", "12", "1,250", "0,5", "-1.250,75"][..], Evidence::Number),
            (&["walk", "12.5x", "inf", "1.2.3", "a,b", "2024-01-01", ","], Evidence::Name),
            (&["", "NA", "nan", "NaN", "?"], Evidence::Missing),
        ] {
            for text in texts {
                assert_eq!(cell(text).evidence(), evidence, "{text}");
            }
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_names_without_white_space() {
        assert!(cell("0.5").same(&cell("0.50")) && cell("walk ").same(&cell("walk")));
        assert!(!cell("9007199254740993").same(&cell("9007199254740992")));
        assert!(!cell("walk").same(&cell("Walk")));
        let integer = Field::new(Value::Integer(1), Location::Whole);
        assert!(integer.same(&cell("1.0")));
    }

    #[test]
    fn a_value_to_predict_is_the_number() {
        let texts = ["1", "-0", "1e60", "1e-60", "nan", "inf", "0,5", "", "walk", "1_0", " 1"];
        let texts = texts.iter().map(|text| Value::Cell(text.to_string()));
        let numbers = [1e39, f64::NAN, f64::INFINITY, -0.0, 0.1].map(Value::Number);
        for value in texts.chain(numbers).chain([Value::Integer(1 << 100), Value::Code(3)]) {
            let field = Field::new(value, Location::Whole);
            let (got, expected) = (field.value_to_predict(), field.number().ok());
            assert_eq!(got.map(f32::to_bits), expected.map(f32::to_bits), "{field:?}");
        }
    }

    #[test]
    fn the_label_of_a_number_is_its_digits() {
        let label = |value| Field::new(value, Location::Whole).label().into_owned();
        assert_eq!(label(Value::Number(f64::from(0.1f32))), "0.1");
        assert_eq!(label(Value::Number(0.1)), "0.1");
        assert_eq!(label(Value::Integer(16_777_217)), "16777217");
        assert_eq!(label(Value::Code(i128::from(u64::MAX))), "18446744073709551615");
    }
}
