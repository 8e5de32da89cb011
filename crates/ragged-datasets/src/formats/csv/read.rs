//! Reading of tables.

use std::io::{BufRead, Seek};

use csv::ByteRecord;
use serde::{Deserialize, Serialize};

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
    let (names, line, columns) = open(&mut input, csv, into)?;
    let header = Header::of_line(names.iter().map(String::as_str).collect(), line, csv)?;
    let (mut rows, ..) = CsvRows::open(&mut input, delimiter(csv)?)?;
    match long_form::read(&mut rows, &header, &columns, splitter, into)? {
        true => Ok(()),
        false => Err(rows.end().error("expected a row, got the end of the file")),
    }
}

/// The first line of a table, and where its series begin.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::formats) struct Survey {
    /// The names of the columns.
    pub(in crate::formats) names: Vec<String>,
    /// The line of the names.
    pub(in crate::formats) line: usize,
    /// The line of the first row of each series.
    pub(in crate::formats) firsts: Vec<usize>,
}

/// Reads all series of a table one after another, as their rows must be.
pub(in crate::formats) fn survey(
    mut input: impl BufRead + Seek,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<Survey> {
    let (names, line, columns) = open(&mut input, csv, into)?;
    let header = Header::of_line(names.iter().map(String::as_str).collect(), line, csv)?;
    let (mut rows, ..) = CsvRows::open(&mut input, delimiter(csv)?)?;
    let firsts = long_form::read_adjacent(&mut rows, &header, &columns, splitter, into)?;
    match firsts.is_empty() {
        false => Ok(Survey { names, line, firsts }),
        true => Err(rows.end().error("expected a row, got the end of the file")),
    }
}

/// Reads some series of a surveyed table, which follow after `before` lines.
pub(in crate::formats) fn read_after(
    input: impl BufRead,
    before: usize,
    survey: &Survey,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    let names = survey.names.iter().map(String::as_str).collect();
    let header = Header::of_line(names, survey.line, csv)?;
    let roles = Roles::find(&header, csv, into)?;
    let types = long_form::input_types(&header, &roles, vec![], into);
    let columns = Columns::new(&header, roles, &types, &csv.time_features, into)?;
    let mut rows = CsvRows::after(input, delimiter(csv)?, before, header.names.len());
    long_form::read_adjacent(&mut rows, &header, &columns, splitter, into).map(drop)
}

/// Reads the names of the columns and finds out what they are. Returns the names with their line, and the columns; the
/// input is then at its beginning.
fn open(
    input: &mut (impl BufRead + Seek),
    csv: &CsvColumns,
    into: &mut Collector,
) -> Result<(Vec<String>, usize, Columns)> {
    let (rows, names, line) = CsvRows::open(&mut *input, delimiter(csv)?)?;
    let names: Vec<String> = decoded(&names, line)?.into_iter().map(String::from).collect();
    let header = Header::of_line(names.iter().map(String::as_str).collect(), line, csv)?;
    let roles = Roles::find(&header, csv, into)?;
    let inferred = match into.is_first_of_training() {
        true => infer(rows, &header, &roles)?,
        false => vec![],
    };
    let types = long_form::input_types(&header, &roles, inferred, into);
    let columns = Columns::new(&header, roles, &types, &csv.time_features, into)?;
    input.rewind().map_err(io)?;
    Ok((names, line, columns))
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
