//! Reading of Parquet files.

use std::ops::Range;

use crate::error::{Error, Location, Result};
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
    let table = Table::open(file, csv, into)?;
    let any = match table.of_lists {
        true => table.read_lists(0..file.rows(), splitter, into)?,
        false => {
            let mut rows = ParquetRows::new(file, &table.used, 0..file.rows());
            long_form::read(&mut rows, &table.header, &table.columns, splitter, into)?
        }
    };
    if any { Ok(()) } else { Err(no_row()) }
}

/// Reads all sequences of a file one after another, as rows in long form must be. Returns parts of the file that consist
/// of whole sequences: their rows, and the number of their sequences.
pub(in crate::formats) fn survey(
    file: &ParquetFile,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<Vec<(Range<usize>, usize)>> {
    let table = Table::open(file, csv, into)?;
    if table.of_lists {
        return match table.read_lists(0..file.rows(), splitter, into)? {
            true => Ok(parts(0..file.rows(), file, &table.used)),
            false => Err(no_row()),
        };
    }
    let mut rows = ParquetRows::new(file, &table.used, 0..file.rows());
    let firsts =
        long_form::read_adjacent(&mut rows, &table.header, &table.columns, splitter, into)?;
    match firsts.is_empty() {
        false => Ok(parts(firsts.iter().map(|number| number - 1), file, &table.used)),
        true => Err(no_row()),
    }
}

/// Reads the sequences of some rows of a surveyed file.
pub(in crate::formats) fn read_rows(
    file: &ParquetFile,
    rows: Range<usize>,
    csv: &CsvColumns,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    let table = Table::open(file, csv, into)?;
    if table.of_lists {
        return table.read_lists(rows, splitter, into).map(drop);
    }
    let mut rows = ParquetRows::new(file, &table.used, rows);
    long_form::read_adjacent(&mut rows, &table.header, &table.columns, splitter, into).map(drop)
}

fn no_row() -> Error {
    Location::Whole.error("expected a row, got none")
}

/// Divides the rows of a file where sequences begin, at about the places where decoding begins again in any case.
fn parts(
    begins: impl Iterator<Item = usize>,
    file: &ParquetFile,
    used: &[bool],
) -> Vec<(Range<usize>, usize)> {
    let next = |row: usize| {
        let (group, rows) = file.group_of(row);
        rows.end.min(row.saturating_add(file.step(group, used)))
    };
    let mut parts: Vec<(Range<usize>, usize)> = vec![];
    for begin in begins {
        match parts.last_mut() {
            // `end` is where the part should end, until it does.
            Some((rows, count)) if begin < rows.end => *count += 1,
            last => {
                if let Some((rows, _)) = last {
                    rows.end = begin;
                }
                parts.push((begin..next(begin), 1));
            }
        }
    }
    if let Some((rows, _)) = parts.last_mut() {
        rows.end = file.rows();
    }
    parts
}

/// The columns of a file, with their roles.
struct Table<'a> {
    file: &'a ParquetFile,
    header: Header<'a>,
    columns: Columns,
    /// Whether each column is read.
    used: Vec<bool>,
    /// Whether each row is a sequence.
    of_lists: bool,
}

impl<'a> Table<'a> {
    fn open(file: &'a ParquetFile, csv: &CsvColumns, into: &mut Collector) -> Result<Self> {
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
        let columns = Columns::new(&header, roles, &types, &csv.time_features, into)?;
        file.check_compression(&used)?;
        Ok(Self { file, header, columns, used, of_lists })
    }

    /// Reads rows that are sequences. Returns whether there are any.
    fn read_lists(
        &self,
        rows: Range<usize>,
        splitter: &Splitter,
        into: &mut Collector,
    ) -> Result<bool> {
        let Self { file, header, columns, used, .. } = self;
        list_form::read(file, rows, header, columns, used, splitter, into)
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
        let found = infer(ParquetRows::new(file, &texts, 0..file.rows()), header, roles)?;
        types.extend(found.into_iter().filter(|(column, ..)| texts[*column]));
    }
    Ok(types)
}
