//! The rows of a Parquet file.

use crate::error::{Location, Result};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::file::ParquetFile;
use crate::formats::table::cell::{Cell, Row, Rows, Unit};

/// The rows of some columns of a file, one row group after the other.
pub(super) struct ParquetRows<'a> {
    file: &'a ParquetFile,
    wanted: &'a [bool],
    /// The next row group.
    group: usize,
    /// The columns of the current row group.
    data: Vec<Option<ColumnData>>,
    /// The number of rows of the current row group, and the next one of them.
    rows: usize,
    at: usize,
    /// The number of rows in the row groups before.
    before: usize,
}

impl<'a> ParquetRows<'a> {
    /// Starts at the first row.
    pub(super) fn new(file: &'a ParquetFile, wanted: &'a [bool]) -> Self {
        Self { file, wanted, group: 0, data: vec![], rows: 0, at: 0, before: 0 }
    }
}

impl Rows for ParquetRows<'_> {
    type Row<'a>
        = ParquetRow<'a>
    where
        Self: 'a;

    fn next(&mut self) -> Result<Option<ParquetRow<'_>>> {
        while self.at == self.rows {
            if self.group == self.file.groups() {
                return Ok(None);
            }
            self.before += self.rows;
            self.data = self.file.read(self.group, self.wanted, self.before + 1)?;
            (self.rows, self.at) = (self.file.rows(self.group), 0);
            self.group += 1;
        }
        self.at += 1;
        let row = self.at - 1;
        Ok(Some(ParquetRow { data: &self.data, row, item: None, number: self.before + self.at }))
    }
}

/// A row, or one step of the lists of a row.
pub(super) struct ParquetRow<'a> {
    pub(super) data: &'a [Option<ColumnData>],
    /// The index of the row in its row group.
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
