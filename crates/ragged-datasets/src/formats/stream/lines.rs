//! Parts of a text that are whole lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The bytes of a part, unless it cannot be divided.
const BYTES: u64 = 1 << 20;

/// Some whole lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LinePart {
    pub(super) bytes: Range<u64>,
    /// The number of lines before.
    pub(super) before: usize,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// `\n`.
    Feed,
    /// `\n`, `\r\n` or `\r`.
    Any,
}

/// Divides a file into parts, each of which begins with a line for whose number, from 1, `begins` is true. The lines
/// before the first one are in no part.
pub(super) fn divide(
    path: &Path,
    end: LineEnd,
    mut begins: impl FnMut(usize) -> bool,
) -> Result<Vec<LinePart>> {
    let (mut parts, mut current) = (vec![], None::<LinePart>);
    let length = lines(path, end, |line, at| {
        if current.as_ref().is_some_and(|part| at - part.bytes.start < BYTES) || !begins(line) {
            return;
        }
        let next = LinePart { bytes: at..at, before: line - 1 };
        if let Some(mut part) = current.replace(next) {
            part.bytes.end = at;
            parts.push(part);
        }
    })?;
    if let Some(mut part) = current {
        part.bytes.end = length;
        parts.push(part);
    }
    Ok(parts)
}

/// Calls a function with the number and the first byte of each line. Returns the length of the file.
fn lines(path: &Path, end: LineEnd, mut found: impl FnMut(usize, u64)) -> Result<u64> {
    let failed = |error| Error::file(path, error);
    let mut input = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let (mut line, mut at) = (0, 0);
    // Whether the next byte begins a line, unless it is the `\n` of `\r\n`.
    let (mut ended, mut returned) = (true, false);
    loop {
        let bytes = input.fill_buf().map_err(failed)?;
        if bytes.is_empty() {
            return Ok(at);
        }
        for (offset, &byte) in (at..).zip(bytes) {
            if returned && byte == b'\n' {
                returned = false;
                continue;
            }
            if ended {
                line += 1;
                found(line, offset);
            }
            returned = byte == b'\r' && end == LineEnd::Any;
            ended = byte == b'\n' || returned;
        }
        let taken = bytes.len();
        at += taken as u64;
        input.consume(taken);
    }
}

/// Reads some bytes of a file.
pub(super) fn bytes(path: &Path, range: Range<u64>) -> Result<Vec<u8>> {
    let read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = vec![];
        file.take(range.end - range.start).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| Error::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_lines_cover_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let line = "x".repeat(300_000);
        for (text, expected) in [
            (String::new(), vec![]),
            ("a\nb".into(), vec![(0..3, 0)]),
            (
                format!("{line}\n").repeat(5) + "y",
                vec![(0..1_200_004, 0), (1_200_004..1_500_006, 4)],
            ),
        ] {
            std::fs::write(&path, &text).unwrap();
            let parts = divide(&path, LineEnd::Feed, |_| true).unwrap();
            let all = parts.iter().flat_map(|part| bytes(&path, part.bytes.clone()).unwrap());
            assert_eq!(all.collect::<Vec<_>>(), text.as_bytes());
            let parts: Vec<_> =
                parts.into_iter().map(|LinePart { bytes, before }| (bytes, before)).collect();
            assert_eq!(parts, expected);
        }
    }

    #[test]
    fn parts_begin_where_they_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let line = "x".repeat(1_100_000);
        std::fs::write(&path, format!("head\r\n{line}\r\n{line}\r{line}\n")).unwrap();
        for (end, begins, expected) in [
            (LineEnd::Any, &[2, 4][..], vec![(6..2_200_009, 1), (2_200_009..3_300_010, 3)]),
            (LineEnd::Any, &[3], vec![(1_100_008..3_300_010, 2)]),
            (LineEnd::Feed, &[2, 3, 4], vec![(6..1_100_008, 1), (1_100_008..3_300_010, 2)]),
        ] {
            let parts = divide(&path, end, |line| begins.contains(&line)).unwrap();
            let parts: Vec<_> =
                parts.into_iter().map(|LinePart { bytes, before }| (bytes, before)).collect();
            assert_eq!(parts, expected);
        }
    }
}
