//! Tables in long form: one row per step, with the name of its series.
//!
//! ```text
//! series_id,time,speed,height,target
//! a,0,1.5,0.2,walk
//! b,0,3.5,,run
//! a,1,1.25,0.3,walk
//! ```
//!
//! Series are in the order of their first rows; the rows of a series need not be adjacent. The steps of
//! a series are in the order of `time`, or of the rows if there is no such column. A target per
//! sequence has the same value in all rows of its series, or is empty in some of them. If any series
//! has different targets, the targets are per step.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use csv::{ByteRecord, ReaderBuilder, Trim};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Error, Location, Result};
use crate::example::{Target, TargetKind};
use crate::formats::collect::{Collector, Field, RawSequence, RawTarget};
use crate::formats::errors::{io, unsupported};
use crate::formats::newlines::Newlines;
use crate::formats::number::{number, shown, time};
use crate::formats::task::Task;
use crate::in_memory::InMemory;

/// The role of each column of a table, by its name in the header.
///
/// ```
/// use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions};
///
/// let csv = CsvColumns { series: Some("id".into()), delimiter: ';', ..Default::default() };
/// let options = ReadOptions { csv, ..Default::default() };
/// let table = b"id;speed;target\na;1.5;walk\na;2.5;walk\nb;9;run\n";
/// let data = formats::parse(table, Format::Csv, &options, None)?;
/// assert_eq!(data.examples()[0].sequence.values(), [1.5, 2.5]);
/// assert_eq!(data.ids().map(<[String]>::len), Some(2));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsvColumns {
    /// The name of the series. Default `series_id`; without such a column, the file is one series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// The time, a number or a date. Default `time`; without such a column, the rows are in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The features. Default all columns without another role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The targets. Default `target` and all columns whose names begin with `target_`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// The separator of cells, one ASCII character. Default `,`.
    pub delimiter: char,
}

impl Default for CsvColumns {
    fn default() -> Self {
        Self { series: None, time: None, features: None, targets: None, delimiter: ',' }
    }
}

/// The columns by index.
struct Columns {
    series: Option<usize>,
    time: Option<usize>,
    features: Vec<usize>,
    targets: Vec<usize>,
}

/// The rows of one series, in the order of the file.
struct Series {
    id: Option<String>,
    lines: Vec<usize>,
    times: Vec<f64>,
    /// `[rows, features]`.
    values: Vec<f32>,
    /// `[rows, targets]`.
    targets: Vec<String>,
}

/// Reads all series of a table.
pub(super) fn read(input: impl BufRead, names: &CsvColumns, into: &mut Collector) -> Result<()> {
    let Some(delimiter) = u8::try_from(names.delimiter).ok().filter(u8::is_ascii) else {
        let (got, expected) = (names.delimiter.to_string(), "one ASCII character".into());
        return Err(Error::Choice { name: "csv.delimiter", got, expected });
    };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .flexible(true)
        .from_reader(Newlines::new(input));
    let header = reader.byte_headers().map_err(located)?.clone();
    let columns = Columns::find(&header, names, into.wants_targets())?;
    let mut series: Vec<Series> = vec![];
    let mut by_id: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(located)? {
        // Counted back from the end of the record, which does not include empty lines before it.
        let lines = 1 + record.as_slice().iter().filter(|&&byte| byte == b'\n').count();
        let line = (reader.position().line() as usize).saturating_sub(lines);
        let cells = Cells { record: &record, line };
        if record.len() != header.len() {
            let (expected, got) = (header.len(), record.len());
            let reason = format!("expected {expected} cells, got {got}");
            return Err(cells.location(expected.min(got)).error(reason));
        }
        let key = columns.series.map_or(&b""[..], |column| &record[column]);
        let position = match by_id.get(key) {
            Some(&position) => position,
            None => {
                let id = columns.series.map(|c| cells.text(c).map(str::to_string)).transpose()?;
                by_id.insert(key.to_vec(), series.len());
                series.push(Series::new(id));
                series.len() - 1
            }
        };
        series[position].add(&cells, &columns)?;
    }
    if series.is_empty() {
        let line = reader.position().line() as usize;
        let location = Location::Line { line, column: 1 };
        return Err(location.error("expected a row, got the end of the file"));
    }
    let per_step = match into.wanted() {
        Some(Task::SequenceLabelling | Task::StepRegression) => true,
        Some(Task::Classification | Task::Regression) => false,
        None => series.iter().any(|series| series.changed_target(&columns).is_some()),
    };
    series.into_iter().try_for_each(|series| into.push(series.finish(&columns, per_step)?))
}

impl Columns {
    fn find(header: &ByteRecord, names: &CsvColumns, wants_targets: bool) -> Result<Self> {
        let location = |column: usize| Location::Line { line: 1, column: column + 1 };
        let mut found: Vec<&str> = vec![];
        for (column, name) in header.iter().enumerate() {
            let name = std::str::from_utf8(name);
            let name = name.map_err(|_| location(column).error("invalid UTF-8"))?;
            if found.contains(&name) {
                let reason = format!("column `{}` occurs twice", shown(name));
                return Err(location(column).error(reason));
            }
            found.push(name);
        }
        let find = |name: &str| found.iter().position(|found| *found == name);
        let require = |name: &String| {
            find(name).ok_or_else(|| {
                let known = found.iter().take(20).map(|name| shown(name)).collect::<Vec<_>>();
                let reason = format!("expected a column `{name}`, got {}", known.join(", "));
                location(0).error(reason)
            })
        };
        let one = |name: &Option<String>, usual: &str| match name {
            Some(name) => require(name).map(Some),
            None => Ok(find(usual)),
        };
        let series = one(&names.series, "series_id")?;
        let time = one(&names.time, "time")?;
        let is_target = |name: &str| name == "target" || name.starts_with("target_");
        let targets = match &names.targets {
            // Columns that are not read may be absent.
            Some(names) if !wants_targets => names.iter().filter_map(|name| find(name)).collect(),
            Some(names) => names.iter().map(require).collect::<Result<_>>()?,
            None => (0..found.len()).filter(|&column| is_target(found[column])).collect::<Vec<_>>(),
        };
        let taken = |column: &usize| {
            Some(*column) == series || Some(*column) == time || targets.contains(column)
        };
        let features = match &names.features {
            Some(names) => names.iter().map(require).collect::<Result<_>>()?,
            None => (0..found.len()).filter(|column| !taken(column)).collect::<Vec<_>>(),
        };
        if features.is_empty() {
            return Err(location(0).error("expected at least one column of features, got none"));
        }
        let targets = if wants_targets { targets } else { vec![] };
        Ok(Self { series, time, features, targets })
    }
}

impl Series {
    fn new(id: Option<String>) -> Self {
        Self { id, lines: vec![], times: vec![], values: vec![], targets: vec![] }
    }

    fn add(&mut self, cells: &Cells, columns: &Columns) -> Result<()> {
        self.lines.push(cells.line);
        if let Some(column) = columns.time {
            let time = time(cells.text(column)?);
            self.times.push(time.map_err(|reason| cells.location(column).error(reason))?);
        }
        for &column in &columns.features {
            let text = cells.text(column)?;
            let missing = ["", "?", "nan", "na"].iter().any(|m| text.eq_ignore_ascii_case(m));
            let value = if missing { Ok(f32::NAN) } else { number(text) };
            self.values.push(value.map_err(|reason| cells.location(column).error(reason))?);
        }
        for &column in &columns.targets {
            self.targets.push(cells.text(column)?.to_string());
        }
        Ok(())
    }

    /// Finds the first target that differs from one before it in the series: its row, and its index
    /// among the targets.
    fn changed_target(&self, columns: &Columns) -> Option<(usize, usize)> {
        let count = columns.targets.len();
        (0..count).find_map(|k| {
            let mut first = None;
            let targets = self.targets.iter().skip(k).step_by(count).enumerate();
            let mut given = targets.filter(|(_, target)| !target.is_empty());
            given.find(|(_, target)| *target != *first.get_or_insert(*target)).map(|(r, _)| (r, k))
        })
    }

    fn finish(self, columns: &Columns, per_step: bool) -> Result<RawSequence> {
        let (features, count) = (columns.features.len(), columns.targets.len());
        let order = self.order(columns)?;
        let location = |row: usize, column: usize| Location::Line {
            line: self.lines[row],
            column: column + 1,
        };
        let cell = |row: usize, k: usize| Field::Cell(self.targets[row * count + k].clone());
        let target = if count == 0 {
            RawTarget::None
        } else if per_step {
            if let Some(empty) = self.targets.iter().position(String::is_empty) {
                let at = location(empty / count, columns.targets[empty % count]);
                return Err(at.error("expected a target, got an empty cell"));
            }
            let row = |&row: &usize| (0..count).map(|k| cell(row, k)).collect();
            RawTarget::Rows(order.iter().map(row).collect())
        } else {
            if let Some((row, k)) = self.changed_target(columns) {
                let got = shown(&self.targets[row * count + k]);
                let reason = format!("expected one target for the whole series, also got `{got}`");
                return Err(location(row, columns.targets[k]).error(reason));
            }
            let target = |k: usize| {
                let given = |row: &usize| !self.targets[row * count + k].is_empty();
                (0..self.lines.len()).find(given).map(|row| cell(row, k))
            };
            match (0..count).map(target).collect::<Option<Vec<_>>>() {
                None => RawTarget::None,
                Some(mut fields) if count == 1 => RawTarget::One(fields.remove(0)),
                Some(fields) => RawTarget::Many(fields),
            }
        };
        let values = |&row: &usize| self.values[row * features..(row + 1) * features].to_vec();
        let location = location(0, columns.targets.first().copied().unwrap_or(0));
        let values = order.iter().flat_map(values).collect();
        Ok(RawSequence { id: self.id, values, features: Some(features), target, location })
    }

    /// Returns the rows in the order of their times.
    fn order(&self, columns: &Columns) -> Result<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        let Some(column) = columns.time else { return Ok(order) };
        order.sort_by(|&a, &b| self.times[a].total_cmp(&self.times[b]));
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

/// A row of the table, with the number of its first line.
struct Cells<'a> {
    record: &'a ByteRecord,
    line: usize,
}

impl Cells<'_> {
    fn location(&self, column: usize) -> Location {
        Location::Line { line: self.line, column: column + 1 }
    }

    fn text(&self, column: usize) -> Result<&str> {
        let text = std::str::from_utf8(&self.record[column]);
        text.map_err(|_| self.location(column).error("invalid UTF-8"))
    }
}

fn located(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => io(error),
        kind => Location::Whole.error(format!("{kind:?}")),
    }
}

/// Writes one row per step: the name of the sequence, or its index if it has none; the number of the
/// step as time; the features; and the target, if there is one.
pub(super) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    let (examples, kind) = (dataset.examples(), dataset.target_kind());
    let ambiguous = |label: &&String| label.trim().is_empty() || label.trim() != label.as_str();
    if let Some(label) = kind.labels().unwrap_or_default().iter().find(ambiguous) {
        return Err(unsupported("csv", format!("the class label `{label}`")));
    }
    if let Some(index) = examples.iter().position(|example| example.sequence.is_empty()) {
        return Err(unsupported("csv", format!("a sequence without a step (example {index})")));
    }
    let mut writer = csv::Writer::from_writer(out);
    let mut header = vec!["series_id".to_string(), "time".into()];
    header.extend((0..dataset.features()).map(|k| format!("feature_{k}")));
    match kind {
        TargetKind::Classes(_) | TargetKind::StepClasses(_) => header.push("target".into()),
        TargetKind::Values(1) | TargetKind::StepValues(1) => header.push("target".into()),
        TargetKind::Values(count) | TargetKind::StepValues(count) => {
            header.extend((0..*count).map(|k| format!("target_{k}")));
        }
    }
    let written = |result: csv::Result<()>| result.map_err(located);
    written(writer.write_record(&header))?;
    for (index, example) in examples.iter().enumerate() {
        let id = dataset.ids().map_or_else(|| index.to_string(), |ids| ids[index].clone());
        for (t, step) in example.sequence.steps().enumerate() {
            let mut row = vec![id.clone(), t.to_string()];
            let text = |v: &f32| if v.is_nan() { String::new() } else { v.to_string() };
            row.extend(step.iter().map(text));
            let label = |class: u32| kind.labels().unwrap_or_default()[class as usize].clone();
            match &example.target {
                Target::Class(class) => row.push(label(*class)),
                Target::StepClasses(classes) => row.push(label(classes[t])),
                Target::Values(values) => row.extend(values.iter().map(f32::to_string)),
                Target::StepValues(values) => {
                    row.extend(values.row(t).unwrap_or_default().iter().map(f32::to_string));
                }
            }
            written(writer.write_record(&row))?;
        }
    }
    writer.flush().map_err(io)
}
