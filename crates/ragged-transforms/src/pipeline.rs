//! Fitted transforms that are applied in order.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::transform::Transform;
use crate::values::Values;

/// The most features of a step.
const MOST_FEATURES: usize = 1 << 24;

/// The most transforms of a pipeline.
const MOST_TRANSFORMS: usize = 1000;

fn check_most(name: &'static str, got: usize, most: usize) -> Result<()> {
    if got <= most { Ok(()) } else { Err(Error::TooMany { name, got, most }) }
}

/// A list of fitted transforms.
///
/// ```
/// use ragged_transforms::{Pipeline, Transform, Values};
///
/// let pipeline = Pipeline::new(1, vec![Transform::MeanFill { mean: vec![2.0] }])?;
/// let text = serde_json::to_string(&pipeline).unwrap();
/// let again: Pipeline = serde_json::from_str(&text).unwrap();
/// assert_eq!(again.apply(Values::rounded(&[1.0, f32::NAN], 1)?)?.as_slice(), [1.0, 2.0]);
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Pipeline {
    features: usize,
    transforms: Vec<Transform>,
}

/// A pipeline as saved, not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    features: usize,
    transforms: Vec<Transform>,
}

impl TryFrom<Saved> for Pipeline {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        Self::new(saved.features, saved.transforms)
    }
}

/// What a [`Pipeline`] must know of the steps before the next one: the last values, or the number of steps.
///
/// ```
/// use ragged_transforms::{Pipeline, PipelineState, Transform};
///
/// let pipeline = Pipeline::new(1, vec![Transform::ForwardFill])?;
/// let state = pipeline.state()?;
/// assert!(state.as_slice()[0].is_nan());
/// // It can be saved and read again.
/// PipelineState::from_slice(&pipeline, state.as_slice())?;
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug)]
pub struct PipelineState(Vec<f64>);

/// States are equal if all bits are: a missing value is equal to itself.
impl PartialEq for PipelineState {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().map(|v| v.to_bits()).eq(other.0.iter().map(|v| v.to_bits()))
    }
}

impl Clone for PipelineState {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    /// Copies a state of the same pipeline without an allocation.
    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl PipelineState {
    /// Takes a state that was saved.
    ///
    /// # Errors
    ///
    /// [`Error::State`] for another number of values than a state of `pipeline` has, [`Error::WholeSequence`] for a
    /// pipeline that has no state.
    pub fn from_slice(pipeline: &Pipeline, state: &[f64]) -> Result<Self> {
        let (expected, got) = (pipeline.state()?.0.len(), state.len());
        if got != expected {
            return Err(Error::State { expected, got });
        }
        Ok(Self(state.to_vec()))
    }

    /// Returns the state as numbers, to save it.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }
}

impl Pipeline {
    /// Takes transforms in order, for sequences of `features` features.
    ///
    /// # Errors
    ///
    /// An error that names the first transform that does not fit the features, or whose parameters cannot be used.
    pub fn new(features: usize, transforms: Vec<Transform>) -> Result<Self> {
        check_most("features", features, MOST_FEATURES)?;
        let mut pipeline = Self::identity(features);
        transforms.into_iter().try_for_each(|transform| pipeline.push(transform))?;
        Ok(pipeline)
    }

    /// Creates a pipeline without transforms, for sequences of `features` features.
    pub fn identity(features: usize) -> Self {
        Self { features, transforms: vec![] }
    }

    /// Appends a transform, which was fitted to what the others leave.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); the pipeline is unchanged then.
    pub fn push(&mut self, transform: Transform) -> Result<()> {
        let features = self.output_features();
        transform.check(features)?;
        check_most("features", transform.output_features(features), MOST_FEATURES)?;
        check_most("transforms", self.transforms.len() + 1, MOST_TRANSFORMS)?;
        self.transforms.push(transform);
        Ok(())
    }

    /// Returns the transforms in order.
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    /// Returns the number of features of the input.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns the number of features of the output, which is the input of a model.
    pub fn output_features(&self) -> usize {
        self.transforms.iter().fold(self.features, |n, transform| transform.output_features(n))
    }

    /// Returns the names of the features of the output, from those of the input.
    pub fn output_names(&self, names: Vec<String>) -> Vec<String> {
        self.transforms.iter().fold(names, |names, transform| transform.output_names(names))
    }

    /// Returns which steps of a sequence of `length` steps are in the output.
    ///
    /// ```
    /// use ragged_transforms::{Keep, Pipeline, Transform};
    ///
    /// let truncate = Transform::Truncate { max_length: 3, keep: Keep::Last };
    /// assert_eq!(Pipeline::new(1, vec![truncate])?.kept_steps(10), 7..10);
    /// # Ok::<(), ragged_transforms::Error>(())
    /// ```
    pub fn kept_steps(&self, length: usize) -> Range<usize> {
        self.transforms.iter().fold(0..length, |steps, transform| transform.kept_steps(steps))
    }

    /// Applies all transforms to a sequence.
    ///
    /// # Errors
    ///
    /// [`Error::Features`] for another number of features than the pipeline was fitted to.
    pub fn apply(&self, mut values: Values) -> Result<Values> {
        self.apply_all(&mut values, &mut self.initial_state())?;
        Ok(values)
    }

    /// Returns the state before the first step of a sequence, for [`apply_next`](Self::apply_next).
    ///
    /// # Errors
    ///
    /// [`Error::WholeSequence`] for a transform that cannot be applied step by step.
    pub fn state(&self) -> Result<PipelineState> {
        self.transforms.iter().try_for_each(Transform::check_stepwise)?;
        Ok(PipelineState(self.initial_state()))
    }

    /// Applies all transforms to the next steps of a sequence; those beyond a truncation are left out. Only an indicator
    /// of missing values allocates.
    ///
    /// The values of all calls are, bit for bit, those of [`apply`](Self::apply) on the whole sequence.
    ///
    /// # Errors
    ///
    /// [`Error::Features`] for another number of features than the pipeline was fitted to, [`Error::State`] for a
    /// state of another pipeline. The values and the state are unchanged then.
    pub fn apply_next(&self, values: &mut Values, state: &mut PipelineState) -> Result<()> {
        let (expected, got) = (self.state_len(), state.0.len());
        if got != expected {
            return Err(Error::State { expected, got });
        }
        self.apply_all(values, &mut state.0)
    }

    fn initial_state(&self) -> Vec<f64> {
        let states = self.with_features().map(|(t, features)| t.initial_state(features));
        states.flat_map(|(len, number)| std::iter::repeat_n(number, len)).collect()
    }

    fn state_len(&self) -> usize {
        self.with_features().map(|(t, features)| t.initial_state(features).0).sum()
    }

    /// The transforms, each with the number of features that it receives.
    fn with_features(&self) -> impl Iterator<Item = (&Transform, usize)> {
        self.transforms.iter().scan(self.features, |features, transform| {
            let received = *features;
            *features = transform.output_features(received);
            Some((transform, received))
        })
    }

    fn apply_all(&self, values: &mut Values, mut state: &mut [f64]) -> Result<()> {
        let (expected, got) = (self.features, values.features());
        if got != expected {
            return Err(Error::Features { expected, got });
        }
        for (transform, features) in self.with_features() {
            let (own, rest) = state.split_at_mut(transform.initial_state(features).0);
            transform.apply(values, own);
            state = rest;
        }
        Ok(())
    }
}
