//! What is the same in all steps of a sequence.

use serde::{Deserialize, Serialize};

use crate::tokens::column::TokenColumn;

/// The static values of one sequence: numbers, with NaN for a missing one, and indices of categories.
///
/// ```
/// use ragged_datasets::Sequence;
/// use ragged_datasets::tokens::Statics;
///
/// let statics = Statics { numbers: vec![71.5], categories: vec![2] };
/// let sequence = Sequence::new(vec![1.0, 2.0, 3.0], 1)?.with_statics(statics.clone());
/// assert_eq!(sequence.statics(), Some(&statics));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statics {
    /// One number for each static column of numbers.
    pub numbers: Vec<f64>,
    /// One index for each static column of categories.
    pub categories: Vec<u32>,
}

/// The static columns of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StaticColumns {
    /// The names of the columns of numbers.
    pub numbers: Vec<String>,
    /// The columns of categories, with the text of each index.
    pub categories: Vec<TokenColumn>,
}

impl StaticColumns {
    /// No columns.
    pub const NONE: &Self = &Self { numbers: vec![], categories: vec![] };

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.categories.is_empty()
    }

    /// Returns the names of the columns of categories.
    pub fn category_names(&self) -> Vec<String> {
        self.categories.iter().map(|column| column.name.clone()).collect()
    }
}
