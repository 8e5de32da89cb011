//! A sequence as a format reads it, before the data set decides what its target is.

use crate::error::Location;
use crate::formats::field::RawTarget;
use crate::tokens::statics::Statics;

/// A sequence, as read from a file.
#[derive(Debug)]
pub(super) struct RawSequence {
    /// The name of the sequence.
    pub(super) id: Option<String>,
    /// Row-major `[length, features]`.
    pub(super) values: Vec<f64>,
    /// The number of features; `None` if it is unknown because there is no step.
    pub(super) features: Option<usize>,
    /// Indices of texts, row-major `[length, columns of tokens]`.
    pub(super) tokens: Vec<u32>,
    /// What is the same in all steps.
    pub(super) statics: Option<Statics>,
    pub(super) target: RawTarget,
    /// The location of the target.
    pub(super) location: Location,
}
