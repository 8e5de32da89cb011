//! What a model reads of one sequence.

/// One sequence as the input of a model, with the parts that the training data had.
///
/// ```no_run
/// use ragged_runtime::{Model, Sequence, Statics, Tokens};
///
/// // A model of two features and a category per step, and of a static number and a static category.
/// let model = Model::open("runs/stores".as_ref())?;
/// let sequence = Sequence {
///     values: &[0.5, 1.5, 0.25, f64::NAN],
///     tokens: Tokens::Texts(&["open", "closed"]),
///     statics: Statics { numbers: &[120.0], categories: &["north"] },
/// };
/// let outputs = model.predict_sequences(&[sequence])?;
/// # Ok::<(), ragged_runtime::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sequence<'a> {
    /// The features before transforms, `[T, I]`; a missing value is NaN. Empty for a model of tokens alone.
    pub values: &'a [f64],
    /// The tokens of the steps.
    pub tokens: Tokens<'a>,
    /// What is the same in all steps.
    pub statics: Statics<'a>,
}

/// The tokens of the steps of a sequence, `[T, K]` for K columns: a text has one column, and each category per step of
/// a table is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Tokens<'a> {
    /// No tokens.
    #[default]
    None,
    /// Texts. One that was not in the training data is read as an unknown one.
    Texts(&'a [&'a str]),
    /// Indices in the vocabularies of the run.
    Ids(&'a [u32]),
}

impl Tokens<'_> {
    /// Returns the number of tokens, in all columns.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Texts(texts) => texts.len(),
            Self::Ids(ids) => ids.len(),
        }
    }

    /// What the tokens are, for errors.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "features",
            Self::Texts(_) => "tokens",
            Self::Ids(_) => "ids",
        }
    }
}

/// The static values of one sequence, in the order of [`Model::static_numbers`](crate::Model::static_numbers) and
/// [`Model::static_categories`](crate::Model::static_categories).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statics<'a> {
    /// One number for each static column of numbers; a missing one is NaN.
    pub numbers: &'a [f64],
    /// The text for each static column of categories. One that was not in the training data is read as an unknown one.
    pub categories: &'a [&'a str],
}
