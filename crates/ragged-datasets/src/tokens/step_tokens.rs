//! The tokens of one sequence.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::repeat_rows::repeat_rows;

/// The tokens of the steps of one sequence: K indices for each step, and optionally a sequence of indices for each
/// step, such as the characters of a word.
///
/// ```
/// use ragged_datasets::tokens::StepTokens;
///
/// let tokens = StepTokens::new(vec![4, 7, 4], 1)?;
/// assert_eq!((tokens.len(), tokens.ids()), (3, &[4, 7, 4][..]));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTokens {
    ids: Vec<u32>,
    columns: usize,
    inner: Option<Vec<Arc<[u32]>>>,
}

impl StepTokens {
    /// Creates the tokens of a sequence from row-major indices `[length, columns]`.
    ///
    /// # Errors
    ///
    /// [`Error::Size`] for no column, [`Error::PartialStep`] for indices that do not form whole steps.
    pub fn new(ids: Vec<u32>, columns: usize) -> Result<Self> {
        if columns == 0 {
            return Err(Error::Size { name: "token columns", got: 0, min: 1, max: usize::MAX });
        }
        if !ids.len().is_multiple_of(columns) {
            return Err(Error::PartialStep { values: ids.len(), features: columns });
        }
        Ok(Self { ids, columns, inner: None })
    }

    /// Adds the sequence of indices of each step.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless there is one for each step.
    pub fn with_inner(mut self, inner: Vec<Arc<[u32]>>) -> Result<Self> {
        let (got, expected) = (inner.len(), self.len());
        if got != expected {
            return Err(Error::Count { name: "inner sequences", of: "steps", got, expected });
        }
        self.inner = Some(inner);
        Ok(self)
    }

    /// Returns the number of steps.
    pub fn len(&self) -> usize {
        self.ids.len() / self.columns
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns K, the number of indices of each step.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns all indices, row-major `[length, columns]`.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Returns the sequence of indices of each step.
    pub fn inner(&self) -> Option<&[Arc<[u32]>]> {
        self.inner.as_deref()
    }

    /// Returns tokens that have each step this number of times in a row.
    pub(crate) fn repeat_steps(self, times: usize) -> Self {
        let repeat = |rows: Vec<Arc<[u32]>>| repeat_rows(&rows, 1, times);
        let ids = repeat_rows(&self.ids, self.columns, times);
        Self { ids, columns: self.columns, inner: self.inner.map(repeat) }
    }

    /// Returns some steps. Panics if the range is not within the steps.
    pub(crate) fn cut(&self, steps: Range<usize>) -> Self {
        let ids = self.ids[steps.start * self.columns..steps.end * self.columns].to_vec();
        let inner = self.inner.as_ref().map(|inner| inner[steps].to_vec());
        Self { ids, columns: self.columns, inner }
    }
}
