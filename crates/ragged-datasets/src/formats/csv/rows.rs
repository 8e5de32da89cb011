//! The rows of a table, with the numbers of their lines.

use std::io::BufRead;

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};

use crate::error::{Error, Location, Result};
use crate::formats::csv::quotes::{MalformedQuote, Quotes};
use crate::formats::encoding::check_not_utf16;
use crate::formats::errors::io;
use crate::formats::newlines::Newlines;
use crate::formats::table::cell::{Cell, Row, Rows, Unit};

/// Reads a table row by row.
pub(super) struct CsvRows<R> {
    reader: Reader<Quotes<Newlines<R>>>,
    record: ByteRecord,
    /// The number of columns.
    width: usize,
    /// The number of lines before those that the reader reads.
    before: usize,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads the header, and returns it with its line.
    pub(super) fn open(mut input: R, delimiter: u8) -> Result<(Self, ByteRecord, usize)> {
        let start = input.fill_buf().map_err(io)?;
        check_not_utf16(start)
            .map_err(|reason| Location::Line { line: 1, column: 1 }.error(reason))?;
        if start.starts_with("\u{feff}".as_bytes()) {
            input.consume("\u{feff}".len());
        }
        let mut reader = reader(input, delimiter, 0, true);
        let header = reader.byte_headers().map_err(failed)?.clone();
        // The reader is at the line after it, and has skipped empty lines before it.
        let line = (reader.position().line() as usize).saturating_sub(1).max(1);
        let rows = Self { reader, record: ByteRecord::new(), width: header.len(), before: 0 };
        Ok((rows, header, line))
    }

    /// Reads some rows of `width` cells, which follow after the header and some other rows: `before` lines.
    pub(super) fn after(input: R, delimiter: u8, before: usize, width: usize) -> Self {
        let reader = reader(input, delimiter, before, false);
        Self { reader, record: ByteRecord::new(), width, before }
    }

    /// Returns the line that is read next.
    fn line(&self) -> usize {
        self.before + self.reader.position().line() as usize
    }

    /// Returns the location of the end.
    pub(super) fn end(&self) -> Location {
        Location::Line { line: self.line(), column: 1 }
    }
}

impl<R: BufRead> Rows for CsvRows<R> {
    type Row<'a>
        = Cells<'a>
    where
        Self: 'a;

    /// Returns the next row, which has as many cells as the header; `None` at the end.
    fn next(&mut self) -> Result<Option<Cells<'_>>> {
        if !self.reader.read_byte_record(&mut self.record).map_err(failed)? {
            return Ok(None);
        }
        // Counted back from the end of the record, which does not include empty lines before it.
        let breaks = self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count();
        let line = self.line().saturating_sub(1 + breaks);
        let cells = Cells { record: &self.record, line };
        cells.check_count(self.width)?;
        Ok(Some(cells))
    }
}

fn reader<R: BufRead>(
    input: R,
    delimiter: u8,
    before: usize,
    has_header: bool,
) -> Reader<Quotes<Newlines<R>>> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .flexible(true)
        .has_headers(has_header)
        .from_reader(Quotes::after(Newlines::new(input), delimiter, before))
}

fn failed(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => match error.downcast::<MalformedQuote>() {
            Ok(malformed) => malformed.location.error(malformed.reason),
            Err(error) => io(error),
        },
        kind => Location::Whole.error(format!("{kind:?}")),
    }
}

/// A row of the table, with the number of its first line.
pub(super) struct Cells<'a> {
    pub(super) record: &'a ByteRecord,
    pub(super) line: usize,
}

impl Cells<'_> {
    /// Returns the text of a cell, which must be on one line: a cell of several lines is the sign of a
    /// lost quote.
    pub(super) fn text(&self, column: usize) -> Result<&str> {
        let text = std::str::from_utf8(&self.record[column]);
        let text = text.map_err(|_| self.location(column).error("invalid UTF-8"))?;
        if text.contains('\n') {
            let reason = "expected a cell on one line, got a line break between quotes";
            return Err(self.location(column).error(reason));
        }
        Ok(text)
    }

    /// Checks that there are as many cells as names of columns.
    pub(super) fn check_count(&self, expected: usize) -> Result<()> {
        let got = self.record.len();
        if got == expected {
            return Ok(());
        }
        let last_is_empty = self.record.get(got.saturating_sub(1)).is_some_and(<[u8]>::is_empty);
        let why = match got > expected {
            true if last_is_empty && got == expected + 1 => {
                ", the last one empty: expected no delimiter at the end of a row"
            }
            true => ": expected quotes around a cell with a delimiter or a decimal comma",
            false => "",
        };
        let reason = format!("expected {expected} cells, got {got}{why}");
        Err(self.location(expected.min(got)).error(reason))
    }
}

impl Row for Cells<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>> {
        self.text(column).map(Cell::Untyped)
    }

    fn number(&self) -> usize {
        self.line
    }

    fn location(&self, column: usize) -> Location {
        Unit::Line.at(self.line, column)
    }
}
