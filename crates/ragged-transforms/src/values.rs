//! The values of a sequence on their way through a pipeline.

use crate::error::{Error, Result};

/// The values of a sequence in 64 bits, row-major `[T, features]`.
///
/// Values that a model reads have 32 bits. A value that 32 bits cannot hold well enough, such as seconds since 1970,
/// is *exact*: it keeps its 64 bits until a transform scales it.
///
/// ```
/// use ragged_transforms::Values;
///
/// assert_eq!(Values::rounded(&[0.1], 1)?.as_slice(), [f64::from(0.1f32)]);
/// let mut values = Values::exact(vec![0.1], 1)?;
/// assert_eq!(values.as_slice(), [0.1]);
/// values.refill(&[0.5, 0.25], 2, false)?;
/// assert_eq!((values.as_slice(), values.features()), (&[0.5, 0.25][..], 2));
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    pub(crate) values: Vec<f64>,
    pub(crate) features: usize,
    pub(crate) exact: bool,
}

/// No steps, of one feature.
impl Default for Values {
    fn default() -> Self {
        Self { values: vec![], features: 1, exact: false }
    }
}

impl Values {
    /// Takes values that are rounded to 32 bits.
    ///
    /// # Errors
    ///
    /// [`Error::Zero`] for steps of no features, [`Error::PartialStep`] for values that do not form whole steps.
    pub fn rounded<T: Copy + Into<f64>>(values: &[T], features: usize) -> Result<Self> {
        let round = |&value: &T| f64::from(value.into() as f32);
        Self::new(values.iter().map(round).collect(), features, false)
    }

    /// Takes values that keep their 64 bits.
    ///
    /// # Errors
    ///
    /// As [`rounded`](Self::rounded).
    pub fn exact(values: Vec<f64>, features: usize) -> Result<Self> {
        Self::new(values, features, true)
    }

    fn new(values: Vec<f64>, features: usize, exact: bool) -> Result<Self> {
        check_steps(values.len(), features)?;
        Ok(Self { values, features, exact })
    }

    /// Takes values in the memory of other values, without an allocation if they fit. `exact` says whether they keep their
    /// 64 bits.
    ///
    /// # Errors
    ///
    /// As [`rounded`](Self::rounded); the values are unchanged then.
    pub fn refill<T: Copy + Into<f64>>(
        &mut self,
        values: &[T],
        features: usize,
        exact: bool,
    ) -> Result<()> {
        check_steps(values.len(), features)?;
        (self.features, self.exact) = (features, exact);
        self.values.clear();
        self.values.extend(values.iter().map(|&value| value.into()));
        if !exact {
            self.round();
        }
        Ok(())
    }

    /// Returns the values, row-major `[T, features]`.
    pub fn as_slice(&self) -> &[f64] {
        &self.values
    }

    /// Returns the values, row-major `[T, features]`.
    pub fn into_vec(self) -> Vec<f64> {
        self.values
    }

    /// Returns the number of features of a step.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Whether the values keep their 64 bits.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Rounds the values to 32 bits.
    pub(crate) fn round(&mut self) {
        self.exact = false;
        self.values.iter_mut().for_each(|value| *value = f64::from(*value as f32));
    }
}

/// Checks that values form whole steps.
fn check_steps(values: usize, features: usize) -> Result<()> {
    if features == 0 {
        return Err(Error::Zero { name: "features" });
    }
    if !values.is_multiple_of(features) {
        return Err(Error::PartialStep { values, features });
    }
    Ok(())
}
