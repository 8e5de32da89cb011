//! What can be wrong with a configuration, an input or a file of parameters.

use std::path::PathBuf;

/// A model that cannot be built, loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument of `forward` whose shape, dtype or device does not fit.
    #[error("{name}: expected {expected}, got {got}")]
    Input {
        /// The argument.
        name: &'static str,
        /// What it should be.
        expected: String,
        /// What came.
        got: String,
    },
    /// A value that a configuration cannot have.
    #[error("{name} is {got}: expected {expected}")]
    Config {
        /// The key.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// Its value.
        got: String,
    },
    /// A state dict that does not belong to the parameters: all differences at once.
    #[error("state dict does not fit: {}", .0.join("; "))]
    StateDict(Vec<String>),
    /// A file that cannot be read, written or understood.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A packing that does not fit.
    #[error(transparent)]
    Sequence(#[from] ragged_sequence::Error),
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// A file's error, whatever its source.
    pub(crate) fn file(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;
