//! Normalisation of line ends.

use std::io::{BufRead, Read, Result};

/// A reader that replaces `\r\n` and `\r` by `\n` and ends the last line with `\n`, so that the number of
/// line feeds read equals the number of lines read.
pub(super) struct Newlines<R> {
    input: R,
    /// Normalised bytes, of which `taken` are returned already.
    ready: Vec<u8>,
    taken: usize,
    /// The last byte read is `\r`, for which no `\n` was returned yet.
    carriage_return: bool,
    last: u8,
    ended: bool,
}

impl<R> Newlines<R> {
    pub(super) fn new(input: R) -> Self {
        let (ready, taken) = (vec![], 0);
        Self { input, ready, taken, carriage_return: false, last: b'\n', ended: false }
    }

    fn push(&mut self, byte: u8) {
        self.ready.push(byte);
        self.last = byte;
    }
}

impl<R: BufRead> Newlines<R> {
    /// Normalises the next bytes of the input.
    fn fill(&mut self) -> Result<()> {
        self.ready.clear();
        self.taken = 0;
        while self.ready.is_empty() && !self.ended {
            let bytes = self.input.fill_buf()?.to_vec();
            self.input.consume(bytes.len());
            if bytes.is_empty() {
                self.ended = true;
                if self.carriage_return || self.last != b'\n' {
                    self.push(b'\n');
                }
            }
            for byte in bytes {
                if self.carriage_return && byte != b'\n' {
                    self.push(b'\n');
                }
                self.carriage_return = byte == b'\r';
                if !self.carriage_return {
                    self.push(byte);
                }
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Newlines<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.taken == self.ready.len() {
            self.fill()?;
        }
        let count = out.len().min(self.ready.len() - self.taken);
        out[..count].copy_from_slice(&self.ready[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn every_line_ends_with_a_line_feed() {
        for (text, expected) in [
            ("", ""),
            ("a\nb\n", "a\nb\n"),
            ("a\r\nb", "a\nb\n"),
            ("\r\n\r\na\r\n", "\n\na\n"),
            ("a\rb\rc", "a\nb\nc\n"),
            ("a\r", "a\n"),
            ("\r\r", "\n\n"),
        ] {
            for capacity in [1, 2, 64] {
                let mut read = String::new();
                let input = BufReader::with_capacity(capacity, text.as_bytes());
                Newlines::new(input).read_to_string(&mut read).unwrap();
                assert_eq!(read, expected, "{text:?}");
            }
        }
    }
}
