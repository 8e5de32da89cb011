//! Lines of text that know where they stand.

use std::io::BufRead;
use std::ops::Range;

use super::number::shown;
use crate::error::Place;
use crate::{Error, Result};

/// The lines of an input, one at a time.
pub(super) struct Lines<R> {
    input: R,
    bytes: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, bytes: vec![], number: 0 }
    }

    /// The next line, `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        self.bytes.clear();
        let read = self.input.read_until(b'\n', &mut self.bytes);
        if read.map_err(|error| Place::Whole.error(error.to_string()))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        Line::decode(self.number, &self.bytes).map(Some)
    }

    /// The place behind the last line that was read.
    pub(super) fn end(&self) -> Line<'static> {
        Line { number: self.number + 1, indent: 0, text: "" }
    }
}

/// A decoded line; ranges are bytes of its trimmed text.
pub(super) struct Line<'a> {
    number: usize,
    /// The characters before the trimmed text.
    indent: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// Decodes a line with its ending; a byte order mark before the first line is skipped.
    fn decode(number: usize, bytes: &'a [u8]) -> Result<Self> {
        let bytes = match bytes.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if number == 1 => rest,
            _ => bytes,
        };
        let decoded = std::str::from_utf8(bytes).map_err(|error| {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let column = valid.chars().count() + 1;
            Place::Line { line: number, column }.error("invalid UTF-8")
        })?;
        let text = decoded.trim_start();
        let indent = decoded[..decoded.len() - text.len()].chars().count();
        Ok(Self { number, indent, text: text.trim_end() })
    }

    /// Without the white space around it.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn whole(&self) -> Range<usize> {
        0..self.text.len()
    }

    /// The place of a byte of the text.
    pub(super) fn place(&self, at: usize) -> Place {
        let column = self.indent + self.text[..at].chars().count() + 1;
        Place::Line { line: self.number, column }
    }

    /// An error at a byte of the text.
    pub(super) fn error(&self, at: usize, reason: &str) -> Error {
        self.place(at).error(reason)
    }

    /// The parts of a range between separators, without the white space around each. A separator
    /// between `(` and `)` is none.
    pub(super) fn split(&self, range: Range<usize>, separator: char) -> Vec<Range<usize>> {
        let mut start = range.start;
        let mut inside = false;
        let parts = self.text[range].split(|c: char| {
            inside = (inside || c == '(') && c != ')';
            c == separator && !inside
        });
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
}
