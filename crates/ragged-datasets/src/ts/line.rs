//! One line of text that knows where it stands.

use std::ops::Range;

use crate::{Error, Result};

/// A decoded line; ranges are bytes of its trimmed text.
pub(super) struct Line<'a> {
    number: usize,
    /// The characters before the trimmed text.
    indent: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// Decodes a line with its ending; a byte order mark before the first line is skipped.
    pub(super) fn decode(number: usize, bytes: &'a [u8]) -> Result<Self> {
        let decoded = std::str::from_utf8(bytes).map_err(|error| {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let (column, reason) = (valid.chars().count() + 1, "invalid UTF-8".into());
            Error::Parse { path: None, line: number, column, reason }
        })?;
        let decoded = match decoded.strip_prefix('\u{feff}') {
            Some(rest) if number == 1 => rest,
            _ => decoded,
        };
        let text = decoded.trim_start();
        let indent = decoded[..decoded.len() - text.len()].chars().count();
        Ok(Self { number, indent, text: text.trim_end() })
    }

    /// The place behind the last line.
    pub(super) fn end(number: usize) -> Self {
        Self { number, indent: 0, text: "" }
    }

    /// Without the white space around it.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn whole(&self) -> Range<usize> {
        0..self.text.len()
    }

    /// The key of an `@key` line in lower case.
    pub(super) fn key(&self) -> Option<String> {
        let rest = self.text.strip_prefix('@')?;
        Some(rest.split_whitespace().next().unwrap_or("").to_lowercase())
    }

    /// An error at a byte of the text.
    pub(super) fn error(&self, at: usize, reason: &str) -> Error {
        let column = self.indent + self.text[..at].chars().count() + 1;
        Error::Parse { path: None, line: self.number, column, reason: reason.into() }
    }

    /// The parts of a range between separators, without the white space around each.
    pub(super) fn split(&self, range: Range<usize>, separator: char) -> Vec<Range<usize>> {
        let mut start = range.start;
        let parts = self.text[range].split(separator);
        parts
            .map(|part| {
                let from = start + part.len() - part.trim_start().len();
                let to = from + part.trim().len();
                start += part.len() + separator.len_utf8();
                from..to
            })
            .collect()
    }

    /// The words of the text.
    pub(super) fn words(&self) -> Vec<Range<usize>> {
        let parts = self.text.split_whitespace();
        parts
            .map(|word| {
                let start = word.as_ptr() as usize - self.text.as_ptr() as usize;
                start..start + word.len()
            })
            .collect()
    }

    /// The values of a dimension; none for an empty one.
    pub(super) fn values(&self, range: Range<usize>, may_miss: bool) -> Result<Vec<f32>> {
        if range.is_empty() {
            return Ok(vec![]);
        }
        let parts = self.split(range, ',').into_iter();
        parts.map(|part| self.value(part, may_miss)).collect()
    }

    fn value(&self, part: Range<usize>, may_miss: bool) -> Result<f32> {
        let token = &self.text[part.clone()];
        if token == "?" || token.eq_ignore_ascii_case("nan") {
            if may_miss {
                return Ok(f32::NAN);
            }
            return Err(self.error(part.start, "expected a number (@missing false), got `?`"));
        }
        self.number(part)
    }

    /// A finite number.
    pub(super) fn number(&self, part: Range<usize>) -> Result<f32> {
        let token = &self.text[part.clone()];
        if token.starts_with('(') {
            return Err(self.error(part.start, "timestamps are not supported"));
        }
        let numeric = token.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        match token.parse::<f32>() {
            Ok(value) if numeric && value.is_finite() => Ok(value),
            Ok(_) if numeric => {
                Err(self.error(part.start, &format!("{token} is too large for a 32-bit float")))
            }
            _ => {
                let shown: String = token.chars().take(40).collect();
                Err(self.error(part.start, &format!("expected a number, got `{shown}`")))
            }
        }
    }
}
