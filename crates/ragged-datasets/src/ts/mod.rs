//! The `.ts` format of the UEA/UCR archive.
//!
//! A header of `@key value` lines, then `@data` and one series a line: dimensions separated by `:`,
//! the values of a dimension by `,`, a class label or numeric target behind the last `:`. `#` and
//! `%` begin comments; `?` and `NaN` are missing values, kept as NaN. Keys and booleans are read in
//! any case. (As the archive's files have it, and the loaders of sktime and aeon describe it.)
//!
//! Reading is strict: what the header declares is checked against the data, and every error has its
//! line and column. Timestamps are refused: no set of the classification archive has them, some of
//! the regression archive do (aeon issue 479).

mod header;
mod line;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::{Error, Example, InMemory, Result, Sequence, TargetKind};
use header::{Header, Label};
use line::Line;

/// The content of a `.ts` file.
#[derive(Debug, Clone, PartialEq)]
pub struct TsFile {
    /// What `@problemName` says.
    pub problem_name: Option<String>,
    /// The dimensions of a series: the features of a step.
    pub features: usize,
    /// Classes, one value, or no value at all where series have no label.
    pub target_kind: TargetKind,
    /// The series in order.
    pub examples: Vec<Example>,
}

impl TryFrom<TsFile> for InMemory {
    type Error = Error;

    fn try_from(file: TsFile) -> Result<Self> {
        Self::new(file.examples, file.target_kind)
    }
}

/// Reads a file.
///
/// # Errors
///
/// [`Error::File`] where it cannot be read, [`Error::Parse`] with its path, line and column where it
/// is not in the format.
pub fn read(path: &Path) -> Result<TsFile> {
    let file = |source| Error::File { path: path.to_path_buf(), source };
    let input = BufReader::new(File::open(path).map_err(file)?);
    parse(input).map_err(|error| match error {
        Error::Parse { line, column, reason, .. } => {
            Error::Parse { path: Some(path.to_path_buf()), line, column, reason }
        }
        Error::File { source, .. } => file(source),
        other => other,
    })
}

/// Reads from memory or any other source.
///
/// # Errors
///
/// As [`read`], without the path.
pub fn parse(mut input: impl BufRead) -> Result<TsFile> {
    let mut header = Header::default();
    let mut body: Option<Body> = None;
    let mut bytes = vec![];
    let mut number = 0;
    loop {
        bytes.clear();
        let read = input.read_until(b'\n', &mut bytes);
        if read.map_err(|source| Error::File { path: "input".into(), source })? == 0 {
            break;
        }
        number += 1;
        let line = Line::decode(number, &bytes)?;
        let text = line.text();
        if text.is_empty() || text.starts_with(['#', '%']) {
            continue;
        }
        match &mut body {
            Some(body) => body.series(&line)?,
            None if line.key().is_some_and(|key| key == "data") => {
                body = Some(Body::new(header.finish(&line)?));
            }
            None => header.line(&line)?,
        }
    }
    let end = Line::end(number + 1);
    match body {
        None => Err(end.error(0, "expected @data, got the end of the file")),
        Some(body) if body.examples.is_empty() => {
            Err(end.error(0, "expected a series, got the end of the file"))
        }
        Some(body) => Ok(body.finish()),
    }
}

/// The series so far, and what the next ones must agree with.
struct Body {
    header: Header,
    /// Known once declared or seen.
    dimensions: Option<usize>,
    length: Option<usize>,
    examples: Vec<Example>,
}

impl Body {
    fn new(header: Header) -> Self {
        let length = header.series_length;
        Self { dimensions: header.dimensions, header, length, examples: vec![] }
    }

    fn series(&mut self, line: &Line) -> Result<()> {
        let mut parts = line.split(line.whole(), ':');
        let label = match self.header.label {
            Label::None => None,
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
        let mut columns: Vec<Vec<f32>> = vec![];
        for part in parts {
            let start = part.start;
            let values = line.values(part, self.header.missing != Some(false))?;
            let first = columns.first().map_or(values.len(), Vec::len);
            if values.len() != first {
                let got = values.len();
                let reason =
                    format!("expected {first} values, as in the first dimension, got {got}");
                return Err(line.error(start, &reason));
            }
            columns.push(values);
        }
        let length = columns[0].len();
        // Under `@equalLength false` some writers still put a `@seriesLength`; it says nothing.
        let why = match (self.header.equal_length, self.header.series_length) {
            (Some(true), _) => Some("@equalLength true"),
            (None, Some(_)) => Some("@seriesLength"),
            _ => None,
        };
        if let Some(why) = why {
            let expected = *self.length.get_or_insert(length);
            if length != expected {
                let reason = format!("expected {expected} steps ({why}), got {length}");
                return Err(line.error(0, &reason));
            }
        }
        let target = self.header.label.read(line, label)?;
        let values = (0..length).flat_map(|t| columns.iter().map(move |column| column[t]));
        let sequence = Sequence::new(values.collect(), dimensions)?;
        self.examples.push(Example { sequence, target });
        Ok(())
    }

    fn finish(self) -> TsFile {
        TsFile {
            problem_name: self.header.problem_name,
            features: self.dimensions.unwrap_or(1),
            target_kind: match self.header.label {
                Label::Classes(labels) => TargetKind::Classes(labels),
                Label::Value => TargetKind::Values(1),
                Label::None => TargetKind::Values(0),
            },
            examples: self.examples,
        }
    }
}
