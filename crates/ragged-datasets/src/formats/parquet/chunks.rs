//! Parts of row groups, one after the other, so that a large row group needs little memory.

use std::ops::Range;

use parquet::column::reader::ColumnReader;

use crate::error::{Location, Result};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::file::ParquetFile;

/// Some rows of one row group.
pub(super) struct Chunk {
    /// The values of the columns that are read.
    pub(super) data: Vec<Option<ColumnData>>,
    /// The index of the first row in the file, and of the one after the last.
    pub(super) rows: Range<usize>,
}

/// Reads columns of the rows of a range, some at a time.
pub(super) struct Chunks<'a> {
    file: &'a ParquetFile,
    wanted: &'a [bool],
    /// The rows that are not read yet.
    rows: Range<usize>,
    group: Option<Group>,
}

/// A row group of which some rows are read.
struct Group {
    columns: Vec<Option<ColumnReader>>,
    /// The row after the last one.
    end: usize,
    /// The number of rows to read at a time.
    step: usize,
}

impl<'a> Chunks<'a> {
    /// Starts before the first of the rows.
    pub(super) fn new(file: &'a ParquetFile, wanted: &'a [bool], rows: Range<usize>) -> Self {
        Self { file, wanted, rows, group: None }
    }

    /// Reads the next rows, which are those of one row group; `None` at the end of the range.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        let begin = self.rows.start;
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut group = match self.group.take() {
            Some(group) if begin < group.end => group,
            _ => self.open(begin)?,
        };
        let end = group.end.min(self.rows.end).min(begin.saturating_add(group.step));
        let data = self.file.decode(&mut group.columns, begin..end)?;
        if end == group.end {
            self.check_end(&mut group)?;
        }
        self.rows.start = end;
        self.group = Some(group);
        Ok(Some(Chunk { data, rows: begin..end }))
    }

    /// Opens the row group with a row, and skips those before it.
    fn open(&self, row: usize) -> Result<Group> {
        let (group, rows) = self.file.group_of(row);
        let step = self.file.step(group, self.wanted);
        let mut columns = self.file.open_group(group, self.wanted)?;
        if row > rows.start {
            let (fewest, _) = self.file.skip(&mut columns, row - rows.start)?;
            if fewest < row - rows.start {
                let reason = "the file is damaged: a column has fewer rows than its row group";
                return Err(Location::Whole.error(reason));
            }
        }
        Ok(Group { columns, end: rows.end, step })
    }

    /// Checks that no column has more rows than its row group.
    fn check_end(&self, group: &mut Group) -> Result<()> {
        match self.file.skip(&mut group.columns, 1)? {
            (_, 0) => Ok(()),
            _ => {
                let reason = "the file is damaged: a column has more rows than its row group";
                Err(Location::Whole.error(reason))
            }
        }
    }
}
