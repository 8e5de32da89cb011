//! The rows of a Parquet file.

use std::ops::Range;

use crate::error::{Location, Result};
use crate::formats::parquet::chunks::{Chunk, Chunks};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::file::ParquetFile;
use crate::formats::table::cell::{Cell, Row, Rows, Unit};

/// The most rows whose features are copied at a time. If one of them must be refused, the rows before it are read one
/// by one, each after another attempt.
const AHEAD: usize = 256;

/// The rows of some columns of a file.
pub(super) struct ParquetRows<'a> {
    chunks: Chunks<'a>,
    chunk: Chunk,
    /// The next row of the chunk.
    at: usize,
}

impl<'a> ParquetRows<'a> {
    /// Starts before the first row of a range.
    pub(super) fn new(file: &'a ParquetFile, wanted: &'a [bool], rows: Range<usize>) -> Self {
        let chunk = Chunk { data: vec![], rows: 0..0 };
        Self { chunks: Chunks::new(file, wanted, rows), chunk, at: 0 }
    }
}

impl Rows for ParquetRows<'_> {
    type Row<'a>
        = ParquetRow<'a>
    where
        Self: 'a;

    fn next(&mut self) -> Result<Option<ParquetRow<'_>>> {
        if self.at == self.chunk.rows.len() {
            match self.chunks.next()? {
                None => return Ok(None),
                Some(chunk) => (self.chunk, self.at) = (chunk, 0),
            }
        }
        let row = self.at;
        self.at += 1;
        let number = self.chunk.rows.start + self.at;
        Ok(Some(ParquetRow { data: &self.chunk.data, row, item: None, number }))
    }

    /// Copies the features column by column.
    fn features_ahead(
        &self,
        series: Option<usize>,
        features: &[usize],
        values: &mut Vec<f64>,
    ) -> usize {
        let end = self.chunk.rows.len().min(self.at + AHEAD);
        copy_features(&self.chunk.data, self.at..end, series, features, values)
    }
}

/// Appends the features of the first of some rows of a chunk, as long as the cell of the column `series` is that of the
/// row before them. Returns how many rows these are; none where a feature may have to be refused.
fn copy_features(
    data: &[Option<ColumnData>],
    rows: Range<usize>,
    series: Option<usize>,
    features: &[usize],
    values: &mut Vec<f64>,
) -> usize {
    let last = rows.start.saturating_sub(1);
    let is_same = |row: usize| match series {
        None => true,
        Some(column) => data[column].as_ref().is_some_and(|ids| ids.is_same(last, row)),
    };
    let count = rows.clone().take_while(|&row| is_same(row)).count();
    let rows = rows.start..rows.start + count;
    let (before, width) = (values.len(), features.len());
    values.resize(before + count * width, 0.0);
    for (k, &column) in features.iter().enumerate() {
        let mut places = values[before..].iter_mut().skip(k).step_by(width);
        let copied = data[column].as_ref().filter(|column| column.offsets.is_none());
        let Some(copied) = copied.filter(|column| column.copy(rows.clone(), &mut places)) else {
            values.truncate(before);
            return 0;
        };
        if let Some(missing) = &copied.missing {
            let places = values[before..].iter_mut().skip(k).step_by(width);
            for (place, _) in places.zip(&missing[rows.clone()]).filter(|(_, missing)| **missing) {
                *place = f64::NAN;
            }
        }
    }
    count
}

/// A row, or one step of the lists of a row.
pub(super) struct ParquetRow<'a> {
    pub(super) data: &'a [Option<ColumnData>],
    /// The index of the row in its chunk.
    pub(super) row: usize,
    /// The index of the step in the lists of the row.
    pub(super) item: Option<usize>,
    /// The number of the row in the file.
    pub(super) number: usize,
}

impl Row for ParquetRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>> {
        let Some(data) = &self.data[column] else { return Ok(Cell::Missing) };
        let at = match (data.list(self.row), self.item) {
            (None, _) => Some(self.row),
            (Some(list), Some(item)) => list.clone().nth(item),
            (Some(_), None) => None,
        };
        Ok(at.map_or(Cell::Missing, |at| data.cell(at)))
    }

    fn number(&self) -> usize {
        self.number
    }

    fn location(&self, column: usize) -> Location {
        let is_list = self.data[column].as_ref().is_some_and(|data| data.offsets.is_some());
        match self.item {
            Some(item) if is_list => {
                Location::Item { row: self.number, column: column + 1, item: item + 1 }
            }
            _ => Unit::Row.at(self.number, column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::parquet::data::Values;

    fn column(values: Values, missing: Option<Vec<bool>>) -> Option<ColumnData> {
        Some(ColumnData { values, missing, offsets: None })
    }

    fn texts(texts: &[&str]) -> Values {
        Values::Texts(texts.iter().map(|text| (*text).into()).collect())
    }

    /// Checks that features which are copied are those of the cells. Returns how many rows are, after the first one.
    fn ahead(data: &[Option<ColumnData>], count: usize, series: Option<usize>) -> usize {
        let features = [1, 2, 3, 4];
        let mut values = vec![5.0];
        let ahead = copy_features(data, 1..count, series, &features, &mut values);
        assert_eq!((values.len(), values[0]), (1 + ahead * 4, 5.0));
        for (row, got) in (1..).zip(values[1..].chunks(4)) {
            let row = ParquetRow { data, row, item: None, number: row + 1 };
            for (&column, got) in features.iter().zip(got) {
                let expected = match row.cell(column).unwrap() {
                    Cell::Missing => f64::NAN,
                    Cell::Integer(value) => value as f64,
                    Cell::Number(value) => value,
                    cell => panic!("{cell:?} is no number"),
                };
                assert_eq!(got.to_bits(), expected.to_bits(), "row {}, column {column}", row.row);
            }
        }
        ahead
    }

    #[test]
    fn features_ahead_are_those_of_the_cells_of_the_same_series() {
        let large = (1i64 << 53) + 1;
        let mut data = [
            column(texts(&["a", "a", "a", "a", "b", "a"]), None),
            column(Values::Singles(vec![0.5, -0.0, 0.1, 3e38, 4.0, 5.0]), None),
            column(Values::Doubles(vec![0.0, 0.1, 1e-60, f64::NAN, 0.0, 1e60]), None),
            column(
                Values::Integers(vec![0, large, -large, 0, 7, 8]),
                Some([false, false, false, true, false, false].into()),
            ),
            column(Values::Unsigned(vec![u64::MAX; 6]), None),
        ];
        assert_eq!(ahead(&data, 6, Some(0)), 3);
        assert_eq!(ahead(&data, 3, Some(0)), 2);
        // Without names there is one series, whose last number is too large.
        assert_eq!(
            (ahead(&data, 5, None), ahead(&data, 6, None), ahead(&data, 1, None)),
            (4, 0, 0)
        );
        data[0] = column(texts(&[""; 6]), Some(vec![true; 6]));
        assert_eq!(ahead(&data, 6, Some(0)), 0);
        data[0] = column(Values::Integers(vec![1, 1, 1, 2, 2, 2]), None);
        assert_eq!(ahead(&data, 6, Some(0)), 2);
        data[4] = column(texts(&["1"; 6]), None);
        assert_eq!(ahead(&data, 6, Some(0)), 0);
    }
}
