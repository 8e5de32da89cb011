//! Reading of the rows of a table in long form: one row per step.

use std::collections::HashMap;

use crate::error::Result;
use crate::formats::collect::Collector;
use crate::formats::number::shown;
use crate::formats::table::cell::{Row, Rows};
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

/// Reads all series of a table. Returns whether there are any.
pub(in crate::formats) fn read(
    rows: &mut impl Rows,
    header: &Header,
    columns: &Columns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<bool> {
    let mut series: Vec<Series> = vec![];
    let mut by_id: HashMap<String, usize> = HashMap::new();
    while let Some(row) = rows.next()? {
        if let Some(column) = columns.trailing
            && !row.cell(column)?.is_empty()
        {
            let got = shown(&row.cell(column)?.text());
            let reason = format!("expected an empty cell below no name, got `{got}`");
            return Err(row.location(column).error(reason));
        }
        let position = position(&row, header, columns, &mut by_id, &mut series)?;
        let series = &mut series[position];
        series.add_step(&row, columns, splitter, into.tokens())?;
        series.add_statics(&row, columns, &header.names)?;
        series.add_targets(&row, columns)?;
    }
    let Some(first) = series.first() else { return Ok(false) };
    describe(first, header, columns, splitter, into)?;
    series.into_iter().try_for_each(|series| {
        let sequence = series.finish(columns, Targets::Rows, into.statics())?;
        into.push(sequence)
    })?;
    Ok(true)
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
            let reason = "expected a new name, as each row has a whole text, got one again";
            return Err(row.location(column).error(reason));
        }
        // Without names of series, each text is one.
        (Some(_), Some(_), None) | (None, ..) => {}
        (Some(position), None, _) => return Ok(position),
    }
    // Rows without a name are not one series.
    if let (Some(column), Some("")) = (columns.series, id.as_deref()) {
        let reason = "expected the name of a series, got an empty cell";
        return Err(row.location(column).error(reason));
    }
    by_id.insert(id.as_deref().unwrap_or_default().into(), series.len());
    series.push(Series::new(id.map(Into::into), header.unit(), row.number()));
    Ok(series.len() - 1)
}
