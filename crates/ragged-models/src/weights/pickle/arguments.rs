//! The bytes of a pickle, and the arguments of its opcodes.

use crate::weights::pickle::error::Problem;

/// A position in a pickle. No argument reaches beyond the pickle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments<'a> {
    bytes: &'a [u8],
    /// The position of the next byte to read.
    at: usize,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the position of the next byte to read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Reads `length` bytes of the argument.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (taken, _) = rest.split_at_checked(length).ok_or(Problem::Argument)?;
        self.at += length;
        Ok(taken)
    }

    /// Reads N bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        self.take(N)?.try_into().map_err(|_| Problem::Argument)
    }

    /// Reads one byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Problem> {
        self.array().map(|[byte]| byte)
    }

    /// Reads a little-endian number of N bytes.
    pub(crate) fn number<const N: usize>(&mut self) -> Result<u64, Problem> {
        let bytes: [u8; N] = self.array()?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Reads a length or index of N bytes.
    pub(crate) fn length<const N: usize>(&mut self) -> Result<usize, Problem> {
        self.number::<N>()?.try_into().map_err(|_| Problem::Argument)
    }

    /// Reads a length of 4 bytes that may not be negative.
    pub(crate) fn signed_length(&mut self) -> Result<usize, Problem> {
        let length = i32::from_le_bytes(self.array()?);
        length.try_into().map_err(|_| Problem::NegativeLength(length))
    }

    /// Reads a text up to a line feed.
    pub(crate) fn line(&mut self) -> Result<&'a str, Problem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(Problem::Argument)?;
        let line = self.take(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| Problem::Utf8)
    }
}
