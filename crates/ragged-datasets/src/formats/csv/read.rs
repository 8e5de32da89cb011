//! Reading of tables.

use std::collections::HashMap;
use std::io::{BufRead, Seek};

use csv::ByteRecord;

use crate::error::{Location, Result};
use crate::formats::collect::Collector;
use crate::formats::csv::column_type::ColumnType;
use crate::formats::csv::columns::{Columns, TOKENS};
use crate::formats::csv::csv_columns::{CsvColumns, delimiter};
use crate::formats::csv::header::Header;
use crate::formats::csv::infer::infer;
use crate::formats::csv::roles::Roles;
use crate::formats::csv::rows::{Cells, Rows};
use crate::formats::csv::series::Series;
use crate::formats::errors::io;
use crate::formats::number::shown;
use crate::tokens::text_tokenizer::Splitter;

/// Reads all series of a table.
pub(in crate::formats) fn read(
    mut input: impl BufRead + Seek,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    let delimiter = delimiter(csv)?;
    let (rows, names, line) = Rows::open(&mut input, delimiter)?;
    let header = Header::new(decoded(&names, line)?, line, csv)?;
    let roles = Roles::find(&header, csv, into)?;
    let types = match into.is_first_of_training() {
        true => infer(rows, &header, &roles)?,
        false => vec![],
    };
    for (column, _, note) in types.iter().filter(|(.., note)| !note.is_empty()) {
        let name = shown(header.names[*column]);
        into.note(format!("column `{name}` is read as {note} (data.read.csv.types)"));
    }
    let inferred: HashMap<usize, ColumnType> =
        types.into_iter().map(|(column, inferred, _)| (column, inferred)).collect();
    let mut types = vec![];
    for &(column, given) in &roles.inputs {
        types.push(match (given, inferred.get(&column)) {
            (None | Some(ColumnType::Static), Some(&inferred)) => inferred,
            (None | Some(ColumnType::Static), None) => {
                known(header.names[column], given, &roles, into)
            }
            (Some(given), _) => given,
        });
    }
    let columns = Columns::new(&header, roles, &types, &csv.time_features, into)?;
    input.rewind().map_err(io)?;
    let (mut rows, ..) = Rows::open(&mut input, delimiter)?;
    let mut series: Vec<Series> = vec![];
    let mut by_id: HashMap<Vec<u8>, usize> = HashMap::new();
    while let Some(cells) = rows.next()? {
        if let Some(column) = columns.trailing
            && !cells.record[column].is_empty()
        {
            let got = shown(cells.text(column)?);
            let reason = format!("expected an empty cell below no name, got `{got}`");
            return Err(cells.location(column).error(reason));
        }
        let position = position(&cells, &columns, &mut by_id, &mut series)?;
        series[position].add(&cells, &columns, &header.names, splitter, into.tokens())?;
    }
    if series.is_empty() {
        return Err(rows.end().error("expected a row, got the end of the file"));
    }
    for &feature in &columns.time_features {
        if let Some(missing) = feature.missing(series[0].time_form()) {
            let at = columns.time.map_or(0, |column| column + 1).max(1);
            let (line, name) =
                (if columns.time.is_some() { series[0].line() } else { line }, feature);
            let reason = format!("csv.time_features has `{}`: expected {missing}", name.name());
            return Err(Location::Line { line, column: at }.error(reason));
        }
    }
    columns.describe(&header.names, series[0].time_form(), into);
    if columns.text.is_some() && into.is_training() {
        let parts = splitter.parts();
        into.note(format!("texts are divided into {parts} (data.read.tokenizer)"));
    }
    series.into_iter().try_for_each(|series| {
        let sequence = series.finish(&columns, into.statics())?;
        into.push(sequence)
    })
}

/// Returns the type that a column had in the files before.
fn known(name: &str, given: Option<ColumnType>, roles: &Roles, into: &mut Collector) -> ColumnType {
    let is_only = roles.inputs.len() == 1;
    match into.statics().place(name) {
        (Some(_), _) => ColumnType::StaticNumber,
        (_, Some(_)) => ColumnType::StaticCategory,
        _ if given.is_some() => ColumnType::StaticNumber,
        _ if into.tokens().has(name) => ColumnType::Category,
        _ if is_only && into.tokens().are_texts(TOKENS) => ColumnType::Text,
        _ => ColumnType::Number,
    }
}

/// Returns the position of the series of a row, a new one where it is the first.
fn position(
    cells: &Cells,
    columns: &Columns,
    by_id: &mut HashMap<Vec<u8>, usize>,
    series: &mut Vec<Series>,
) -> Result<usize> {
    let key = columns.series.map_or(&b""[..], |column| &cells.record[column]);
    let known = by_id.get(key).copied();
    match (known, columns.text, columns.series) {
        (Some(_), Some(_), Some(column)) => {
            let reason = "expected a new name, as each row has a whole text, got one again";
            return Err(cells.location(column).error(reason));
        }
        // Without names of series, each text is one.
        (Some(_), Some(_), None) | (None, ..) => {}
        (Some(position), None, _) => return Ok(position),
    }
    let id = columns.series.map(|column| id(cells, column)).transpose()?;
    by_id.insert(key.to_vec(), series.len());
    series.push(Series::new(id));
    Ok(series.len() - 1)
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
