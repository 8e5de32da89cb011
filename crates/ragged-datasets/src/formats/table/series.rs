//! The rows of one series of a table.

use crate::error::Result;
use crate::formats::decimal::Decimal;
use crate::formats::field::{Field, RawTarget};
use crate::formats::number::{number, shown};
use crate::formats::raw_sequence::RawSequence;
use crate::formats::static_columns::StaticNames;
use crate::formats::table::cell::{Row, Rows, Unit};
use crate::formats::table::columns::Columns;
use crate::formats::table::time_features::TimeFeature;
use crate::formats::time::{TimeForm, Times};
use crate::formats::token_columns::Tokens;
use crate::tokens::statics::Statics;
use crate::tokens::text_tokenizer::Splitter;

/// Added to the error of a text in a column of numbers.
const NO_NUMBER: &str = ": data.read.csv.types says which columns are no numbers";

/// How the targets of a series are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum Targets {
    /// In every row. The same one in all rows is that of the series.
    Rows,
    /// Once for the series.
    Once,
    /// In a list of texts, with one for each step or of any length.
    Texts,
    /// In a list of numbers, with one for each step.
    Numbers,
}

/// The rows of one series, in the order of the file.
pub(in crate::formats) struct Series {
    id: Option<String>,
    unit: Unit,
    /// The number of its first row.
    first: usize,
    /// The numbers of the rows.
    numbers: Vec<usize>,
    times: Vec<Decimal>,
    time_form: Times,
    /// `[rows, features]`.
    values: Vec<f64>,
    /// `[rows, categories]`, the indices of their texts; or those of the tokens of a text.
    tokens: Vec<u32>,
    /// The first cell of each static column that is not missing, with its row.
    statics: Vec<Option<(usize, String)>>,
    /// One list of targets per row.
    targets: Vec<Vec<Field>>,
}

impl Series {
    /// Creates a series whose first row has this number.
    pub(in crate::formats) fn new(id: Option<String>, unit: Unit, first: usize) -> Self {
        Self {
            id,
            unit,
            first,
            numbers: vec![],
            times: vec![],
            time_form: Times::default(),
            values: vec![],
            tokens: vec![],
            statics: vec![],
            targets: vec![],
        }
    }

    /// Adds the features of some of the next rows. Returns how many these are.
    pub(super) fn add_features_ahead(&mut self, rows: &impl Rows, columns: &Columns) -> usize {
        match columns.text {
            // Each row is a series.
            Some(_) => 0,
            None => rows.features_ahead(columns.series, &columns.features, &mut self.values),
        }
    }

    /// Adds the step of a row: its time, features and tokens. Its features are added already if `has_features`.
    pub(in crate::formats) fn add_step(
        &mut self,
        row: &impl Row,
        has_features: bool,
        columns: &Columns,
        splitter: &Splitter,
        tokens: &mut Tokens,
    ) -> Result<()> {
        self.numbers.push(row.number());
        if let Some(column) = columns.time {
            let time = row.cell(column)?.time(&mut self.time_form);
            self.times.push(time.map_err(|reason| row.location(column).error(reason))?);
        }
        let features: &[usize] = if has_features { &[] } else { &columns.features };
        for &column in features {
            let cell = row.cell(column)?;
            self.values.push(cell.number().map_err(|reason| {
                let text = cell.text();
                let is_text =
                    !text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_err();
                let hint = if is_text { NO_NUMBER } else { "" };
                row.location(column).error(reason + hint)
            })?);
        }
        if let Some(column) = columns.text {
            let error = |reason: String| row.location(column).error(reason);
            for token in splitter.split(&row.cell(column)?.text()).map_err(error)? {
                self.tokens.push(tokens.index(0, token).map_err(error)?);
            }
        }
        for (k, &column) in columns.categories.iter().enumerate() {
            let index = tokens.index(k, row.cell(column)?.text().into_owned());
            self.tokens.push(index.map_err(|reason| row.location(column).error(reason))?);
        }
        Ok(())
    }

    /// Adds steps that have features only, `[length, features]`, all of one row.
    #[cfg(feature = "parquet")]
    pub(in crate::formats) fn add_values(
        &mut self,
        number: usize,
        length: usize,
        values: Vec<f64>,
    ) {
        self.numbers.extend(std::iter::repeat_n(number, length));
        match self.values.is_empty() {
            true => self.values = values,
            false => self.values.extend_from_slice(&values),
        }
    }

    /// Adds the targets of a row.
    pub(in crate::formats) fn add_targets(
        &mut self,
        row: &impl Row,
        columns: &Columns,
    ) -> Result<()> {
        // A `collect` that can fail would reserve more than one target needs.
        let mut targets = Vec::with_capacity(columns.targets.len());
        for &column in &columns.targets {
            targets.push(Field::new(row.cell(column)?.value(), row.location(column)));
        }
        self.targets.push(targets);
        Ok(())
    }

    /// Keeps the values of the static columns of a row, or checks that they are the same as before.
    pub(in crate::formats) fn add_statics(
        &mut self,
        row: &impl Row,
        columns: &Columns,
        names: &[&str],
    ) -> Result<()> {
        let (numbers, categories) = &columns.statics;
        for (k, &column) in numbers.iter().chain(categories).enumerate() {
            self.add_static(k, column, k < numbers.len(), row, names[column])?;
        }
        Ok(())
    }

    fn add_static(
        &mut self,
        k: usize,
        column: usize,
        is_number: bool,
        row: &impl Row,
        name: &str,
    ) -> Result<()> {
        if self.statics.len() <= k {
            self.statics.push(None);
        }
        let cell = row.cell(column)?;
        if if is_number { cell.is_missing() } else { cell.is_empty() } {
            return Ok(());
        }
        let text = cell.text();
        let error = |reason: String| row.location(column).error(reason);
        if is_number {
            let hint = ": data.read.csv.types says if it is a static-category";
            cell.number().map_err(|reason| error(reason + hint))?;
        }
        match &self.statics[k] {
            None => self.statics[k] = Some((row.number(), text.into_owned())),
            Some((_, first)) if *first == text => {}
            Some((_, first)) if is_number && Decimal::parse(first) == Decimal::parse(&text) => {}
            Some((number, first)) => {
                let (name, first, got) = (shown(name), shown(first), shown(&text));
                let unit = self.unit.name();
                let series = self
                    .id
                    .as_deref()
                    .map_or("the series".into(), |id| format!("series `{}`", shown(id)));
                return Err(error(format!(
                    "static column `{name}` changes within {series}: expected `{first}` as in {unit} {number}, got \
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
        let location = self.unit.at(self.first, 0);
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

    /// Returns the sequence of the series.
    pub(in crate::formats) fn finish(
        mut self,
        columns: &Columns,
        targets: Targets,
        names: &mut StaticNames,
    ) -> Result<RawSequence> {
        let statics = self.take_statics(columns, names)?;
        let features = columns.features.len();
        let order = self.order(columns)?;
        let order = order.as_deref();
        let target = self.take_target(columns, targets, order);
        let values = in_order(std::mem::take(&mut self.values), features, order);
        let made = &columns.time_features;
        let features = features + made.iter().map(|feature| feature.names().len()).sum::<usize>();
        let values = match made.is_empty() {
            true => values,
            false => self.with_time_features(&values, made, order),
        };
        let tokens = match columns.text {
            Some(_) => std::mem::take(&mut self.tokens),
            None => in_order(std::mem::take(&mut self.tokens), columns.categories.len(), order),
        };
        let location = self.unit.at(self.first, columns.targets.first().copied().unwrap_or(0));
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

    /// Returns the target, with those of steps in an order.
    fn take_target(
        &mut self,
        columns: &Columns,
        targets: Targets,
        order: Option<&[usize]>,
    ) -> RawTarget {
        if columns.targets.is_empty() {
            return RawTarget::None;
        }
        let mut rows = std::mem::take(&mut self.targets);
        if let Some(order) = order
            && targets != Targets::Once
            && rows.len() == order.len()
        {
            rows = order.iter().map(|&row| std::mem::take(&mut rows[row])).collect();
        }
        match targets {
            Targets::Rows | Targets::Once => RawTarget::Column(rows),
            Targets::Texts => RawTarget::Many(rows.into_iter().flatten().collect()),
            Targets::Numbers => RawTarget::Rows(rows),
        }
    }

    /// Returns values, whose rows are in the order of the times, with the features that the times give.
    fn with_time_features(
        &self,
        values: &[f64],
        made: &[TimeFeature],
        order: Option<&[usize]>,
    ) -> Vec<f64> {
        let length = self.numbers.len();
        let width = values.len() / length.max(1);
        let time = |t: usize| self.times.get(order.map_or(t, |order| order[t])).copied();
        let mut rows = vec![];
        for t in 0..length {
            rows.extend_from_slice(&values[t * width..(t + 1) * width]);
            let before = t.checked_sub(1).and_then(time);
            for feature in made {
                feature.push(t, time(t), before, &mut rows);
            }
        }
        rows
    }

    /// Returns the name.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the number of the first row of the series.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// Returns the rows in the order of their times; `None` if they are in order already.
    fn order(&self, columns: &Columns) -> Result<Option<Vec<usize>>> {
        let Some(column) = columns.time else { return Ok(None) };
        if self.times.is_sorted_by(|before, time| before < time) {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        order.sort_by_key(|&row| self.times[row]);
        match order.windows(2).find(|pair| self.times[pair[0]] == self.times[pair[1]]) {
            None => Ok(Some(order)),
            Some(pair) => {
                let number = self.numbers[pair[0].max(pair[1])];
                let (unit, first) = (self.unit.name(), self.numbers[pair[0].min(pair[1])]);
                let reason = format!("expected a new time, got the time of {unit} {first} again");
                Err(self.unit.at(number, column).error(reason))
            }
        }
    }
}

/// Returns rows of `width` elements in an order, or as they are.
fn in_order<T: Copy>(rows: Vec<T>, width: usize, order: Option<&[usize]>) -> Vec<T> {
    let Some(order) = order else { return rows };
    order.iter().flat_map(|&row| &rows[row * width..(row + 1) * width]).copied().collect()
}
