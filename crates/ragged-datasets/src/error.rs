//! What can be wrong with examples, batches and files.

use std::path::PathBuf;

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
    /// A file that is not in its format.
    #[error("{}line {line}, column {column}: {reason}", path.as_ref().map_or(String::new(), |p| format!("{}: ", p.display())))]
    Parse {
        /// The file, where it is known.
        path: Option<PathBuf>,
        /// Counted from 1.
        line: usize,
        /// Characters, counted from 1.
        column: usize,
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

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Checks a size of a configuration.
pub(crate) fn check_size(name: &'static str, got: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&got) {
        return Ok(());
    }
    Err(Error::Config { name, got: got.to_string(), expected: format!("1 to {most}") })
}
