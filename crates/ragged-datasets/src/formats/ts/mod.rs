//! The `.ts` format of the UEA/UCR archive.
//!
//! A file has a header of `@key value` lines, then `@data` and one series per line. Dimensions are
//! separated by `:`, and the values of a dimension by `,`. A class label or numeric target follows after
//! the last `:`. `#` and `%` begin comments; `?` and `NaN` are missing values, which become NaN. Keys and
//! booleans are not case-sensitive.
//!
//! With `@timeStamps true`, a value is a pair `(time,value)`. The steps of a series are then the times of
//! all its dimensions in order, and a dimension without a value at a time has a missing value there.
//!
//! Without labels, aeon writes a `:` after the last dimension too. Keys that have no meaning for the data are
//! noted and skipped.
//!
//! The sources of this description are the files of the archive and the loaders of sktime and aeon.
//! Reading is strict: declarations of the header are checked against the data, and every error has its
//! line and column.

mod header;
mod series;
mod write;

use std::io::BufRead;

use crate::error::Result;
use crate::formats::collect::Collector;
use crate::formats::line::Lines;
use header::Header;
use series::Body;
pub(super) use write::write;

/// Reads all series of an input.
pub(super) fn read(input: impl BufRead, into: &mut Collector) -> Result<()> {
    let mut lines = Lines::new(input);
    let mut header = Header::default();
    let mut body: Option<Body> = None;
    let mut series = 0usize;
    into.unnamed();
    while let Some(line) = lines.next()? {
        let text = line.text();
        if text.is_empty() || text.starts_with(['#', '%']) {
            continue;
        }
        match &mut body {
            Some(body) => {
                into.push(body.series(&line)?)?;
                series += 1;
            }
            None if header::key(&line).is_some_and(|key| key == "data") => {
                let declared = header.finish(&line)?;
                for key in &declared.ignored {
                    into.note(format!("the key @{key} is not known and has no effect"));
                }
                into.declare_labels(declared.label.classes());
                body = Some(Body::new(declared));
            }
            None => header.line(&line)?,
        }
    }
    match (body, series) {
        (None, _) => Err(lines.end().error(0, "expected @data, got the end of the file")),
        (Some(_), 0) => Err(lines.end().error(0, "expected a series, got the end of the file")),
        (Some(body), _) => {
            body.describe(into);
            Ok(())
        }
    }
}
