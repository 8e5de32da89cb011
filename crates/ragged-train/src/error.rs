//! What can stop a training run.

use std::path::{Path, PathBuf};

/// A configuration, a batch or a file with which training cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value, key or combination that a configuration cannot have.
    #[error("{0}")]
    Config(String),
    /// A loss or gradient that is not a number; nothing was updated with it.
    #[error("{what} is {value} in epoch {epoch}, batch {batch}: stopped before the update")]
    NonFinite {
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// NaN or an infinity.
        value: f64,
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1 within the epoch.
        batch: usize,
    },
    /// A batch that the model cannot take.
    #[error("{name}: expected {expected}, got {got}")]
    Batch {
        /// What does not fit.
        name: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A file or folder that cannot be read, written or understood.
    #[error("{}: {reason}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ragged_models::Error),
    /// The data failed.
    #[error(transparent)]
    Data(#[from] ragged_datasets::Error),
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// A file's error, whatever its source.
    pub(crate) fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;
