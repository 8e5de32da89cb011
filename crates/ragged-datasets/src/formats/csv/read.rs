//! Reading of tables.

use std::io::{BufRead, Seek};

use csv::ByteRecord;

use crate::error::{Error, Location, Result};
use crate::formats::collect::Collector;
use crate::formats::csv::rows::CsvRows;
use crate::formats::errors::io;
use crate::formats::table::columns::Columns;
use crate::formats::table::csv_columns::CsvColumns;
use crate::formats::table::header::Header;
use crate::formats::table::infer::infer;
use crate::formats::table::long_form;
use crate::formats::table::roles::Roles;
use crate::tokens::text_tokenizer::Splitter;

/// Reads all series of a table.
pub(in crate::formats) fn read(
    mut input: impl BufRead + Seek,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    let delimiter = delimiter(csv)?;
    let (rows, names, line) = CsvRows::open(&mut input, delimiter)?;
    let header = Header::of_line(decoded(&names, line)?, line, csv)?;
    let roles = Roles::find(&header, csv, into)?;
    let inferred = match into.is_first_of_training() {
        true => infer(rows, &header, &roles)?,
        false => vec![],
    };
    let types = long_form::input_types(&header, &roles, inferred, into);
    let columns = Columns::new(&header, roles, &types, &csv.time_features, into)?;
    input.rewind().map_err(io)?;
    let (mut rows, ..) = CsvRows::open(&mut input, delimiter)?;
    match long_form::read(&mut rows, &header, &columns, splitter, into)? {
        true => Ok(()),
        false => Err(rows.end().error("expected a row, got the end of the file")),
    }
}

/// Returns the delimiter, which is one byte.
fn delimiter(csv: &CsvColumns) -> Result<u8> {
    u8::try_from(csv.delimiter).ok().filter(u8::is_ascii).ok_or_else(|| {
        let (got, expected) = (csv.delimiter.to_string(), "one ASCII character".into());
        Error::Choice { name: "csv.delimiter", got, expected }
    })
}

/// Decodes the names of the columns.
fn decoded(header: &ByteRecord, line: usize) -> Result<Vec<&str>> {
    let name = |(column, name)| {
        let location = Location::Line { line, column: column + 1 };
        std::str::from_utf8(name).map_err(|_| location.error("invalid UTF-8"))
    };
    header.iter().enumerate().map(name).collect()
}
