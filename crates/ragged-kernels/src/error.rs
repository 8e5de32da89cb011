//! What can be wrong with the slices handed to a kernel.

/// An inconsistent shape, found before any arithmetic is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice does not have the number of elements that the shape asks for.
    #[error("{name} has {got} elements: expected {expected} ({shape})")]
    Length {
        /// The argument.
        name: &'static str,
        /// Its shape in the letters of the crate, such as `4H x I`.
        shape: &'static str,
        /// Elements expected.
        expected: usize,
        /// Elements that came.
        got: usize,
    },
    /// `batch_sizes` is not a sequence of positive, never growing numbers of at most B.
    #[error("batch size at step {step} is {got}: expected 1 to {most}")]
    BatchSize {
        /// The time step.
        step: usize,
        /// The batch size there.
        got: usize,
        /// The batch size of the step before, or B at the first step.
        most: usize,
    },
    /// A size that must be positive is zero, or a product of sizes does not fit in memory.
    #[error("{name} is {got}: expected {expected}")]
    Size {
        /// The size.
        name: &'static str,
        /// Its value.
        got: usize,
        /// What it may be.
        expected: &'static str,
    },
    /// Something is given that the cell or the shape does not have.
    #[error("{name} is given: expected none for this cell and shape")]
    Absent {
        /// The argument.
        name: &'static str,
    },
    /// Something is asked for that the cell or the shape does not have.
    #[error("{name} is asked for: this cell and shape have none")]
    Unavailable {
        /// What was asked for.
        name: &'static str,
    },
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Checks one slice against its shape.
pub(crate) fn check_len(
    name: &'static str,
    shape: &'static str,
    got: usize,
    expected: usize,
) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Length { name, shape, expected, got })
}
