//! The rows of a table and their cells, which have types in some formats.

use std::borrow::Cow;

use crate::error::{Location, Result};
use crate::formats::decimal::Decimal;
use crate::formats::field::Value;
use crate::formats::number::{has_separators, is_missing, narrow, number, shown};
use crate::formats::time::{TimeForm, Times};

/// The cell of one column in one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::formats) enum Cell<'a> {
    /// A cell of a format without types, whose text may be a number, a label, or missing.
    Untyped(&'a str),
    /// No value.
    Missing,
    /// A whole number.
    Integer(i128),
    /// A number, or NaN for a missing one.
    Number(f64),
    /// A text, whatever it looks like.
    Text(&'a str),
    /// A date and time.
    Time {
        /// Nanoseconds since the beginning of 1970.
        nanoseconds: i128,
        /// Whether it is in UTC, and not in an unknown time zone.
        utc: bool,
    },
}

impl Cell<'_> {
    /// Whether there is no content at all.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Missing | Self::Untyped(""))
    }

    /// Whether the cell is a missing value.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Untyped(text) => is_missing(text),
            Self::Number(value) => value.is_nan(),
            Self::Integer(_) | Self::Text(_) | Self::Time { .. } => false,
        }
    }

    /// Whether the cell is a number, or would be one in another notation or of a smaller size. The reader of numbers
    /// explains what is wrong with it.
    pub(super) fn is_number(&self) -> bool {
        match self {
            Self::Untyped(text) => {
                number(text).is_ok()
                    || Decimal::parse(text).is_some()
                    || has_separators(text)
                    || text.parse::<f64>().is_ok()
            }
            Self::Integer(_) | Self::Number(_) => true,
            Self::Missing | Self::Text(_) | Self::Time { .. } => false,
        }
    }

    /// Returns the cell as a number; NaN for a missing value.
    pub(super) fn number(&self) -> Result<f64, String> {
        match self {
            Self::Untyped(text) if is_missing(text) => Ok(f64::NAN),
            Self::Untyped(text) => number(text),
            Self::Missing => Ok(f64::NAN),
            Self::Integer(value) => Ok(*value as f64),
            Self::Number(value) => narrow(*value).map(|_| *value),
            Self::Text(_) | Self::Time { .. } => {
                Err(format!("expected a number, got `{}`", shown(&self.text())))
            }
        }
    }

    /// Returns the cell as a text; the digits of a number, and an empty text for a missing value.
    pub(in crate::formats) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Untyped(text) | Self::Text(text) => Cow::Borrowed(text),
            Self::Missing => Cow::Borrowed(""),
            Self::Integer(value) => value.to_string().into(),
            // The digits of an f32 where these suffice.
            Self::Number(value) if f64::from(*value as f32) == *value => {
                (*value as f32).to_string().into()
            }
            Self::Number(value) => value.to_string().into(),
            Self::Time { nanoseconds, .. } => format!("{nanoseconds} ns since 1970").into(),
        }
    }

    /// Returns the cell as a part of a target.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Untyped(text) => Value::Cell((*text).into()),
            Self::Missing => Value::Cell(String::new()),
            Self::Integer(value) => Value::Integer(*value),
            Self::Number(value) => Value::Number(*value),
            Self::Text(_) | Self::Time { .. } => Value::Text(self.text().into_owned()),
        }
    }

    /// Returns the cell as a time in the form of the times before.
    pub(super) fn time(&self, times: &mut Times) -> Result<Decimal, String> {
        match self {
            Self::Time { nanoseconds, utc } => {
                let form = if *utc { TimeForm::Zoned } else { TimeForm::Local };
                times.add(Decimal::new(*nanoseconds, -9), form, &self.text())
            }
            Self::Missing => Err("expected a time, got a missing value".into()),
            Self::Untyped(text) => times.parse(text),
            Self::Integer(_) | Self::Number(_) | Self::Text(_) => times.parse(&self.text()),
        }
    }
}

/// A row of a table.
pub(in crate::formats) trait Row {
    /// Returns the cell of a column.
    fn cell(&self, column: usize) -> Result<Cell<'_>>;

    /// Returns the number of the row in its file, from 1: that of its first line, if it has lines.
    fn number(&self) -> usize;

    /// Returns the location of the cell of a column.
    fn location(&self, column: usize) -> Location;
}

/// The rows of a table in the order of the file.
pub(in crate::formats) trait Rows {
    /// A row.
    type Row<'a>: Row
    where
        Self: 'a;

    /// Returns the next row; `None` at the end.
    fn next(&mut self) -> Result<Option<Self::Row<'_>>>;

    /// Appends the numbers that some of the next rows have in the columns `features`. Returns how many rows these are.
    /// All have the same cell as the last row in the column `series`. There are none where a number may have to be
    /// refused, which the reader of single cells explains. [`next`](Self::next) still returns all rows.
    fn features_ahead(
        &self,
        _series: Option<usize>,
        _features: &[usize],
        _values: &mut Vec<f64>,
    ) -> usize {
        0
    }
}

/// What the numbers of rows count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum Unit {
    /// The lines of a text.
    Line,
    /// The rows of a binary file.
    Row,
}

impl Unit {
    /// Returns the word for one of them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Row => "row",
        }
    }

    /// Returns the location of a cell, whose column is counted from 0.
    pub(in crate::formats) fn at(self, number: usize, column: usize) -> Location {
        let column = column + 1;
        match self {
            Self::Line => Location::Line { line: number, column },
            Self::Row => Location::Row { row: number, column },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_type_is_never_a_number_or_missing() {
        for text in ["1.5", "NA", "", "nan"] {
            let cell = Cell::Text(text);
            assert!(!cell.is_number() && !cell.is_missing() && !cell.is_empty(), "{text}");
            assert_eq!(cell.value(), Value::Text(text.into()));
        }
        assert!(Cell::Untyped("1.5").is_number() && Cell::Untyped("NA").is_missing());
        assert_eq!(Cell::Text("1.5").number(), Err("expected a number, got `1.5`".into()));
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(Cell::Number(f64::from(0.1f32)).text(), "0.1");
        assert_eq!(Cell::Number(0.1).text(), "0.1");
        assert_eq!(Cell::Integer(i128::from(u64::MAX)).text(), "18446744073709551615");
        assert!(Cell::Number(f64::INFINITY).number().is_err());
        assert!(Cell::Missing.number().is_ok_and(f64::is_nan));
    }

    #[test]
    fn times_with_a_type_have_one_form() {
        let mut times = Times::default();
        let time = |nanoseconds, utc| Cell::Time { nanoseconds, utc };
        assert_eq!(time(1_500_000_000, true).time(&mut times), Ok(Decimal::parse("1.5").unwrap()));
        assert!(
            time(0, false).time(&mut times).unwrap_err().starts_with("expected a date and time")
        );
    }
}
