//! Reading of Parquet files.

use crate::error::{Location, Result};
use crate::formats::collect::Collector;
use crate::formats::number::shown;
use crate::formats::parquet::file::ParquetFile;
use crate::formats::parquet::kind::{Kind, ParquetColumn};
use crate::formats::parquet::list_form;
use crate::formats::parquet::rows::ParquetRows;
use crate::formats::table::column_type::ColumnType;
use crate::formats::table::columns::Columns;
use crate::formats::table::csv_columns::CsvColumns;
use crate::formats::table::header::Header;
use crate::formats::table::infer::infer;
use crate::formats::table::long_form;
use crate::formats::table::roles::Roles;
use crate::tokens::text_tokenizer::Splitter;

/// Reads all sequences of a file.
pub(in crate::formats) fn read(
    file: &ParquetFile,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    match read_groups(file, None, csv, splitter, into)? {
        true => Ok(()),
        false => Err(Location::Whole.error("expected a row, got none")),
    }
}

/// Reads the sequences of one row group of a table in list form, or those of all groups of any table. Returns whether there
/// are any.
pub(in crate::formats) fn read_groups(
    file: &ParquetFile,
    group: Option<usize>,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<bool> {
    let columns = file.columns();
    if let Some(name) = file.left_out() {
        into.note(format!("column `{name}` is left out, as the numbers of the rows"));
    }
    let header = Header::of_names(columns.iter().map(|column| column.name.as_str()).collect())?;
    let mut roles = Roles::find(&header, csv, into)?;
    let of_lists = is_of_lists(columns, &roles, into);
    if of_lists {
        for (column, given) in &mut roles.inputs {
            // One value for all steps.
            if columns[*column].list.is_none() && given.is_none() {
                *given = Some(ColumnType::Static);
            }
        }
    }
    let used = used(columns.len(), &roles, into);
    check_kinds(&header, columns, &roles, &used)?;
    let inferred = match into.is_first_of_training() {
        true => inferred(file, &header, &roles, of_lists)?,
        false => vec![],
    };
    let types = long_form::input_types(&header, &roles, inferred, into);
    let plan = Columns::new(&header, roles, &types, &csv.time_features, into)?;
    file.check_compression(&used)?;
    match (of_lists, group) {
        (true, group) => {
            let groups = group.map_or(0..file.groups(), |group| group..group + 1);
            list_form::read(file, groups, &header, &plan, &used, splitter, into)
        }
        (false, None) => {
            let mut rows = ParquetRows::new(file, &used);
            long_form::read(&mut rows, &header, &plan, splitter, into)
        }
        (false, Some(_)) => {
            let reason = "expected one row for each sequence, with lists of steps, to stream from: `ragged convert` \
                          writes such a file";
            Err(Location::Whole.error(reason))
        }
    }
}

/// Returns whether each row is a sequence, as some column that is read has lists.
fn is_of_lists(columns: &[ParquetColumn], roles: &Roles, into: &Collector) -> bool {
    let inputs = roles.inputs.iter().map(|(column, _)| column);
    let targets = roles.targets.iter().filter(|_| into.wants_targets());
    let mut used = inputs.chain(&roles.time).chain(targets);
    used.any(|&column| columns[column].list.is_some())
}

/// Returns whether each column is read.
fn used(count: usize, roles: &Roles, into: &Collector) -> Vec<bool> {
    let mut used = vec![false; count];
    let targets = roles.targets.iter().filter(|_| into.wants_targets());
    let inputs = roles.inputs.iter().map(|(column, _)| column);
    for &column in inputs.chain(&roles.series).chain(&roles.time).chain(targets) {
        used[column] = true;
    }
    used
}

/// Checks that columns have contents that suit their roles.
fn check_kinds(
    header: &Header,
    columns: &[ParquetColumn],
    roles: &Roles,
    used: &[bool],
) -> Result<()> {
    let hint = "data.read.csv.types says if it is ignored";
    for (at, column) in columns.iter().enumerate().filter(|(at, _)| used[*at]) {
        let name = shown(&column.name);
        let error = |reason: String| Err(header.at(at).error(reason));
        let is_time = roles.time == Some(at);
        let got = match &column.kind {
            Err(got) => got.as_str(),
            Ok(Kind::Time { .. }) if !is_time => "dates and times",
            Ok(_) => continue,
        };
        return match is_time {
            true => error(format!("column `{name}`: expected numbers, dates or times, got {got}")),
            false => {
                error(format!("column `{name}`: expected numbers or texts, got {got}: {hint}"))
            }
        };
    }
    Ok(())
}

/// Returns the types of the inputs, by the types of the file where they are enough.
fn inferred(
    file: &ParquetFile,
    header: &Header,
    roles: &Roles,
    of_lists: bool,
) -> Result<Vec<(usize, ColumnType, String)>> {
    let columns = file.columns();
    let (mut types, mut texts) = (vec![], vec![false; columns.len()]);
    for column in roles.open() {
        let is_static = roles.inputs.contains(&(column, Some(ColumnType::Static)));
        let is_text = columns[column].kind == Ok(Kind::Text);
        let found = match (is_text, is_static) {
            (false, false) => ColumnType::Number,
            (false, true) => ColumnType::StaticNumber,
            (true, true) => ColumnType::StaticCategory,
            (true, false) if of_lists => ColumnType::Category,
            (true, false) => {
                texts[column] = true;
                continue;
            }
        };
        types.push((column, found, String::new()));
    }
    if texts.contains(&true) {
        file.check_compression(&texts)?;
        let found = infer(ParquetRows::new(file, &texts), header, roles)?;
        types.extend(found.into_iter().filter(|(column, ..)| texts[*column]));
    }
    Ok(types)
}
