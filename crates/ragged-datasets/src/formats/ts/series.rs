//! One series, which is one line of the data.

use std::ops::Range;

use crate::error::Result;
use crate::formats::collect::Collector;
use crate::formats::column::Role;
use crate::formats::decimal::Decimal;
use crate::formats::line::Line;
use crate::formats::number::number;
use crate::formats::raw_sequence::RawSequence;
use crate::formats::time::{TimeForm, Times};
use crate::formats::ts::header::{Header, Label};

/// The properties that all series must have.
pub(super) struct Body {
    header: Header,
    /// From the header or the first series.
    dimensions: Option<usize>,
    length: Option<usize>,
    time_form: Option<TimeForm>,
}

/// The values of one dimension with their times.
struct Dimension {
    times: Vec<Decimal>,
    values: Vec<f64>,
}

impl Body {
    pub(super) fn new(header: Header) -> Self {
        let (dimensions, length) = (header.dimensions, header.series_length);
        Self { header, dimensions, length, time_form: None }
    }

    /// Parses a series.
    pub(super) fn series(&mut self, line: &Line) -> Result<RawSequence> {
        let mut parts = line.split(line.whole(), ':');
        let label = match self.header.label {
            Label::None => {
                // aeon writes `:` after every dimension, also where no label follows.
                let last_is_empty = parts.len() > 1 && parts.last().is_some_and(Range::is_empty);
                if last_is_empty && self.dimensions.is_none_or(|count| parts.len() == count + 1) {
                    parts.pop();
                }
                None
            }
            _ if parts.len() < 2 => {
                return Err(line.error(line.text().len(), "expected `:` and a label"));
            }
            _ => parts.pop(),
        };
        let dimensions = *self.dimensions.get_or_insert(parts.len());
        if self.header.univariate == Some(false) && dimensions == 1 {
            let reason = "expected at least 2 dimensions (@univariate false), got 1";
            return Err(line.error(0, reason));
        }
        if parts.len() != dimensions {
            let got = parts.len();
            let at = parts.get(dimensions).map_or(line.text().len(), |part| part.start);
            return Err(line.error(at, &format!("expected {dimensions} dimensions, got {got}")));
        }
        let columns = match self.header.timestamps {
            true => self.by_time(line, parts)?,
            false => self.by_position(line, parts)?,
        };
        let length = columns[0].len();
        self.check_length(line, length)?;
        let target = self.header.label.read(line, label.clone())?;
        let values = (0..length).flat_map(|t| columns.iter().map(move |column| column[t]));
        Ok(RawSequence {
            id: None,
            values: values.collect(),
            features: Some(dimensions),
            tokens: vec![],
            statics: None,
            target,
            location: line.location(label.map_or(0, |label| label.start)),
        })
    }

    /// Records what the parts of a series are read as.
    pub(super) fn describe(&self, into: &mut Collector) {
        if let Some(form) = self.time_form {
            into.column("@timeStamps", Role::Time, form.plural());
        }
        into.feature_columns(|k| format!("dimension {}", k + 1));
        match self.header.label {
            Label::None => {}
            Label::Classes(..) => into.column("@classLabel", Role::Target, ""),
            Label::Value => into.column("@targetLabel", Role::Target, ""),
        }
    }

    /// Parses dimensions that all have the same number of values.
    fn by_position(&self, line: &Line, parts: Vec<Range<usize>>) -> Result<Vec<Vec<f64>>> {
        let mut columns: Vec<Vec<f64>> = vec![];
        for part in parts {
            let start = part.start;
            let mut values = vec![];
            for part in split(line, part) {
                if line.text()[part.clone()].starts_with('(') {
                    let reason = "expected a number, got a pair (expected @timeStamps true)";
                    return Err(line.error(part.start, reason));
                }
                values.push(self.value(line, part)?);
            }
            let first = columns.first().map_or(values.len(), Vec::len);
            if values.len() != first {
                let got = values.len();
                let reason =
                    format!("expected {first} values, as in the first dimension, got {got}");
                return Err(line.error(start, &reason));
            }
            columns.push(values);
        }
        Ok(columns)
    }

    /// Parses dimensions with their own times, and aligns them to the times of all dimensions.
    fn by_time(&mut self, line: &Line, parts: Vec<Range<usize>>) -> Result<Vec<Vec<f64>>> {
        let mut form = Times::default();
        let pairs = |part: &Range<usize>| self.pairs(line, part.clone(), &mut form);
        let dimensions = parts.iter().map(pairs).collect::<Result<Vec<_>>>()?;
        self.time_form = self.time_form.or(form.form());
        let mut times: Vec<Decimal> = dimensions.iter().flat_map(|d| &d.times).copied().collect();
        times.sort_unstable();
        times.dedup();
        for (part, dimension) in parts.iter().zip(&dimensions) {
            if self.header.missing == Some(false) && dimension.times.len() != times.len() {
                let (got, expected) = (dimension.times.len(), times.len());
                let reason = format!(
                    "expected a value at each of the {expected} times of the series \
                     (@missing false), got {got}"
                );
                return Err(line.error(part.start, &reason));
            }
        }
        Ok(dimensions.iter().map(|dimension| dimension.at(&times)).collect())
    }

    /// Parses `(time,value)` pairs in increasing order of time.
    fn pairs(&self, line: &Line, range: Range<usize>, form: &mut Times) -> Result<Dimension> {
        let mut dimension = Dimension { times: vec![], values: vec![] };
        for pair in split(line, range) {
            let text = &line.text()[pair.clone()];
            let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
            let comma = inside.and_then(|inside| inside.rfind(',')).map(|at| pair.start + 1 + at);
            let Some(comma) = comma else {
                return Err(line.error(pair.start, "expected `(time,value)`"));
            };
            let at = trim(line, pair.start + 1..comma);
            let time = form.parse(&line.text()[at.clone()]);
            let time = time.map_err(|reason| line.error(at.start, &reason))?;
            if dimension.times.last().is_some_and(|&last| last >= time) {
                return Err(line.error(at.start, "expected a time later than the one before"));
            }
            dimension.times.push(time);
            dimension.values.push(self.value(line, trim(line, comma + 1..pair.end - 1))?);
        }
        Ok(dimension)
    }

    fn value(&self, line: &Line, part: Range<usize>) -> Result<f64> {
        let token = &line.text()[part.clone()];
        if token == "?" || token.eq_ignore_ascii_case("nan") {
            if self.header.missing != Some(false) {
                return Ok(f64::NAN);
            }
            let reason = format!("expected a number (@missing false), got `{token}`");
            return Err(line.error(part.start, &reason));
        }
        number(token).map_err(|reason| line.error(part.start, &reason))
    }

    fn check_length(&mut self, line: &Line, length: usize) -> Result<()> {
        // Some writers add a `@seriesLength` to `@equalLength false`; it has no meaning.
        let why = match (self.header.equal_length, self.header.series_length) {
            (Some(true), _) => "@equalLength true",
            (None, Some(_)) => "@seriesLength",
            _ => return Ok(()),
        };
        let expected = *self.length.get_or_insert(length);
        if length == expected {
            return Ok(());
        }
        Err(line.error(0, &format!("expected {expected} steps ({why}), got {length}")))
    }
}

impl Dimension {
    /// Returns the values at `times`, which include all times of this dimension; NaN at other times.
    fn at(&self, times: &[Decimal]) -> Vec<f64> {
        let mut own = self.times.iter().zip(&self.values).peekable();
        let value = |time: &Decimal| match own.next_if(|(own, _)| *own == time) {
            Some((_, value)) => *value,
            None => f64::NAN,
        };
        times.iter().map(value).collect()
    }
}

/// Splits a range at commas; an empty range has no part.
fn split(line: &Line, range: Range<usize>) -> Vec<Range<usize>> {
    if range.is_empty() { vec![] } else { line.split(range, ',') }
}

/// Removes the white space at both ends of a range.
fn trim(line: &Line, range: Range<usize>) -> Range<usize> {
    let text = &line.text()[range.clone()];
    let start = range.start + text.len() - text.trim_start().len();
    start..start + text.trim().len()
}
