//! Errors that several formats share.

use crate::error::{Error, Location};

/// Returns an error for content that a format cannot represent.
pub(super) fn unsupported(format: &str, content: impl std::fmt::Display) -> Error {
    Location::Whole.error(format!("the {format} format cannot hold {content}"))
}

/// Returns an error of the operating system, for an input or output whose path is named later.
pub(super) fn io(error: std::io::Error) -> Error {
    Location::Whole.caused_by(error.to_string(), error)
}
