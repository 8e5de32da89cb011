//! Reading of tables.

use std::collections::HashMap;
use std::io::BufRead;

use csv::{ByteRecord, ReaderBuilder, Trim};

use crate::error::{Error, Location, Result};
use crate::formats::collect::Collector;
use crate::formats::csv::columns::{Columns, CsvColumns, delimiter};
use crate::formats::csv::quotes::{MalformedQuote, Quotes};
use crate::formats::csv::series::{Cells, Series};
use crate::formats::encoding::check_not_utf16;
use crate::formats::errors::io;
use crate::formats::newlines::Newlines;
use crate::formats::number::shown;

/// Reads all series of a table.
pub(in crate::formats) fn read(
    mut input: impl BufRead,
    names: &CsvColumns,
    into: &mut Collector,
) -> Result<()> {
    let delimiter = delimiter(names)?;
    let start = input.fill_buf().map_err(io)?;
    check_not_utf16(start).map_err(|reason| Location::Line { line: 1, column: 1 }.error(reason))?;
    if start.starts_with("\u{feff}".as_bytes()) {
        input.consume("\u{feff}".len());
    }
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .flexible(true)
        .from_reader(Quotes::new(Newlines::new(input), delimiter));
    let header = reader.byte_headers().map_err(failed)?.clone();
    let width = header.len();
    // The reader is at the line after it, and has skipped empty lines before it.
    let line = (reader.position().line() as usize).saturating_sub(1).max(1);
    let header = decoded(&header, line)?;
    let columns = Columns::find(&header, line, names, into)?;
    let mut series: Vec<Series> = vec![];
    let mut by_id: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        // Counted back from the end of the record, which does not include empty lines before it.
        let lines = 1 + record.as_slice().iter().filter(|&&byte| byte == b'\n').count();
        let line = (reader.position().line() as usize).saturating_sub(lines);
        let cells = Cells { record: &record, line };
        cells.check_count(width)?;
        if let Some(column) = columns.trailing.filter(|&column| !record[column].is_empty()) {
            let got = shown(cells.text(column)?);
            let reason = format!("expected an empty cell below no name, got `{got}`");
            return Err(cells.location(column).error(reason));
        }
        let key = columns.series.map_or(&b""[..], |column| &record[column]);
        let position = match by_id.get(key) {
            Some(&position) => position,
            None => {
                let id = columns.series.map(|column| id(&cells, column)).transpose()?;
                by_id.insert(key.to_vec(), series.len());
                series.push(Series::new(id));
                series.len() - 1
            }
        };
        series[position].add(&cells, &columns, into.tokens())?;
    }
    if series.is_empty() {
        let line = reader.position().line() as usize;
        let location = Location::Line { line, column: 1 };
        return Err(location.error("expected a row, got the end of the file"));
    }
    columns.describe(&header, series[0].time_form(), into);
    series.into_iter().try_for_each(|series| into.push(series.finish(&columns)?))
}

/// Decodes the names of the columns.
fn decoded(header: &ByteRecord, line: usize) -> Result<Vec<&str>> {
    let name = |(column, name)| {
        let location = Location::Line { line, column: column + 1 };
        std::str::from_utf8(name).map_err(|_| location.error("invalid UTF-8"))
    };
    header.iter().enumerate().map(name).collect()
}

/// Returns the name of a series, which is not empty: rows without one are not one series.
fn id(cells: &Cells, column: usize) -> Result<String> {
    match cells.text(column)? {
        "" => Err(cells.location(column).error("expected the name of a series, got an empty cell")),
        id => Ok(id.to_string()),
    }
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
