//! A sequence as a format reads it, before the data set decides what its target is.

use crate::error::Location;
use crate::formats::field::RawTarget;

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
    pub(super) target: RawTarget,
    /// The location of the target.
    pub(super) location: Location,
}

impl RawSequence {
    /// Repeats each step, which has `features` features and `columns` columns of tokens.
    pub(super) fn repeat_steps(&mut self, features: usize, columns: usize, times: usize) {
        fn repeated<T: Copy>(rows: &[T], width: usize, times: usize) -> Vec<T> {
            rows.chunks(width.max(1)).flat_map(|row| row.repeat(times)).collect()
        }
        if times > 1 {
            self.values = repeated(&self.values, features, times);
            self.tokens = repeated(&self.tokens, columns, times);
        }
    }

    /// Returns the number of steps of a sequence with `features` features and `columns` columns of tokens.
    pub(super) fn length(&self, features: usize, columns: usize) -> usize {
        match columns {
            0 => self.values.len() / features,
            columns => self.tokens.len() / columns,
        }
    }
}
