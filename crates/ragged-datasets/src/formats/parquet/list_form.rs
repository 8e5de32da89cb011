//! Reading of tables in list form: one row per sequence.

use std::ops::Range;

use crate::error::Result;
use crate::formats::collect::Collector;
use crate::formats::number::shown;
use crate::formats::parquet::chunks::{Chunk, Chunks};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::file::ParquetFile;
use crate::formats::parquet::kind::Kind;
use crate::formats::parquet::rows::ParquetRow;
use crate::formats::table::cell::{Row, Unit};
use crate::formats::table::columns::Columns;
use crate::formats::table::header::Header;
use crate::formats::table::long_form::describe;
use crate::formats::table::series::{Series, Targets};
use crate::formats::task::Task;
use crate::tokens::text_tokenizer::Splitter;

/// What is read of each row.
struct Plan<'a> {
    header: &'a Header<'a>,
    columns: &'a Columns,
    splitter: &'a Splitter,
    /// The columns of lists with one item for each step.
    lists: Vec<usize>,
    /// Whether steps have numbers only, which need not be read one by one.
    only_numbers: bool,
    /// Whether static columns have lists.
    listed_statics: bool,
    targets: Targets,
    /// Whether each target has a list.
    listed_targets: bool,
}

/// Reads the rows of a range. Returns whether there are any.
pub(super) fn read(
    file: &ParquetFile,
    rows: Range<usize>,
    header: &Header,
    columns: &Columns,
    used: &[bool],
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<bool> {
    let plan = Plan::new(file, header, columns, splitter, into)?;
    let mut described = false;
    let mut chunks = Chunks::new(file, used, rows);
    while let Some(Chunk { data, rows }) = chunks.next()? {
        for row in 0..rows.len() {
            let series = plan.series(&data, row, rows.start + row + 1, into)?;
            if !described {
                describe(&series, header, columns, splitter, into)?;
                described = true;
            }
            let sequence = series.finish(columns, plan.targets, into.statics())?;
            into.push(sequence)?;
        }
    }
    Ok(described)
}

impl<'a> Plan<'a> {
    fn new(
        file: &ParquetFile,
        header: &'a Header,
        columns: &'a Columns,
        splitter: &'a Splitter,
        into: &Collector,
    ) -> Result<Self> {
        let found = file.columns();
        let is_list = |&&column: &&usize| found[column].list.is_some();
        let error = |column: usize, reason: &str| {
            let name = shown(header.names[column]);
            Err(header.at(column).error(format!("column `{name}` {reason}")))
        };
        if let Some(column) = columns.series.filter(|column| is_list(&column)) {
            return error(column, "has lists: expected one name for each sequence");
        }
        if let Some(column) = columns.time.filter(|column| !is_list(&column)) {
            let reason = "has one value for each sequence: expected a list of times, or data.read.csv.types to say \
                          that it is ignored";
            return error(column, reason);
        }
        if let Some(column) = columns.text {
            return error(column, "is a text: expected a table without lists");
        }
        let steps = columns.time.iter().chain(&columns.features).chain(&columns.categories);
        let lists: Vec<usize> = steps.filter(is_list).copied().collect();
        if lists.is_empty() {
            let first = columns.features.iter().chain(&columns.categories).min();
            let reason = "has one value for each sequence: expected at least one list of steps";
            return error(first.copied().unwrap_or(0), reason);
        }
        let listed = columns.targets.iter().filter(is_list).count();
        if listed > 0 && listed < columns.targets.len() {
            let other = columns.targets.iter().find(|column| !is_list(column));
            let reason =
                "has one target for each sequence: expected a list, as of the other targets";
            return error(other.copied().unwrap_or(0), reason);
        }
        let is_text = |column: usize| found[column].kind == Ok(Kind::Text);
        let targets = match (listed, columns.targets.first()) {
            (1, Some(&target)) if !into.wants_parts() => {
                let of_labels = into.wanted() == Some(Task::Transcription);
                if is_text(target) || of_labels { Targets::Texts } else { Targets::Numbers }
            }
            (0, _) => Targets::Once,
            _ => Targets::Rows,
        };
        let (numbers, categories) = &columns.statics;
        let listed_statics = numbers.iter().chain(categories).any(|column| is_list(&column));
        let listed_targets = listed > 0;
        let is_number =
            |column: &usize| is_list(&column) && found[*column].kind == Ok(Kind::Number);
        let only_numbers = columns.time.is_none()
            && columns.categories.is_empty()
            && !listed_statics
            && columns.features.iter().all(is_number);
        Ok(Self {
            header,
            columns,
            splitter,
            lists,
            only_numbers,
            listed_statics,
            targets,
            listed_targets,
        })
    }

    /// Returns the series of a row.
    fn series(
        &self,
        data: &[Option<ColumnData>],
        row: usize,
        number: usize,
        into: &mut Collector,
    ) -> Result<Series> {
        let (columns, names) = (self.columns, &self.header.names);
        let at = |item| ParquetRow { data, row, item, number };
        let whole = at(None);
        let id = match columns.series {
            None => None,
            Some(column) => match whole.cell(column)?.text() {
                id if id.is_empty() => {
                    let reason = "expected the name of a sequence, got none";
                    return Err(whole.location(column).error(reason));
                }
                id => Some(id.into_owned()),
            },
        };
        let length = self.length(&whole, &self.lists, None)?;
        let mut series = Series::new(id, Unit::Row, number);
        let numbers = self.numbers(data, row, length);
        let only_numbers = numbers.is_some();
        if let Some(values) = numbers {
            series.add_values(number, length, values);
            if length > 0 {
                series.add_statics(&whole, columns, names)?;
            }
        }
        for item in 0..if only_numbers { 0 } else { length } {
            let step = at(Some(item));
            series.add_step(&step, false, columns, self.splitter, into.tokens())?;
            if item == 0 || self.listed_statics {
                series.add_statics(&step, columns, names)?;
            }
        }
        if length == 0 {
            series.add_statics(&whole, columns, names)?;
        }
        if !self.listed_targets {
            series.add_targets(&whole, columns)?;
            return Ok(series);
        }
        // A transcription has any length; the task of others checks it.
        let steps = (self.targets == Targets::Rows).then_some(length);
        for item in 0..self.length(&whole, &columns.targets, steps)? {
            series.add_targets(&at(Some(item)), columns)?;
        }
        Ok(series)
    }

    /// Returns the features of all steps of a row, if they are numbers without one that must be refused.
    fn numbers(&self, data: &[Option<ColumnData>], row: usize, length: usize) -> Option<Vec<f64>> {
        if !self.only_numbers {
            return None;
        }
        let features = &self.columns.features;
        let mut values = vec![0.0; length * features.len()];
        for (k, &column) in features.iter().enumerate() {
            let column = data[column].as_ref()?;
            let places = values.iter_mut().skip(k).step_by(features.len());
            let is_valid = column.copy(column.list(row)?, places);
            if !is_valid {
                return None;
            }
        }
        Some(values)
    }

    /// Returns the length of lists, which must be equal.
    fn length(&self, row: &ParquetRow, lists: &[usize], expected: Option<usize>) -> Result<usize> {
        let length = |column: usize| {
            let list = row.data[column].as_ref().and_then(|data| data.list(row.row));
            list.map_or(0, |list| list.len())
        };
        let first = lists.first().copied().unwrap_or(0);
        let expected = expected.unwrap_or_else(|| length(first));
        match lists.iter().find(|&&column| length(column) != expected) {
            None => Ok(expected),
            Some(&column) => {
                let name = shown(self.header.names[column]);
                let got = length(column);
                let reason =
                    format!("expected {expected} items in `{name}`, one for each step, got {got}");
                Err(row.location(column).error(reason))
            }
        }
    }
}
