//! The rows of a Parquet file.

use std::ops::Range;

use crate::error::{Location, Result};
use crate::formats::parquet::chunks::{Chunk, Chunks};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::file::ParquetFile;
use crate::formats::table::cell::{Cell, Row, Rows, Unit};

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
