//! One example: a sequence, and the target to predict from it.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::repeat_rows::repeat_rows;
use crate::target_shape::TargetShape;
use crate::tokens::statics::Statics;
use crate::tokens::step_tokens::StepTokens;

/// The steps of one sequence, each with the same number of features, of tokens, or of both.
///
/// Missing values are NaN. Values that 32 bits cannot hold well enough, such as seconds since 1970, are
/// kept in 64 bits too, so that [`transforms`](crate::transforms) can use them.
///
/// ```
/// use ragged_datasets::Sequence;
///
/// // Three steps of two features.
/// let sequence = Sequence::new(vec![1.0, 0.1, 2.0, 0.2, 3.0, 0.3], 2)?;
/// assert_eq!((sequence.len(), sequence.features()), (3, 2));
/// assert_eq!(sequence.row(1), Some(&[2.0, 0.2][..]));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    values: Vec<f32>,
    features: usize,
    /// The values before they were rounded to 32 bits, if they are kept.
    exact: Option<Vec<f64>>,
    tokens: Option<StepTokens>,
    statics: Option<Statics>,
}

impl Sequence {
    /// Creates a sequence from row-major values `[length, features]`.
    ///
    /// # Errors
    ///
    /// [`Error::Size`] for zero features, [`Error::PartialStep`] for values that do not form whole
    /// steps.
    pub fn new(values: Vec<f32>, features: usize) -> Result<Self> {
        if features == 0 {
            return Err(Error::Size { name: "features", got: 0, min: 1, max: usize::MAX });
        }
        if !values.len().is_multiple_of(features) {
            return Err(Error::PartialStep { values: values.len(), features });
        }
        Ok(Self { values, features, exact: None, tokens: None, statics: None })
    }

    /// Creates a sequence that keeps its values in 64 bits.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn exact(values: Vec<f64>, features: usize) -> Result<Self> {
        Ok(Self { exact: Some(values.clone()), ..Self::rounded(&values, features)? })
    }

    /// Creates a sequence of tokens without features.
    ///
    /// ```
    /// use ragged_datasets::Sequence;
    /// use ragged_datasets::tokens::StepTokens;
    ///
    /// let sequence = Sequence::of_tokens(StepTokens::new(vec![4, 7, 4], 1)?);
    /// assert_eq!((sequence.len(), sequence.features()), (3, 0));
    /// # Ok::<(), ragged_datasets::Error>(())
    /// ```
    pub fn of_tokens(tokens: StepTokens) -> Self {
        Self { values: vec![], features: 0, exact: None, tokens: Some(tokens), statics: None }
    }

    /// Adds tokens to the features.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless there are tokens for each step.
    pub fn with_tokens(mut self, tokens: StepTokens) -> Result<Self> {
        let (got, expected) = (tokens.len(), self.len());
        if got != expected {
            return Err(Error::Count { name: "tokens", of: "steps", got, expected });
        }
        self.tokens = Some(tokens);
        Ok(self)
    }

    /// Returns the tokens of the steps, if they have any.
    pub fn tokens(&self) -> Option<&StepTokens> {
        self.tokens.as_ref()
    }

    /// Adds what is the same in all steps.
    #[must_use]
    pub fn with_statics(self, statics: Statics) -> Self {
        Self { statics: Some(statics), ..self }
    }

    /// Returns what is the same in all steps, if there is anything.
    pub fn statics(&self) -> Option<&Statics> {
        self.statics.as_ref()
    }

    /// Replaces what is the same in all steps.
    pub(crate) fn set_statics(&mut self, statics: Option<Statics>) {
        self.statics = statics;
    }

    /// Takes the values out, which [`set_values`](Self::set_values) must put back.
    pub(crate) fn take_values(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.values)
    }

    /// Puts the values in, `[length, features]`.
    pub(crate) fn set_values(&mut self, values: Vec<f32>) {
        self.values = values;
    }

    /// Replaces the tokens by as many others.
    pub(crate) fn set_tokens(&mut self, tokens: StepTokens) {
        self.tokens = Some(tokens);
    }

    /// Creates a sequence of values that are rounded to 32 bits.
    pub(crate) fn rounded(values: &[f64], features: usize) -> Result<Self> {
        Self::new(values.iter().map(|&value| value as f32).collect(), features)
    }

    /// Returns the values in 64 bits, row-major `[length, features]`, if they are kept.
    pub fn exact_values(&self) -> Option<&[f64]> {
        self.exact.as_deref()
    }

    /// Returns the values as they are known, row-major `[length, features]`.
    pub(crate) fn wide_values(&self) -> Vec<f64> {
        match &self.exact {
            Some(values) => values.clone(),
            None => self.values.iter().map(|&value| value.into()).collect(),
        }
    }

    /// Returns the number of steps.
    pub fn len(&self) -> usize {
        match &self.tokens {
            Some(tokens) => tokens.len(),
            None => self.values.len() / self.features,
        }
    }

    /// Whether the sequence has no step, which is legal.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of features of each step; 0 for tokens only.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns all values, row-major `[length, features]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns all values, row-major `[length, features]`, to change them in place. The values in 64 bits
    /// are dropped.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.exact = None;
        &mut self.values
    }

    /// Returns the features of step `t`, or `None` beyond the end.
    pub fn row(&self, t: usize) -> Option<&[f32]> {
        self.steps().nth(t)
    }

    /// Returns the features of the steps in order; none for tokens only.
    pub fn steps(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.features.max(1))
    }

    /// Returns a sequence that has each step this number of times in a row.
    ///
    /// ```
    /// use ragged_datasets::Sequence;
    ///
    /// let twice = Sequence::new(vec![1.0, 0.5, 2.0, 0.25], 2)?.repeat_steps(2);
    /// assert_eq!(twice.values(), [1.0, 0.5, 1.0, 0.5, 2.0, 0.25, 2.0, 0.25]);
    /// # Ok::<(), ragged_datasets::Error>(())
    /// ```
    #[must_use]
    pub fn repeat_steps(self, times: usize) -> Self {
        if times == 1 {
            return self;
        }
        Self {
            values: repeat_rows(&self.values, self.features, times),
            features: self.features,
            exact: self.exact.map(|exact| repeat_rows(&exact, self.features, times)),
            tokens: self.tokens.map(|tokens| tokens.repeat_steps(times)),
            statics: self.statics,
        }
    }

    /// Returns some steps. Panics if the range is not within the steps.
    pub(crate) fn cut(&self, steps: Range<usize>) -> Self {
        let range = steps.start * self.features..steps.end * self.features;
        Self {
            values: self.values[range.clone()].to_vec(),
            features: self.features,
            exact: self.exact.as_ref().map(|exact| exact[range].to_vec()),
            tokens: self.tokens.as_ref().map(|tokens| tokens.cut(steps)),
            statics: self.statics.clone(),
        }
    }
}

/// What is to be predicted from a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A class, as an index into [`TargetKind::Classes`](crate::TargetKind::Classes).
    Class(u32),
    /// One or more values; empty if there is nothing to predict.
    Values(Vec<f32>),
    /// One class for every step.
    StepClasses(Vec<u32>),
    /// K values for every step, `[length, K]`.
    StepValues(Sequence),
    /// Labels in their order, of any number and without positions, as indices into
    /// [`TargetKind::Labels`](crate::TargetKind::Labels).
    Labels(Vec<u32>),
}

impl Target {
    /// Returns the kind and size of the target.
    pub(crate) fn shape(&self) -> TargetShape {
        match self {
            Self::Class(class) => TargetShape::Class(*class),
            Self::Values(values) => TargetShape::Values(values.len()),
            Self::StepClasses(classes) => {
                let largest = classes.iter().copied().max();
                TargetShape::StepClasses { steps: classes.len(), largest }
            }
            Self::StepValues(values) => {
                TargetShape::StepValues { steps: values.len(), values: values.features() }
            }
            Self::Labels(labels) => {
                let largest = labels.iter().copied().max();
                TargetShape::Labels { count: labels.len(), largest }
            }
        }
    }
}

/// A sequence and its target.
///
/// ```
/// use ragged_datasets::{Example, Sequence, Target};
///
/// let example = Example::new(Sequence::new(vec![1.0, 2.0, 3.0], 1)?, Target::Values(vec![6.0]));
/// assert_eq!(example.sequence.len(), 3);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The input.
    pub sequence: Sequence,
    /// What is to be predicted.
    pub target: Target,
    /// For each value to predict, the mean absolute error of a naive forecast in the past of the sequence, with which
    /// errors are compared. `None` for examples that are not [forecasts](crate::forecast).
    pub naive_errors: Option<Arc<[f64]>>,
}

impl Example {
    /// Creates an example.
    pub fn new(sequence: Sequence, target: Target) -> Self {
        Self { sequence, target, naive_errors: None }
    }

    /// Returns steps `begin..end`, with their targets if every step has its own.
    ///
    /// Panics if `end` is beyond the last step or `begin` beyond `end`.
    pub(crate) fn cut(&self, begin: usize, end: usize) -> Self {
        let target = match &self.target {
            Target::StepClasses(classes) => Target::StepClasses(classes[begin..end].to_vec()),
            Target::StepValues(values) => Target::StepValues(values.cut(begin..end)),
            whole => whole.clone(),
        };
        let naive_errors = self.naive_errors.clone();
        Self { sequence: self.sequence.cut(begin..end), target, naive_errors }
    }
}
