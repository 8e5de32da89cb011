//! The errors of this crate.

/// Parameters of a transform or values that cannot be used.
///
/// ```
/// use ragged_transforms::{Pipeline, Transform};
///
/// let clip = Transform::Clip { low: 1.0, high: 0.0 };
/// let error = Pipeline::new(1, vec![clip]).unwrap_err();
/// let message = "clip is 1 to 0: expected two finite numbers, the lower one first";
/// assert_eq!(error.to_string(), message);
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two bounds that are not finite or not in increasing order.
    #[error("{name} is {low} to {high}: expected two finite numbers, the lower one first")]
    Bounds {
        /// The transform.
        name: &'static str,
        /// The lower bound.
        low: f32,
        /// The upper bound.
        high: f32,
    },
    /// Outputs of a model that are not those of its heads.
    #[error("{outputs} outputs: expected those of the heads, {expected:?}")]
    Heads {
        /// The number of outputs of the model.
        outputs: usize,
        /// The number of outputs of each head.
        expected: Vec<usize>,
    },
    /// A size of zero.
    #[error("{name} is 0: expected at least 1")]
    Zero {
        /// The size.
        name: &'static str,
    },
    /// A number that no real pipeline has.
    #[error("{name}: expected at most {most}, got {got}")]
    TooMany {
        /// What there are too many of.
        name: &'static str,
        /// Their number.
        got: usize,
        /// The limit.
        most: usize,
    },
    /// Parameters for another number of features.
    #[error("{name} is for {got} features: expected {expected}")]
    Count {
        /// The transform.
        name: &'static str,
        /// The number of features of its parameters.
        got: usize,
        /// The number of features that it receives.
        expected: usize,
    },
    /// A list of feature indices that cannot be used.
    #[error("{name} is {got:?}: expected {expected} below {features}")]
    FeatureIndices {
        /// The list.
        name: &'static str,
        /// Its entries.
        got: Vec<usize>,
        /// What the indices must be.
        expected: &'static str,
        /// The number of features.
        features: usize,
    },
    /// Parameters of a fitted transform that cannot be applied.
    #[error("{transform} has {got:?} for feature {feature}: expected {expected}")]
    Fitted {
        /// The transform.
        transform: &'static str,
        /// The feature, counted from 0.
        feature: usize,
        /// The parameters of this feature.
        got: Vec<f64>,
        /// What they must be.
        expected: &'static str,
    },
    /// Values with another number of features.
    #[error("steps have {got} features: expected {expected}")]
    Features {
        /// The number of features that the pipeline was fitted to.
        expected: usize,
        /// The number of features of the values.
        got: usize,
    },
    /// Values that do not form whole steps.
    #[error("{values} values do not form steps of {features} features")]
    PartialStep {
        /// The number of values.
        values: usize,
        /// The number of features of a step.
        features: usize,
    },
    /// A transform that needs the whole sequence.
    #[error(
        "{transform} needs the whole sequence: expected a transform that can be applied step by step"
    )]
    WholeSequence {
        /// The transform.
        transform: &'static str,
    },
    /// An entry that a vocabulary has twice.
    #[error("vocabulary: entry `{entry}` is listed twice")]
    DuplicateEntry {
        /// The second of the two.
        entry: String,
    },
    /// An index that two tokens have.
    #[error("vocabulary: index {index} is that of `{first}` and of `{token}`: expected one token")]
    DuplicateIndex {
        /// The index.
        index: u32,
        /// The first of the two.
        first: String,
        /// The second.
        token: String,
    },
    /// An index of a token that a vocabulary cannot have.
    #[error("vocabulary: `{token}` has index {index}: expected one {expected}")]
    TokenIndex {
        /// The token.
        token: String,
        /// Its index.
        index: u32,
        /// What the index must be.
        expected: &'static str,
    },
    /// A vocabulary of characters that has no entry for unknown ones.
    #[error("vocabulary of characters: expected an entry for unknown ones, got none")]
    NoUnknown,
    /// A state of another pipeline.
    #[error("state of transforms: expected {expected} numbers, got {got}")]
    State {
        /// The size of a state of this pipeline.
        expected: usize,
        /// The size of the state.
        got: usize,
    },
    /// Outputs of a model that are no whole values.
    #[error("{outputs} outputs: expected a multiple of {per_value}, the outputs of one value")]
    Outputs {
        /// The number of outputs.
        outputs: usize,
        /// The number of outputs of one value.
        per_value: usize,
    },
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;
