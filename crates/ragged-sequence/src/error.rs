//! What can be wrong with lengths, paddings and packings.

use candle_core::DType;

/// An input that PyTorch would take silently, or that no tensor operation can serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A length that is no whole number, or lies beyond the padded time steps.
    #[error("length at index {index} is {got}: expected a whole number {expected}")]
    Length {
        /// Position in the lengths.
        index: usize,
        /// The length as it came.
        got: String,
        /// The range it may have.
        expected: String,
    },
    /// A number of things that does not agree with another.
    #[error("got {got} {what}: expected {expected}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there should be.
        expected: String,
        /// How many came.
        got: usize,
    },
    /// Lengths that grow although `enforce_sorted` was asked for.
    #[error(
        "length at index {index} is {length}, above the {previous} before it: expected lengths \
         sorted from longest to shortest (enforce_sorted)"
    )]
    Unsorted {
        /// Position of the first length that is out of order.
        index: usize,
        /// That length.
        length: usize,
        /// The length before it.
        previous: usize,
    },
    /// A sequence whose dtype, device or trailing shape differs from the first one's.
    #[error("sequence at index {index} has {what} {got}: expected {expected}, as at index 0")]
    Mismatch {
        /// Position of the sequence.
        index: usize,
        /// `dtype`, `device` or `trailing shape`.
        what: &'static str,
        /// The first sequence's.
        expected: String,
        /// This sequence's.
        got: String,
    },
    /// A padding value that would come out as another number.
    #[error("padding value {value} cannot be held by dtype {}", dtype.as_str())]
    PaddingValue {
        /// The value asked for.
        value: f64,
        /// The dtype of the sequences.
        dtype: DType,
    },
    /// A mask that does not consist of ones followed by zeros.
    #[error("mask at row {row}, step {step} is {got}: expected ones, then zeros, in every row")]
    Mask {
        /// The sequence.
        row: usize,
        /// The time step.
        step: usize,
        /// The value there.
        got: f64,
    },
    /// A total length that would cut a sequence.
    #[error("total length {total_length} is below the length {longest} of sequence {index}")]
    TotalLength {
        /// The total length asked for.
        total_length: usize,
        /// The longest sequence's length.
        longest: usize,
        /// That sequence's index.
        index: usize,
    },
    /// A tensor, permutation or list of batch sizes that does not fit the rest of a packing.
    #[error("{name}: expected {expected}, got {got}")]
    Layout {
        /// The argument.
        name: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl From<Error> for candle_core::Error {
    /// So that `?` works in code that speaks candle's errors.
    fn from(error: Error) -> Self {
        match error {
            Error::Candle(error) => error,
            other => candle_core::Error::wrap(other),
        }
    }
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;
