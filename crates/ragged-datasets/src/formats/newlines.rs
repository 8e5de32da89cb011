//! Normalisation of line ends.

use std::io::{BufRead, Read, Result};

/// A reader that removes carriage returns and ends the last line with `\n`, so that the number of line
/// feeds read equals the number of lines read.
pub(super) struct Newlines<R> {
    input: R,
    last: u8,
    ended: bool,
}

impl<R> Newlines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, last: b'\n', ended: false }
    }
}

impl<R: BufRead> Read for Newlines<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut written = 0;
        while written == 0 && !self.ended && !out.is_empty() {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                self.ended = true;
                if self.last != b'\n' {
                    out[0] = b'\n';
                    written = 1;
                }
                break;
            }
            let taken = bytes.len().min(out.len());
            for &byte in bytes[..taken].iter().filter(|&&byte| byte != b'\r') {
                out[written] = byte;
                written += 1;
            }
            if let Some(&last) = out[..written].last() {
                self.last = last;
            }
            self.input.consume(taken);
        }
        Ok(written)
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
            ("\r\r", ""),
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
