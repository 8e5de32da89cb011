//! The values of a column in some rows of a file.

use std::ops::Range;

use parquet::data_type::ByteArray;

use crate::formats::table::cell::Cell;

/// The elements of a column.
#[derive(Debug)]
pub(super) enum Values {
    Integers(Vec<i64>),
    Unsigned(Vec<u64>),
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
    /// In UTF-8.
    Texts(Vec<ByteArray>),
    /// Nanoseconds since 1970.
    Times {
        nanoseconds: Vec<i128>,
        utc: bool,
    },
}

/// A column of some rows.
#[derive(Debug)]
pub(super) struct ColumnData {
    pub(super) values: Values,
    /// Whether each value is missing, if any is.
    pub(super) missing: Option<Vec<bool>>,
    /// For lists, the index of the first value of each row, and the number of all values.
    pub(super) offsets: Option<Vec<usize>>,
}

impl ColumnData {
    /// Returns the value with an index.
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        if self.missing.as_ref().is_some_and(|missing| missing[at]) {
            return Cell::Missing;
        }
        match &self.values {
            Values::Integers(values) => Cell::Integer(values[at].into()),
            Values::Unsigned(values) => Cell::Integer(values[at].into()),
            Values::Singles(values) => Cell::Number(values[at].into()),
            Values::Doubles(values) => Cell::Number(values[at]),
            // Checked when it was decoded.
            Values::Texts(values) => Cell::Text(values[at].as_utf8().unwrap_or_default()),
            Values::Times { nanoseconds, utc } => {
                Cell::Time { nanoseconds: nanoseconds[at], utc: *utc }
            }
        }
    }

    /// Copies numbers to places, and 0 for those that are null. Returns whether all are finite as 32-bit floats or NaN.
    pub(super) fn copy<'a>(
        &self,
        range: Range<usize>,
        places: impl Iterator<Item = &'a mut f64>,
    ) -> bool {
        let mut valid = true;
        match &self.values {
            Values::Singles(values) => {
                for (place, &value) in places.zip(&values[range]) {
                    valid &= !value.is_infinite();
                    *place = value.into();
                }
            }
            Values::Doubles(values) => {
                for (place, &value) in places.zip(&values[range]) {
                    valid &= !(value as f32).is_infinite();
                    *place = value;
                }
            }
            Values::Integers(values) => {
                places.zip(&values[range]).for_each(|(place, &value)| *place = value as f64);
            }
            Values::Unsigned(values) => {
                places.zip(&values[range]).for_each(|(place, &value)| *place = value as f64);
            }
            Values::Texts(_) | Values::Times { .. } => return false,
        }
        valid
    }

    /// Whether the cells of two rows are the same text or whole number, and not missing.
    pub(super) fn is_same(&self, a: usize, b: usize) -> bool {
        if self.missing.as_ref().is_some_and(|missing| missing[a] || missing[b]) {
            return false;
        }
        match &self.values {
            Values::Integers(values) => values[a] == values[b],
            Values::Unsigned(values) => values[a] == values[b],
            Values::Texts(values) => values[a].data() == values[b].data(),
            Values::Singles(_) | Values::Doubles(_) | Values::Times { .. } => false,
        }
    }

    /// Returns the indices of the values of a row, if the column has lists.
    pub(super) fn list(&self, row: usize) -> Option<Range<usize>> {
        let offsets = self.offsets.as_ref()?;
        Some(offsets[row]..offsets[row + 1])
    }
}
