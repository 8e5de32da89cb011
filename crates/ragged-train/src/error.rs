//! What can stop a training run.

use std::path::{Path, PathBuf};

/// A configuration, a batch or a file with which training cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value, key or combination that a configuration cannot have.
    #[error("{}{message}", place.map_or(String::new(), |(l, c)| format!("line {l}, column {c}: ")))]
    Config {
        /// The dotted key, empty where the text as a whole cannot be read.
        key: String,
        /// The key, what it is and what it may be.
        message: String,
        /// Line and column in the file, counted from 1, where the key stands there.
        place: Option<(usize, usize)>,
    },
    /// A loss or gradient that is not a number; nothing was updated with it.
    #[error(
        "{what} is {value} in epoch {epoch}, batch {batch}: stopped before the update{}",
        saved.as_ref().map_or(String::new(), |path| format!(", batch saved in {}", path.display()))
    )]
    NonFinite {
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// NaN or an infinity.
        value: f64,
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1 within the epoch.
        batch: usize,
        /// Where the batch was written, if it was.
        saved: Option<PathBuf>,
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
    /// A value of a configuration that cannot be.
    pub(crate) fn config(key: impl Into<String>, got: impl ToString, expected: &str) -> Self {
        let key = key.into();
        let message = format!("{key} is {}: expected {expected}", got.to_string());
        Self::Config { key, message, place: None }
    }

    /// Two values of a configuration that cannot be together; `key` is the one to be changed.
    pub(crate) fn contradiction(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config { key: key.into(), message: message.into(), place: None }
    }

    /// A file's error, whatever its source.
    pub(crate) fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;
