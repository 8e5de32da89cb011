//! The rules of RFC 4180 for quotes, which the parser of tables does not enforce.

use std::io::{Read, Result};

use crate::error::Location;

/// A reader of a table that refuses a quote that is never closed, a quote within a cell that does not
/// begin with one, and text between a closing quote and the end of its cell.
///
/// Otherwise a lost quote would join rows into one cell, or add its quotes to a label.
pub(super) struct Quotes<R> {
    input: R,
    delimiter: u8,
    state: State,
    line: usize,
    cell: usize,
    /// The position of the last opening quote.
    opened: Location,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a cell.
    Start,
    /// In a cell that does not begin with a quote.
    Bare,
    /// After an opening quote.
    Quoted,
    /// After a quote in a quoted cell, which closes it unless another quote follows.
    Closed,
    /// After a closing quote and white space.
    After,
}

/// A violation, as the cause of an error of input and output.
#[derive(Debug, thiserror::Error)]
#[error("{location}{reason}")]
pub(super) struct MalformedQuote {
    pub(super) location: Location,
    pub(super) reason: &'static str,
}

impl<R: Read> Quotes<R> {
    /// Reads a text that follows after some lines.
    pub(super) fn after(input: R, delimiter: u8, lines: usize) -> Self {
        let line = lines + 1;
        let location = Location::Line { line, column: 1 };
        Self { input, delimiter, state: State::Start, line, cell: 1, opened: location }
    }

    fn here(&self) -> Location {
        Location::Line { line: self.line, column: self.cell }
    }

    fn check(&mut self, byte: u8) -> std::result::Result<(), MalformedQuote> {
        let refused = |location, reason| Err(MalformedQuote { location, reason });
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::Closed,
            (State::Quoted, _) => State::Quoted,
            (State::Closed, b'"') => State::Quoted,
            (_, b'\n') => State::Start,
            (_, byte) if byte == self.delimiter => {
                self.cell += 1;
                State::Start
            }
            (State::Start, b'"') => {
                self.opened = self.here();
                State::Quoted
            }
            (State::Bare, b'"') => {
                let reason =
                    "expected a quote only at the beginning of a cell, and doubled within it";
                return refused(self.here(), reason);
            }
            (State::Start | State::Bare, _) => State::Bare,
            (State::Closed | State::After, b' ' | b'\t') => State::After,
            (State::Closed | State::After, _) => {
                let reason = "expected the end of the cell after its closing quote, got more text";
                return refused(self.opened, reason);
            }
        };
        if byte == b'\n' {
            self.line += 1;
            if self.state == State::Start {
                self.cell = 1;
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let count = self.input.read(out)?;
        for &byte in &out[..count] {
            self.check(byte).map_err(std::io::Error::other)?;
        }
        if count == 0 && !out.is_empty() && self.state == State::Quoted {
            let reason = "expected a closing quote, got the end of the file";
            let location = self.opened;
            return Err(std::io::Error::other(MalformedQuote { location, reason }));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String> {
        let mut out = String::new();
        Quotes::after(text.as_bytes(), b',', 0).read_to_string(&mut out).map(|_| out)
    }

    #[test]
    fn quotes_of_the_rfc_pass() {
        for text in ["", "a,b\n", "\"a\",\"b,\"\"c\"\"\"\n\"d\ne\" ,f\n", "\"\",\"\"\n"] {
            assert_eq!(read(text).unwrap(), text);
        }
    }

    #[test]
    fn other_quotes_are_errors_at_their_cell() {
        let end = "expected a closing quote, got the end of the file";
        let middle = "expected a quote only at the beginning of a cell, and doubled within it";
        let after = "expected the end of the cell after its closing quote, got more text";
        for (text, place, reason) in [
            ("a,b\n1,\"2\n3,4\n", "line 2, column 2", end),
            ("\"a\nb\",\"c\n", "line 2, column 2", end),
            ("a\n5\"\n", "line 2, column 1", middle),
            ("a,b\n1, \"2\"\n", "line 2, column 2", middle),
            ("a,b\n1,\"u\n2,v\"w\n", "line 2, column 2", after),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), format!("{place}: {reason}"));
        }
    }
}
