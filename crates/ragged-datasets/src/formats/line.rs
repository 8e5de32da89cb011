//! Lines of text with their line numbers.

use std::io::BufRead;
use std::ops::Range;

use crate::error::{Error, Location, Result};
use crate::formats::encoding::check_not_utf16;
use crate::formats::errors::io;
use crate::formats::number::shown;

/// The lines of an input, one at a time.
pub(super) struct Lines<R> {
    input: R,
    bytes: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self::after(input, 0)
    }

    /// Continues a text after some lines.
    pub(super) fn after(input: R, lines: usize) -> Self {
        Self { input, bytes: vec![], number: lines }
    }

    /// Reads the next line, or `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        self.bytes.clear();
        let read = self.input.read_until(b'\n', &mut self.bytes);
        if read.map_err(io)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        Line::decode(self.number, &self.bytes).map(Some)
    }

    /// Returns an empty line after the last line, for errors at the end of the input.
    pub(super) fn end(&self) -> Line<'static> {
        Line { number: self.number + 1, indent: 0, text: "" }
    }
}

/// A decoded line. Positions and ranges are in bytes of its trimmed text.
pub(super) struct Line<'a> {
    number: usize,
    /// The number of characters before the trimmed text.
    indent: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// Decodes a line with its line end. A byte order mark before the first line is skipped.
    fn decode(number: usize, bytes: &'a [u8]) -> Result<Self> {
        let bytes = match bytes.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if number == 1 => rest,
            _ => bytes,
        };
        if number == 1 {
            let start = Location::Line { line: 1, column: 1 };
            check_not_utf16(bytes).map_err(|reason| start.error(reason))?;
        }
        let decoded = std::str::from_utf8(bytes).map_err(|error| {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let column = valid.chars().count() + 1;
            Location::Line { line: number, column }.error("invalid UTF-8")
        })?;
        let text = decoded.trim_start();
        let indent = decoded[..decoded.len() - text.len()].chars().count();
        Ok(Self { number, indent, text: text.trim_end() })
    }

    /// Returns the text without the white space around it.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Returns the range of the whole text.
    pub(super) fn whole(&self) -> Range<usize> {
        0..self.text.len()
    }

    /// Returns the location of a byte of the text, which is that of its character.
    pub(super) fn location(&self, at: usize) -> Location {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let column = self.indent + before.chars().count() + 1;
        Location::Line { line: self.number, column }
    }

    /// Returns an error at a byte of the text.
    pub(super) fn error(&self, at: usize, reason: &str) -> Error {
        self.location(at).error(reason)
    }

    /// Splits a range at separators, except between `(` and `)`, and trims the white space around each
    /// part.
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

    /// Returns the words of the text.
    pub(super) fn words(&self) -> Vec<Range<usize>> {
        let parts = self.text.split_whitespace();
        parts
            .map(|word| {
                let start = word.as_ptr() as usize - self.text.as_ptr() as usize;
                start..start + word.len()
            })
            .collect()
    }

    /// Checks that there are at most `count` words.
    pub(super) fn no_more(&self, words: &[Range<usize>], count: usize) -> Result<()> {
        let Some(word) = words.get(count) else { return Ok(()) };
        let got = shown(&self.text[word.clone()]);
        Err(self.error(word.start, &format!("expected the end of the line, got `{got}`")))
    }
}
