//! What can be wrong with configurations, examples, batches and files.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::forecast::error::ForecastError;
use crate::target_shape::{ExpectedTarget, TargetShape};

/// Data that cannot be read, generated or collated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size of a configuration outside its range.
    #[error("{name} is {got}: expected {}", SizeRange { min: *min, max: *max })]
    Size {
        /// The option.
        name: &'static str,
        /// Its value.
        got: usize,
        /// The smallest valid value.
        min: usize,
        /// The largest valid value; `usize::MAX` where there is no limit.
        max: usize,
    },
    /// A number of a configuration outside its range.
    #[error("{name} is {}: expected {expected}", Shortest(*got))]
    Number {
        /// The option.
        name: &'static str,
        /// Its value.
        got: f64,
        /// The valid range.
        expected: &'static str,
    },
    /// Two bounds that are not finite or not in increasing order.
    #[error("{name} is {low} to {high}: expected two finite numbers, the lower one first")]
    Bounds {
        /// The option.
        name: &'static str,
        /// The lower bound.
        low: f32,
        /// The upper bound.
        high: f32,
    },
    /// A text option that does not have this value.
    #[error("{name} is `{got}`: expected {expected}")]
    Choice {
        /// The option.
        name: &'static str,
        /// Its value.
        got: String,
        /// The valid values.
        expected: String,
    },
    /// An example with another number of static values than the data set.
    #[error("example {index} has {} static numbers and {} static categories: expected {} and {}", got.0, got.1, expected.0, expected.1)]
    Statics {
        /// The index of the example.
        index: usize,
        /// Its numbers and categories.
        got: (usize, usize),
        /// Those of the data set.
        expected: (usize, usize),
    },
    /// Other static columns than in the training data.
    #[error("expected the static columns [{}], got [{}]", expected.join(", "), got.join(", "))]
    StaticColumns {
        /// The columns of the training data.
        expected: Vec<String>,
        /// The columns of the data set.
        got: Vec<String>,
    },
    /// A list with the wrong number of entries for the data set.
    #[error("{name} is for {got} {of}: expected {expected}")]
    Count {
        /// The list.
        name: &'static str,
        /// What its entries belong to: `examples` or `features`.
        of: &'static str,
        /// The number of its entries.
        got: usize,
        /// The number that the data set has.
        expected: usize,
    },
    /// A list of feature indices that cannot be used.
    #[error("{name} is {got:?}: expected {expected} below {features}")]
    FeatureIndices {
        /// The list.
        name: &'static str,
        /// Its entries.
        got: Vec<usize>,
        /// What the indices must be.
        expected: &'static str,
        /// The number of features.
        features: usize,
    },
    /// Columns of tokens that are not those of the training data.
    #[error("token columns: expected {}, got {}", names(expected), names(got))]
    TokenColumns {
        /// The columns of the training data.
        expected: Vec<String>,
        /// The columns of the data set.
        got: Vec<String>,
    },
    /// An example whose tokens are not those of the other examples.
    #[error("example {index} has {got} tokens in each step: expected {expected}")]
    Tokens {
        /// Its index in the data set.
        index: usize,
        /// K, the number of its tokens in each step.
        got: usize,
        /// The number of tokens in each step of the other examples.
        expected: usize,
    },
    /// An example whose steps consist of sequences, unlike those of the first example, or the reverse.
    #[error(
        "example {index} has steps that {}consist of sequences: expected {}, as in the first example",
        if *expected { "do not " } else { "" },
        if *expected { "sequences" } else { "none" }
    )]
    InnerSequences {
        /// Its index in the data set.
        index: usize,
        /// Whether the steps of the first example consist of sequences.
        expected: bool,
    },
    /// Tokens for a padded batch.
    #[error("tokens cannot be padded: expected packed batches")]
    PaddedTokens,
    /// A token that a vocabulary without an entry for unknown ones does not have.
    #[error(
        "column `{column}`: expected tokens of its vocabulary, which has no entry for unknown ones, got `{token}`"
    )]
    UnknownToken {
        /// The column.
        column: String,
        /// The token.
        token: String,
    },
    /// A `tokenizer.json` file that cannot be read or used.
    #[error("tokenizer {}: {reason}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An index of a token beyond the texts of its column.
    #[error(
        "example {index} has token {got} in column `{column}`: expected an index below {count}"
    )]
    TokenId {
        /// The index of the example.
        index: usize,
        /// The column.
        column: String,
        /// The index of the token.
        got: u32,
        /// The number of texts of the column.
        count: usize,
    },
    /// A transform or vocabulary that cannot be applied.
    #[error(transparent)]
    Transform(#[from] ragged_transforms::Error),
    /// Series from which no forecast can be learned or made.
    #[error(transparent)]
    Forecast(#[from] ForecastError),
    /// Buckets were requested of a sampler whose order must not change.
    #[error("bucket_size is {bucket_size}: expected none, since the sampler is sequential")]
    BucketsOfSequential {
        /// The number of examples in each bucket.
        bucket_size: usize,
    },
    /// Weights from which nothing can be drawn.
    #[error("all {count} weights are 0: expected at least one positive weight")]
    ZeroWeights {
        /// The number of weights.
        count: usize,
    },
    /// Values that do not form whole steps.
    #[error("{values} values do not form whole steps of {features} features")]
    PartialStep {
        /// The number of values.
        values: usize,
        /// The number of features of each step.
        features: usize,
    },
    /// An example with another number of features than the other examples.
    #[error("example {index} has {got} features: expected {expected}")]
    Features {
        /// Its index in the data set.
        index: usize,
        /// The number of its features.
        got: usize,
        /// The number of features of the other examples.
        expected: usize,
    },
    /// An example with a target of the wrong kind or size.
    #[error("example {index} has {got}: expected {expected}")]
    Target {
        /// Its index in the data set.
        index: usize,
        /// Its target.
        got: TargetShape,
        /// What the target must be.
        expected: ExpectedTarget,
    },
    /// An example with more steps than a batch may have.
    #[error("example {index} has {got} steps: expected at most {max_tokens} (max_tokens)")]
    TooLong {
        /// Its index in the data set.
        index: usize,
        /// The number of its steps.
        got: usize,
        /// The largest number of steps in a batch.
        max_tokens: usize,
    },
    /// An index beyond the end of a data set.
    #[error("example {index} is out of range: the data set has {len} examples")]
    Index {
        /// The requested index.
        index: usize,
        /// The number of examples.
        len: usize,
    },
    /// A data set, batch or epoch without an example.
    #[error("{0} is empty: expected at least one example")]
    Empty(&'static str),
    /// A file that violates its format, or lacks what was requested.
    #[error("{}{location}{reason}", path.as_ref().map_or(String::new(), |p| format!("{}: ", p.display())))]
    Parse {
        /// The file, where it is known.
        path: Option<PathBuf>,
        /// The position in the file.
        location: Location,
        /// What was expected and what was found.
        reason: String,
        /// The error of the library that reads the format, if it found the fault.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A file that cannot be opened, read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// An example that a data set failed to return.
    #[error("example {index}: {source}")]
    Load {
        /// Its index in the data set.
        index: usize,
        /// The error of the data set.
        source: Box<Error>,
    },
    /// An example on which a data set panicked.
    #[error("example {index}: the data set panicked: {message}")]
    Panicked {
        /// Its index in the data set.
        index: usize,
        /// The message of the panic.
        message: String,
    },
    /// The threads of a loader could not be started.
    #[error("cannot start {workers} loader threads: {source}")]
    Workers {
        /// The number of threads.
        workers: usize,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// An error from packing.
    #[error(transparent)]
    Sequence(#[from] ragged_sequence::Error),
    /// An error from candle.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// The position of a fault in a file. Lines, rows, columns, items and sequences are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A position in a text.
    Line {
        /// The line.
        line: usize,
        /// The character in the line; in CSV the cell.
        column: usize,
    },
    /// A position in a table of a binary file.
    Row {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
    },
    /// A position in a list in a table of a binary file.
    Item {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The item of the list.
        item: usize,
    },
    /// A column of a table of a binary file.
    Column(usize),
    /// One of the sequences of a binary file.
    Sequence(usize),
    /// The file as a whole.
    Whole,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Line { line, column } => write!(f, "line {line}, column {column}: "),
            Self::Row { row, column } => write!(f, "row {row}, column {column}: "),
            Self::Item { row, column, item } => {
                write!(f, "row {row}, column {column}, item {item}: ")
            }
            Self::Column(column) => write!(f, "column {column}: "),
            Self::Sequence(sequence) => write!(f, "sequence {sequence}: "),
            Self::Whole => Ok(()),
        }
    }
}

impl Location {
    /// Returns an error at this position, in a file that is named later.
    pub(crate) fn error(self, reason: impl Into<String>) -> Error {
        Error::Parse { path: None, location: self, reason: reason.into(), source: None }
    }

    /// Returns an error at this position that a library found.
    pub(crate) fn caused_by(
        self,
        reason: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        let source = Some(source.into());
        Error::Parse { path: None, location: self, reason: reason.into(), source }
    }
}

impl Error {
    /// Whether an option of a configuration is at fault, and not the data, a file or the system.
    ///
    /// ```
    /// use ragged_datasets::{VariableLengthSums, VariableLengthSumsConfig};
    ///
    /// let config = VariableLengthSumsConfig { input_size: 0, ..Default::default() };
    /// assert!(VariableLengthSums::new(config).unwrap_err().is_configuration());
    /// ```
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Size { .. }
                | Self::Number { .. }
                | Self::Bounds { .. }
                | Self::Choice { .. }
                | Self::Count { .. }
                | Self::FeatureIndices { .. }
                | Self::Transform(_)
                | Self::BucketsOfSequential { .. }
                | Self::ZeroWeights { .. }
                | Self::PartialStep { .. }
                | Self::Tokenizer { .. }
        ) || matches!(self, Self::Forecast(error) if error.option().is_some())
    }

    /// Names the file in an error about the content of a file that is not named yet.
    pub(crate) fn in_file(self, file: &Path) -> Self {
        match self {
            Self::Parse { path: None, location, reason, source } => {
                Self::Parse { path: Some(file.to_path_buf()), location, reason, source }
            }
            other => other,
        }
    }

    /// An error of the operating system with a file.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), source }
    }
}

/// Returns a list of names, or `none`.
fn names(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Checks that a size of a configuration is in 1 to `max`.
pub(crate) fn check_size(name: &'static str, got: usize, max: usize) -> Result<()> {
    if (1..=max).contains(&got) {
        return Ok(());
    }
    Err(Error::Size { name, got, min: 1, max })
}

struct SizeRange {
    min: usize,
    max: usize,
}

impl fmt::Display for SizeRange {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.max {
            usize::MAX => write!(f, "at least {}", self.min),
            max => write!(f, "{} to {max}", self.min),
        }
    }
}

/// A number with the digits of an `f32` where these suffice.
struct Shortest(f64);

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 as f32 {
            narrow if f64::from(narrow) == self.0 => narrow.fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_their_own_digits() {
        let message =
            |got| Error::Number { name: "noise", got, expected: "at least 0" }.to_string();
        assert_eq!(message(f64::from(-0.1f32)), "noise is -0.1: expected at least 0");
        assert_eq!(message(-0.1), "noise is -0.1: expected at least 0");
        assert_eq!(message(f64::NAN), "noise is NaN: expected at least 0");
    }

    #[test]
    fn the_cause_is_kept() {
        let cause = std::io::Error::other("disk on fire");
        let error = Location::Whole.caused_by(cause.to_string(), cause).in_file(Path::new("a.ts"));
        assert_eq!(error.to_string(), "a.ts: disk on fire");
        let source = std::error::Error::source(&error).expect("the cause");
        assert_eq!(source.to_string(), "disk on fire");
    }
}
