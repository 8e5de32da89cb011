//! Errors of the library that reads and writes Parquet files.

use parquet::errors::ParquetError;

use crate::error::{Error, Location};

/// An error of the library, in one line.
pub(super) fn library(error: ParquetError) -> Error {
    Location::Whole.caused_by(text(&error), error)
}

/// Returns the message of an error, on one line of limited length.
pub(super) fn text(error: &ParquetError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("Parquet error: ").unwrap_or(line).chars().take(200).collect()
}
