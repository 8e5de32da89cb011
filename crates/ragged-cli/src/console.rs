//! What a command says on standard error: progress, notes and errors.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard error.
///
/// A terminal that was closed, a pipe that nobody reads and a full disk are no reason to stop: the work goes on
/// without its log, whose loss nobody could be told.
pub(crate) fn say(line: impl Display) {
    let line = format!("{line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
