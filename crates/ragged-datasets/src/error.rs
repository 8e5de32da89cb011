//! What can be wrong with examples, batches and files.

use std::fmt;
use std::path::{Path, PathBuf};

/// Data that cannot be read or put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that a configuration cannot have.
    #[error("{name} is {got}: expected {expected}")]
    Config {
        /// The key.
        name: &'static str,
        /// Its value.
        got: String,
        /// What it may be.
        expected: String,
    },
    /// An example that does not belong with the others.
    #[error("example {index} has {got}: expected {expected}")]
    Example {
        /// Its index in the data set.
        index: usize,
        /// What it has.
        got: String,
        /// What the others have.
        expected: String,
    },
    /// An index beyond the end of a data set.
    #[error("example {index} was asked of a data set of {len}")]
    Index {
        /// The index asked for.
        index: usize,
        /// The number of examples.
        len: usize,
    },
    /// A data set or batch without an example.
    #[error("{0} is empty: expected at least one example")]
    Empty(&'static str),
    /// A file that is not in its format, or does not hold what was asked of it.
    #[error("{}{place}{reason}", path.as_ref().map_or(String::new(), |p| format!("{}: ", p.display())))]
    Parse {
        /// The file, where it is known.
        path: Option<PathBuf>,
        /// Where in it.
        place: Place,
        /// What was expected and what came.
        reason: String,
    },
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// An example that could not be had: the data set failed or panicked.
    #[error("example {index}: {source}")]
    Load {
        /// Its index in the data set.
        index: usize,
        /// The data set's error, or the panic's message.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A packing failed.
    #[error(transparent)]
    Sequence(#[from] ragged_sequence::Error),
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// Where in a file something is wrong; everything is counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a text.
    Line {
        /// The line.
        line: usize,
        /// The character in it; in CSV the cell.
        column: usize,
    },
    /// In one of the sequences of a binary file.
    Sequence(usize),
    /// In all of it.
    Whole,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Line { line, column } => write!(f, "line {line}, column {column}: "),
            Self::Sequence(sequence) => write!(f, "sequence {sequence}: "),
            Self::Whole => Ok(()),
        }
    }
}

impl Place {
    /// An error here, in a file to be named later.
    pub(crate) fn error(self, reason: impl Into<String>) -> Error {
        Error::Parse { path: None, place: self, reason: reason.into() }
    }
}

impl Error {
    /// The error with the file that it is about, where it is about one and does not name it yet.
    pub(crate) fn in_file(self, file: &Path) -> Self {
        match self {
            Self::Parse { path: None, place, reason } => {
                Self::Parse { path: Some(file.to_path_buf()), place, reason }
            }
            other => other,
        }
    }

    /// The system's error on a file.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), source }
    }
}

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Checks a size of a configuration.
pub(crate) fn check_size(name: &'static str, got: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&got) {
        return Ok(());
    }
    Err(Error::Config { name, got: got.to_string(), expected: format!("1 to {most}") })
}
