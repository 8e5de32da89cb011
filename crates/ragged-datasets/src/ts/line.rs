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
        let bytes = match bytes.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if number == 1 => rest,
            _ => bytes,
        };
        let decoded = std::str::from_utf8(bytes).map_err(|error| {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let (column, reason) = (valid.chars().count() + 1, "invalid UTF-8".into());
            Error::Parse { path: None, line: number, column, reason }
        })?;
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
        Some(rest.split(char::is_whitespace).next().unwrap_or("").to_lowercase())
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

    /// Checks that nothing stands behind the first `count` words.
    pub(super) fn no_more(&self, words: &[Range<usize>], count: usize) -> Result<()> {
        let Some(word) = words.get(count) else { return Ok(()) };
        let got = shown(&self.text[word.clone()]);
        Err(self.error(word.start, &format!("expected the end of the line, got `{got}`")))
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
            let reason = format!("expected a number (@missing false), got `{token}`");
            return Err(self.error(part.start, &reason));
        }
        self.number(part)
    }

    /// A finite number.
    pub(super) fn number(&self, part: Range<usize>) -> Result<f32> {
        let token = &self.text[part.clone()];
        if token.starts_with('(') {
            return Err(self.error(part.start, "timestamps are not supported"));
        }
        let reason = match token.parse::<f32>() {
            Ok(value) if value.is_finite() => return Ok(value),
            // `inf` parses too; where there is a digit, the value was too large.
            Ok(_) if token.contains(|c: char| c.is_ascii_digit()) => {
                format!("{} is too large for a 32-bit float", shown(token))
            }
            _ => format!("expected a number, got `{}`", shown(token)),
        };
        Err(self.error(part.start, &reason))
    }
}

/// The beginning of a token: a damaged file can have one of any length.
pub(super) fn shown(token: &str) -> &str {
    token.char_indices().nth(40).map_or(token, |(end, _)| &token[..end])
}
