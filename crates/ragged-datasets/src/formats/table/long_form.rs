//! Reading of the rows of a table in long form: one row per step.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::formats::collect::Collector;
use crate::formats::number::shown;
use crate::formats::table::cell::{Cell, Row, Rows};
use crate::formats::table::column_type::ColumnType;
use crate::formats::table::columns::{Columns, TOKENS};
use crate::formats::table::header::Header;
use crate::formats::table::roles::Roles;
use crate::formats::table::series::{Series, Targets};
use crate::formats::table::time_features::TimeFeature;
use crate::tokens::text_tokenizer::Splitter;

/// Returns the type of each input: the one that is given, that of the files before, or else the one of `inferred`, which
/// is noted.
pub(in crate::formats) fn input_types(
    header: &Header,
    roles: &Roles,
    inferred: Vec<(usize, ColumnType, String)>,
    into: &mut Collector,
) -> Vec<ColumnType> {
    for (column, _, note) in inferred.iter().filter(|(.., note)| !note.is_empty()) {
        let name = shown(header.names[*column]);
        into.note(format!("column `{name}` is read as {note} (data.read.csv.types)"));
    }
    let inferred: HashMap<usize, ColumnType> =
        inferred.into_iter().map(|(column, inferred, _)| (column, inferred)).collect();
    let mut types = vec![];
    for &(column, given) in &roles.inputs {
        types.push(match (given, inferred.get(&column)) {
            (None | Some(ColumnType::Static), Some(&inferred)) => inferred,
            (None | Some(ColumnType::Static), None) => {
                known(header.names[column], given, roles, into)
            }
            (Some(given), _) => given,
        });
    }
    types
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

/// Reads all series of a table, whose rows may be in any order. Returns whether there are any.
pub(in crate::formats) fn read(
    rows: &mut impl Rows,
    header: &Header,
    columns: &Columns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<bool> {
    let mut series: Vec<Series> = vec![];
    let mut by_id: HashMap<String, usize> = HashMap::new();
    // The series of the last row, and how many of the next rows are of it and have their features in it.
    let (mut current, mut ahead) = (0, 0);
    loop {
        if let (Some(series), 0) = (series.get_mut(current), ahead) {
            ahead = series.add_features_ahead(rows, columns);
        }
        let Some(row) = rows.next()? else { break };
        if ahead == 0 {
            current = position(&row, header, columns, &mut by_id, &mut series)?;
        }
        add(&row, ahead > 0, &mut series[current], header, columns, splitter, into)?;
        ahead = ahead.saturating_sub(1);
    }
    let Some(first) = series.first() else { return Ok(false) };
    describe(first, header, columns, splitter, into)?;
    series.into_iter().try_for_each(|series| finish(series, columns, into))?;
    Ok(true)
}

/// Reads all series of a table, one after another, as their rows must be. Returns the numbers of their first rows.
pub(in crate::formats) fn read_adjacent(
    rows: &mut impl Rows,
    header: &Header,
    columns: &Columns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<Vec<usize>> {
    let mut firsts = vec![];
    let mut known: HashSet<String> = HashSet::new();
    let mut current: Option<Series> = None;
    // How many of the next rows are of the current series and have their features in it.
    let mut ahead = 0;
    loop {
        if let (Some(series), 0) = (&mut current, ahead) {
            ahead = series.add_features_ahead(rows, columns);
        }
        let Some(row) = rows.next()? else { break };
        if let (Some(series), 1..) = (&mut current, ahead) {
            add(&row, true, series, header, columns, splitter, into)?;
            ahead -= 1;
            continue;
        }
        let id = columns.series.map(|column| row.cell(column)).transpose()?;
        let id = id.as_ref().map(Cell::text);
        let series = match current.take() {
            Some(series) if columns.text.is_none() && series.id() == id.as_deref() => series,
            before => {
                if let Some(before) = before {
                    if firsts.len() == 1 {
                        describe(&before, header, columns, splitter, into)?;
                    }
                    finish(before, columns, into)?;
                }
                if let (Some(column), Some(id)) = (columns.series, id.as_deref()) {
                    check_new(&row, column, id, columns, header, &mut known)?;
                }
                firsts.push(row.number());
                Series::new(id.map(Into::into), header.unit(), row.number())
            }
        };
        add(&row, false, current.insert(series), header, columns, splitter, into)?;
    }
    if let Some(last) = current {
        if firsts.len() == 1 {
            describe(&last, header, columns, splitter, into)?;
        }
        finish(last, columns, into)?;
    }
    Ok(firsts)
}

/// Adds a row to its series, which has its features already if `has_features`.
fn add(
    row: &impl Row,
    has_features: bool,
    series: &mut Series,
    header: &Header,
    columns: &Columns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    if let Some(column) = columns.trailing
        && !row.cell(column)?.is_empty()
    {
        let got = shown(&row.cell(column)?.text());
        let reason = format!("expected an empty cell below no name, got `{got}`");
        return Err(row.location(column).error(reason));
    }
    series.add_step(row, has_features, columns, splitter, into.tokens())?;
    series.add_statics(row, columns, &header.names)?;
    series.add_targets(row, columns)
}

fn finish(series: Series, columns: &Columns, into: &mut Collector) -> Result<()> {
    let sequence = series.finish(columns, Targets::Rows, into.statics())?;
    into.push(sequence)
}

/// Checks that the times of the first series have what is made of them, and records the roles of all columns.
pub(in crate::formats) fn describe(
    first: &Series,
    header: &Header,
    columns: &Columns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    let missing = |feature: &TimeFeature| feature.missing(first.time_form());
    if let Some((name, missing)) =
        columns.time_features.iter().find_map(|feature| Some((feature.name(), missing(feature)?)))
    {
        let reason = format!("csv.time_features has `{name}`: expected {missing}");
        let location = match columns.time {
            Some(column) => header.unit().at(first.first(), column),
            None => header.at(0),
        };
        return Err(location.error(reason));
    }
    columns.describe(&header.names, first.time_form(), into);
    if columns.text.is_some() && into.is_training() {
        let parts = splitter.parts();
        into.note(format!("texts are divided into {parts} (data.read.tokenizer)"));
    }
    Ok(())
}

/// The error of a text whose series has one before.
const TEXT_AGAIN: &str = "expected a new name, as each row has a whole text, got one again";

/// Checks that a series has a name: rows without one are not one series.
fn check_name(row: &impl Row, column: usize, id: &str) -> Result<()> {
    match id {
        "" => {
            let reason = "expected the name of a series, got an empty cell";
            Err(row.location(column).error(reason))
        }
        _ => Ok(()),
    }
}

/// Checks that a series, which begins with a row, has no row before.
fn check_new(
    row: &impl Row,
    column: usize,
    id: &str,
    columns: &Columns,
    header: &Header,
    known: &mut HashSet<String>,
) -> Result<()> {
    check_name(row, column, id)?;
    if known.insert(id.into()) {
        return Ok(());
    }
    if columns.text.is_some() {
        return Err(row.location(column).error(TEXT_AGAIN));
    }
    let (id, name) = (shown(id), shown(header.names[column]));
    let reason = format!(
        "series `{id}` goes on after another one: expected the rows of each series one after another, to stream them \
         (sort the file by `{name}`, or use `ragged convert`, which reads it into memory)"
    );
    Err(row.location(column).error(reason))
}

/// Returns the position of the series of a row, a new one where it is the first.
fn position(
    row: &impl Row,
    header: &Header,
    columns: &Columns,
    by_id: &mut HashMap<String, usize>,
    series: &mut Vec<Series>,
) -> Result<usize> {
    let cell = columns.series.map(|column| row.cell(column)).transpose()?;
    let id = cell.as_ref().map(|cell| cell.text());
    let known = by_id.get(id.as_deref().unwrap_or_default()).copied();
    match (known, columns.text, columns.series) {
        (Some(_), Some(_), Some(column)) => {
            return Err(row.location(column).error(TEXT_AGAIN));
        }
        // Without names of series, each text is one.
        (Some(_), Some(_), None) | (None, ..) => {}
        (Some(position), None, _) => return Ok(position),
    }
    if let (Some(column), Some(id)) = (columns.series, id.as_deref()) {
        check_name(row, column, id)?;
    }
    by_id.insert(id.as_deref().unwrap_or_default().into(), series.len());
    series.push(Series::new(id.map(Into::into), header.unit(), row.number()));
    Ok(series.len() - 1)
}
