//! What a command says on standard error: progress, notes and errors.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard error.
///
/// An error of writing is ignored, for instance if the terminal was closed or the disk of the log is full. The
/// command continues without its log.
pub(crate) fn say(line: impl Display) {
    let line = format!("{line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
