//! The errors of this crate.

#[cfg(feature = "candle")]
use candle_core::{DType, DeviceLocation};

/// An input that PyTorch accepts silently, or that no tensor operation supports.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_sequence::{Error, pack_padded_sequence};
///
/// let padded = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
/// let error = pack_padded_sequence(&padded, &[4, 5], false).unwrap_err();
/// assert!(matches!(error, Error::LengthBeyondSteps { index: 1, length: 5, steps: 4 }));
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A length that is negative, fractional or not finite.
    #[error("length at index {index} is {got}: expected a whole number of at least 0")]
    Length {
        /// The index of the length.
        index: usize,
        /// The value at this index.
        got: f64,
    },
    /// A length beyond the padded time steps.
    #[error("length at index {index} is {length}: expected 0 to {steps}, the padded steps")]
    LengthBeyondSteps {
        /// The index of the length.
        index: usize,
        /// The length.
        length: usize,
        /// T, the number of padded steps.
        steps: usize,
    },
    /// A number of lengths that is not the number of sequences.
    #[error("got {got} lengths: expected {expected}, one per sequence")]
    LengthCount {
        /// B, the number of sequences.
        expected: usize,
        /// The number of lengths.
        got: usize,
    },
    /// A batch without sequences, whose dtype and shape would be unknown.
    #[error("got 0 sequences: expected at least 1")]
    NoSequences,
    /// Lengths that increase although `enforce_sorted` is set.
    #[error(
        "length at index {index} is {length}, above the {previous} before it: expected lengths \
         sorted from longest to shortest (enforce_sorted)"
    )]
    Unsorted {
        /// The index of the first length that is out of order.
        index: usize,
        /// That length.
        length: usize,
        /// The length before it.
        previous: usize,
    },
    /// A sequence whose dtype is not the first one's.
    #[cfg(feature = "candle")]
    #[error(
        "sequence at index {index} has dtype {}: expected {}, as at index 0",
        got.as_str(),
        expected.as_str()
    )]
    DType {
        /// The index of the sequence.
        index: usize,
        /// The dtype of the first sequence.
        expected: DType,
        /// The dtype of this sequence.
        got: DType,
    },
    /// A sequence whose device is not the first one's.
    #[cfg(feature = "candle")]
    #[error("sequence at index {index} has device {got:?}: expected {expected:?}, as at index 0")]
    Device {
        /// The index of the sequence.
        index: usize,
        /// The device of the first sequence.
        expected: DeviceLocation,
        /// The device of this sequence.
        got: DeviceLocation,
    },
    /// A sequence whose trailing shape (all dimensions but the first) is not the first one's.
    #[error(
        "sequence at index {index} has trailing shape {got:?}: expected {expected:?}, as at index 0"
    )]
    TrailingShape {
        /// The index of the sequence.
        index: usize,
        /// The trailing shape of the first sequence.
        expected: Vec<usize>,
        /// The trailing shape of this sequence.
        got: Vec<usize>,
    },
    /// A padding value that the dtype cannot represent.
    #[cfg(feature = "candle")]
    #[error("padding value {value} cannot be represented by dtype {}", dtype.as_str())]
    PaddingValue {
        /// The padding value.
        value: f64,
        /// The dtype of the sequences.
        dtype: DType,
    },
    /// A mask whose rows do not consist of ones followed by zeros.
    #[error("mask at row {row}, step {step} is {got}: expected ones, then zeros, in every row")]
    Mask {
        /// The index of the sequence.
        row: usize,
        /// The time step.
        step: usize,
        /// The value at this place.
        got: f64,
    },
    /// A total length that is less than the length of a sequence.
    #[error("total length {total_length} is below the length {longest} of sequence {index}")]
    TotalLength {
        /// The total length.
        total_length: usize,
        /// The length of the longest sequence.
        longest: usize,
        /// The index of the first longest sequence.
        index: usize,
    },
    /// A tensor with a wrong number of dimensions.
    #[error("{name}: expected a tensor {expected}, got shape {got:?}")]
    Rank {
        /// The argument.
        name: &'static str,
        /// The expected shape, in letters.
        expected: &'static str,
        /// The shape of the tensor.
        got: Vec<usize>,
    },
    /// Packed data whose first dimension is not the number of packed rows.
    #[error("packed data: expected {expected} rows, got shape {got:?}")]
    PackedRows {
        /// N, the number of packed rows.
        expected: usize,
        /// The shape of the data.
        got: Vec<usize>,
    },
    /// Batch sizes that increase, contain a zero, or begin above the number of sequences.
    #[error("batch_sizes: expected 1 to {most} at step {step}, got {got}")]
    BatchSizes {
        /// The time step.
        step: usize,
        /// The batch size of the step before, or the number of sequences.
        most: usize,
        /// The batch size at this step.
        got: usize,
    },
    /// A list of indices that is not a permutation.
    #[error("permutation: expected each of 0 to {} once, got {got} at index {index}", count - 1)]
    Permutation {
        /// The number of indices.
        count: usize,
        /// The position of the first index that is out of range or repeated.
        index: usize,
        /// That index.
        got: usize,
    },
    /// Indices of tokens of another dtype than `u32`.
    #[cfg(feature = "candle")]
    #[error("token ids have dtype {}: expected u32", got.as_str())]
    TokenDType {
        /// The dtype of the indices.
        got: DType,
    },
    /// A step that consists of an inner sequence that does not exist.
    #[error("step {step} consists of inner sequence {got}: expected one below {count}")]
    InnerSequence {
        /// The packed row of the step.
        step: usize,
        /// The index of the inner sequence.
        got: usize,
        /// The number of inner sequences.
        count: usize,
    },
    /// An error of candle.
    #[cfg(feature = "candle")]
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

#[cfg(feature = "candle")]
impl From<Error> for candle_core::Error {
    /// Lets `?` convert errors in functions that return candle's.
    fn from(error: Error) -> Self {
        match error {
            Error::Candle(error) => error,
            other => candle_core::Error::wrap(other),
        }
    }
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;
