//! The errors of the checks that come before any arithmetic.

/// An argument that does not fit the shape or the cell.
///
/// ```
/// use ragged_kernels::{Direction, Error, PackedShape};
///
/// let error = PackedShape::new(3, &[3, 2, 4], 7, 16, Direction::Forward).unwrap_err();
/// assert_eq!(error, Error::BatchSize { step: 2, max: 2, got: 4 });
/// assert_eq!(error.to_string(), "batch_sizes[2]: expected 1 to 2, got 4");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice does not have the number of elements that its shape requires.
    #[error("{name}: expected {expected} elements ({shape}), got {got}")]
    Length {
        /// The argument.
        name: &'static str,
        /// Its shape in the letters of the crate, such as `G H x I`.
        shape: &'static str,
        /// The number of elements expected.
        expected: usize,
        /// The number of elements given.
        got: usize,
    },
    /// A batch size is zero or larger than the one before it.
    #[error("batch_sizes[{step}]: expected 1 to {max}, got {got}")]
    BatchSize {
        /// The time step.
        step: usize,
        /// The batch size of the step before, or B at the first step.
        max: usize,
        /// The batch size given.
        got: usize,
    },
    /// A size is zero, or a product of sizes does not fit in memory.
    #[error("{name}: expected {expected}, got {got}")]
    Size {
        /// The size.
        name: &'static str,
        /// The permitted values.
        expected: &'static str,
        /// The value given.
        got: usize,
    },
    /// A tape comes from a forward pass over another shape.
    #[error("tape: expected {name} = {expected}, got {got}")]
    Tape {
        /// The size that differs: a letter of the crate, or `elements` for the size of the tape.
        name: &'static str,
        /// Its value in the shape.
        expected: usize,
        /// Its value in the tape.
        got: usize,
    },
    /// Prepared weights are used with a shape of other sizes than their own.
    #[error("shape: expected {name} = {expected}, the size of the prepared weights, got {got}")]
    Prepared {
        /// The size that differs, as a letter of the crate.
        name: &'static str,
        /// Its value in the prepared weights.
        expected: usize,
        /// Its value in the shape.
        got: usize,
    },
    /// The states are those of a layer with another cell, sizes or SIMD level.
    #[error("state: expected one that these prepared weights have created")]
    State,
    /// A row that the states do not have.
    #[error("row: expected a number below {rows}, got {got}")]
    Row {
        /// The number of rows.
        rows: usize,
        /// The row given.
        got: usize,
    },
    /// A label of a sequence is not one of the permitted classes.
    #[error("{name}[{sequence}][{index}]: expected {expected}, got {got}")]
    Label {
        /// The argument.
        name: &'static str,
        /// The position of the sequence, the longest first.
        sequence: usize,
        /// The index in the sequence.
        index: usize,
        /// The permitted classes.
        expected: String,
        /// The label given.
        got: u32,
    },
    /// The environment variable `RAGGED_KERNELS_SIMD` names no level that this processor has.
    #[error("RAGGED_KERNELS_SIMD: expected {expected}, the levels of this processor, got `{got}`")]
    SimdVariable {
        /// The names of the levels.
        expected: String,
        /// The value of the variable.
        got: String,
    },
    /// An argument is given that this cell and shape do not have.
    #[error("{name}: expected none for this cell and shape")]
    UnexpectedArgument {
        /// The argument.
        name: &'static str,
    },
    /// An output or gradient is requested that this cell and shape do not have.
    #[error("{name} was requested, but this cell and shape have none")]
    Unavailable {
        /// The output or gradient.
        name: &'static str,
    },
}

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;
