//! How the static columns of a data set, with one value per sequence, become numbers and indices.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::scaling::Standardize;
use crate::tokens::vocabulary::TokenVocabulary;

/// A static column of numbers and its scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticNumber {
    /// The name of the column.
    pub column: String,
    /// The mean over the training sequences.
    pub mean: f64,
    /// The standard deviation; 1 for a constant.
    pub std: f64,
}

/// The scales and vocabularies of static columns, fitted to the training examples.
///
/// ```
/// use ragged_transforms::{StaticEncoder, StaticNumber};
///
/// let mass = StaticNumber { column: "mass".into(), mean: 70.0, std: 10.0 };
/// let encoder = StaticEncoder::new(vec![mass], vec![])?;
/// assert_eq!(encoder.scaled(&[75.0]), [0.5]);
/// // A missing value is the mean.
/// assert_eq!(encoder.scaled(&[f64::NAN]), [0.0]);
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct StaticEncoder {
    numbers: Vec<StaticNumber>,
    categories: Vec<TokenVocabulary>,
}

/// An encoder as saved, not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    numbers: Vec<StaticNumber>,
    categories: Vec<TokenVocabulary>,
}

impl TryFrom<Saved> for StaticEncoder {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        Self::new(saved.numbers, saved.categories)
    }
}

impl StaticEncoder {
    /// Creates an encoder.
    ///
    /// # Errors
    ///
    /// [`Error::Fitted`] for a mean that is not finite and a standard deviation that is not positive.
    pub fn new(numbers: Vec<StaticNumber>, categories: Vec<TokenVocabulary>) -> Result<Self> {
        let mean = numbers.iter().map(|column| column.mean).collect();
        let std = numbers.iter().map(|column| column.std).collect();
        Standardize { mean, std }.check(numbers.len())?;
        Ok(Self { numbers, categories })
    }

    /// Whether there are no static columns.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.categories.is_empty()
    }

    /// Returns the columns of numbers in their order.
    pub fn numbers(&self) -> &[StaticNumber] {
        &self.numbers
    }

    /// Returns the vocabularies of the columns of categories in their order.
    pub fn categories(&self) -> &[TokenVocabulary] {
        &self.categories
    }

    /// Returns the numbers of one sequence scaled to mean 0 and standard deviation 1 over the training sequences. A
    /// missing number becomes 0, the mean.
    pub fn scaled(&self, numbers: &[f64]) -> Vec<f64> {
        let scaled = |(value, column): (&f64, &StaticNumber)| match value.is_nan() {
            true => 0.0,
            false => (value - column.mean) / column.std,
        };
        numbers.iter().zip(&self.numbers).map(scaled).collect()
    }
}
