//! The rows of one series of a table.

use crate::error::{Location, Result};
use crate::formats::csv::columns::Columns;
use crate::formats::csv::rows::Cells;
use crate::formats::csv::time_features::TimeFeature;
use crate::formats::decimal::Decimal;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::number::{is_missing, number, shown};
use crate::formats::raw_sequence::RawSequence;
use crate::formats::static_columns::StaticNames;
use crate::formats::time::{TimeForm, Times};
use crate::formats::token_columns::Tokens;
use crate::tokens::statics::Statics;
use crate::tokens::text_tokenizer::Splitter;

/// Added to the error of a text in a column of numbers.
const NO_NUMBER: &str = ": data.read.csv.types says which columns are no numbers";

/// The rows of one series, in the order of the file.
pub(super) struct Series {
    id: Option<String>,
    lines: Vec<usize>,
    times: Vec<Decimal>,
    time_form: Times,
    /// `[rows, features]`.
    values: Vec<f64>,
    /// `[rows, categories]`, the indices of their texts; or those of the tokens of a text.
    tokens: Vec<u32>,
    /// The first cell of each static column that is not missing, with its line.
    statics: Vec<Option<(usize, String)>>,
    /// One list of targets per row.
    targets: Vec<Vec<Field>>,
}

impl Series {
    pub(super) fn new(id: Option<String>) -> Self {
        Self {
            id,
            lines: vec![],
            times: vec![],
            time_form: Times::default(),
            values: vec![],
            tokens: vec![],
            statics: vec![],
            targets: vec![],
        }
    }

    pub(super) fn add(
        &mut self,
        cells: &Cells,
        columns: &Columns,
        names: &[&str],
        splitter: &Splitter,
        tokens: &mut Tokens,
    ) -> Result<()> {
        self.lines.push(cells.line);
        if let Some(column) = columns.time {
            let time = self.time_form.parse(cells.text(column)?);
            self.times.push(time.map_err(|reason| cells.location(column).error(reason))?);
        }
        for &column in &columns.features {
            let text = cells.text(column)?;
            let value = if is_missing(text) { Ok(f64::NAN) } else { number(text) };
            self.values.push(value.map_err(|reason| {
                let is_text =
                    !text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_err();
                let hint = if is_text { NO_NUMBER } else { "" };
                cells.location(column).error(reason + hint)
            })?);
        }
        if let Some(column) = columns.text {
            let error = |reason: String| cells.location(column).error(reason);
            for token in splitter.split(cells.text(column)?).map_err(error)? {
                self.tokens.push(tokens.index(0, token).map_err(error)?);
            }
        }
        for (k, &column) in columns.categories.iter().enumerate() {
            let index = tokens.index(k, cells.text(column)?.to_string());
            self.tokens.push(index.map_err(|reason| cells.location(column).error(reason))?);
        }
        let statics = columns.statics.0.iter().chain(&columns.statics.1);
        for (k, &column) in statics.enumerate() {
            self.add_static(k, column, k < columns.statics.0.len(), cells, names[column])?;
        }
        let target = |&column: &usize| {
            let cell = Value::Cell(cells.text(column)?.to_string());
            Ok(Field::new(cell, cells.location(column)))
        };
        self.targets.push(columns.targets.iter().map(target).collect::<Result<_>>()?);
        Ok(())
    }

    /// Keeps the value of a static column, or checks that it is the same as before.
    fn add_static(
        &mut self,
        k: usize,
        column: usize,
        is_number: bool,
        cells: &Cells,
        name: &str,
    ) -> Result<()> {
        if self.statics.len() <= k {
            self.statics.push(None);
        }
        let text = cells.text(column)?;
        let missing = if is_number { is_missing(text) } else { text.is_empty() };
        if missing {
            return Ok(());
        }
        let error = |reason: String| cells.location(column).error(reason);
        if is_number {
            let hint = ": data.read.csv.types says if it is a static-category";
            number(text).map_err(|reason| error(reason + hint))?;
        }
        match &self.statics[k] {
            None => self.statics[k] = Some((cells.line, text.to_string())),
            Some((_, first)) if first == text => {}
            Some((_, first)) if is_number && Decimal::parse(first) == Decimal::parse(text) => {}
            Some((line, first)) => {
                let (name, first, got) = (shown(name), shown(first), shown(text));
                let series = self
                    .id
                    .as_deref()
                    .map_or("the series".into(), |id| format!("series `{}`", shown(id)));
                return Err(error(format!(
                    "static column `{name}` changes within {series}: expected `{first}` as in line {line}, got \
                     `{got}`"
                )));
            }
        }
        Ok(())
    }

    /// Returns the static values.
    fn take_statics(
        &mut self,
        columns: &Columns,
        names: &mut StaticNames,
    ) -> Result<Option<Statics>> {
        if self.statics.is_empty() {
            return Ok(None);
        }
        let count = columns.statics.0.len();
        let location = Location::Line { line: self.lines[0], column: 1 };
        let mut cells = std::mem::take(&mut self.statics).into_iter();
        let text = |cell: Option<(usize, String)>| cell.map_or(String::new(), |(_, text)| text);
        let numbers = cells.by_ref().take(count).map(|cell| match cell {
            None => Ok(f64::NAN),
            Some((_, text)) => number(&text).map_err(|reason| location.error(reason)),
        });
        let numbers = numbers.collect::<Result<_>>()?;
        let categories = cells
            .enumerate()
            .map(|(k, cell)| names.index(k, text(cell)).map_err(|reason| location.error(reason)));
        Ok(Some(Statics { numbers, categories: categories.collect::<Result<_>>()? }))
    }

    /// Returns how the times are written, if there are any.
    pub(super) fn time_form(&self) -> Option<TimeForm> {
        self.time_form.form()
    }

    pub(super) fn finish(
        mut self,
        columns: &Columns,
        names: &mut StaticNames,
    ) -> Result<RawSequence> {
        let statics = self.take_statics(columns, names)?;
        let features = columns.features.len();
        let order = self.order(columns)?;
        let target = match columns.targets.is_empty() {
            true => RawTarget::None,
            false => {
                let row = |&row: &usize| std::mem::take(&mut self.targets[row]);
                RawTarget::Column(order.iter().map(row).collect())
            }
        };
        let values = in_order(&self.values, features, &order);
        let made = &columns.time_features;
        let features = features + made.iter().map(|feature| feature.names().len()).sum::<usize>();
        let values = match made.is_empty() {
            true => values,
            false => self.with_time_features(&values, made, &order),
        };
        let tokens = match columns.text {
            Some(_) => std::mem::take(&mut self.tokens),
            None => in_order(&self.tokens, columns.categories.len(), &order),
        };
        let column = columns.targets.first().copied().unwrap_or(0) + 1;
        let location = Location::Line { line: self.lines[0], column };
        Ok(RawSequence {
            id: self.id,
            values,
            features: Some(features),
            tokens,
            statics,
            target,
            location,
        })
    }

    /// Returns values, whose rows are in the order of the times, with the features that the times give.
    fn with_time_features(
        &self,
        values: &[f64],
        made: &[TimeFeature],
        order: &[usize],
    ) -> Vec<f64> {
        let width = values.len() / order.len().max(1);
        let mut rows = vec![];
        for (t, &row) in order.iter().enumerate() {
            rows.extend_from_slice(&values[t * width..(t + 1) * width]);
            let before = t.checked_sub(1).and_then(|t| self.times.get(order[t])).copied();
            for feature in made {
                feature.push(t, self.times.get(row).copied(), before, &mut rows);
            }
        }
        rows
    }

    /// Returns the first line of the series.
    pub(super) fn line(&self) -> usize {
        self.lines[0]
    }

    /// Returns the rows in the order of their times.
    fn order(&self, columns: &Columns) -> Result<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        let Some(column) = columns.time else { return Ok(order) };
        order.sort_by_key(|&row| self.times[row]);
        match order.windows(2).find(|pair| self.times[pair[0]] == self.times[pair[1]]) {
            None => Ok(order),
            Some(pair) => {
                let line = self.lines[pair[0].max(pair[1])];
                let location = Location::Line { line, column: column + 1 };
                let first = self.lines[pair[0].min(pair[1])];
                let reason = format!("expected a new time, got the time of line {first} again");
                Err(location.error(reason))
            }
        }
    }
}

/// Returns rows of `width` elements in an order.
fn in_order<T: Copy>(rows: &[T], width: usize, order: &[usize]) -> Vec<T> {
    order.iter().flat_map(|&row| &rows[row * width..(row + 1) * width]).copied().collect()
}
