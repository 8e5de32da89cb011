//! Whether the activations of a layer are kept for the backward pass or computed once more.

use std::fmt;
use std::num::NonZeroUsize;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The activations that are worth computing once more, in bytes: those of one layer and direction of fewer are kept.
const WORTHWHILE_BYTES: usize = 64 << 20;

/// The fewest rows of an automatic segment: with fewer, the products over the rows of a segment take longer per row.
const MIN_ROWS: usize = 256;

/// [`Recompute::Auto`] in a configuration.
const AUTO: &str = "auto";

/// How many time steps of activations a layer has in memory in training: gradient checkpointing through time
/// (Gruslys et al. 2016).
///
/// The forward pass keeps the states every so many steps, and the backward pass computes the activations between them
/// once more. All results are the same, bit for bit, and it takes more time. For T steps, segments of √T take the
/// least memory: the activations of about 2 √T steps instead of T. What else there is of every step is not part of it:
/// the inputs of a layer and its outputs, and their gradients. The outputs of the last layer are not kept if a
/// [`Model`](crate::Model) reads the final states only. In a configuration, it is `"auto"` or the number of steps.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Lstm, Mode, Parameters, Recompute, RecurrentConfig};
///
/// let parameters = Parameters::new(1);
/// let vb = parameters.builder(DType::F32, &Device::Cpu);
/// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?.with_recompute(Recompute::every(30));
/// let input = Tensor::ones((1, 1000, 3), DType::F32, &Device::Cpu)?;
/// let (output, _) = lstm.forward(&input, None, Mode::Eval)?;
/// let gradients = output.sum_all()?.backward()?;
/// assert!(gradients.get(&parameters.named()[0].1).is_some());
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recompute {
    /// Segments of about √T steps, and of at least 256 rows, where all activations of a layer and direction would take
    /// more than 64 MiB. Where they take less, they are kept.
    Auto,
    /// Segments of so many steps, for sequences that are longer.
    Every(NonZeroUsize),
}

impl Recompute {
    /// Returns [`Every`](Self::Every), or `None` for 0: all activations are kept.
    ///
    /// ```
    /// use ragged_models::Recompute;
    ///
    /// assert!(matches!(Recompute::every(100), Some(Recompute::Every(steps)) if steps.get() == 100));
    /// assert_eq!(Recompute::every(0), None);
    /// ```
    pub fn every(steps: usize) -> Option<Self> {
        NonZeroUsize::new(steps).map(Self::Every)
    }

    /// Returns the steps of a segment for a batch of `rows` time steps in total, whose longest sequence has `steps`
    /// and whose activations in one layer and direction take `bytes`; `None` if they are kept.
    ///
    /// ```
    /// use ragged_models::Recompute;
    ///
    /// // An LSTM with 256 hidden units keeps 5 KiB per step.
    /// let auto = |steps: usize| Recompute::Auto.segment_steps(steps, steps, steps * 5 * 1024);
    /// assert_eq!(auto(1_000_000).map(|steps| steps.get()), Some(1000));
    /// assert_eq!(auto(10_000), None);
    /// ```
    pub fn segment_steps(self, steps: usize, rows: usize, bytes: usize) -> Option<NonZeroUsize> {
        let segment = match self {
            Self::Every(segment) => segment.get(),
            Self::Auto if bytes <= WORTHWHILE_BYTES || rows == 0 => return None,
            Self::Auto => {
                let root = (steps as f64).sqrt().ceil() as usize;
                // So many steps have this many rows on average.
                let full = (MIN_ROWS as f64 * steps as f64 / rows as f64).ceil() as usize;
                root.max(full)
            }
        };
        NonZeroUsize::new(segment).filter(|segment| segment.get() < steps)
    }
}

impl Serialize for Recompute {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => AUTO.serialize(to),
            Self::Every(steps) => steps.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Recompute {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameOrSteps;

        impl Visitor<'_> for NameOrSteps {
            type Value = Recompute;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"auto\" or a whole number of at least 1")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Recompute, E> {
                match name {
                    AUTO => Ok(Recompute::Auto),
                    _ => Err(E::invalid_value(Unexpected::Str(name), &self)),
                }
            }

            fn visit_u64<E: Error>(self, steps: u64) -> Result<Recompute, E> {
                let every = usize::try_from(steps).ok().and_then(Recompute::every);
                every.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(steps), &self))
            }

            fn visit_i64<E: Error>(self, steps: i64) -> Result<Recompute, E> {
                let every = usize::try_from(steps).ok().and_then(Recompute::every);
                every.ok_or_else(|| E::invalid_value(Unexpected::Signed(steps), &self))
            }
        }

        from.deserialize_any(NameOrSteps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_segments_follow_the_root_of_the_length() {
        let auto = |steps, rows, bytes| {
            Recompute::Auto.segment_steps(steps, rows, bytes).map(NonZeroUsize::get)
        };
        assert_eq!(auto(1_000_000, 1_000_000, usize::MAX), Some(1000));
        assert_eq!(auto(100_000, 100_000, usize::MAX), Some(317));
        // Few rows per step, and many.
        assert_eq!(auto(10_000, 10_000, usize::MAX), Some(256));
        assert_eq!(auto(10_000, 40_000, usize::MAX), Some(100));
        // Small batches, short ones, and none.
        assert_eq!(auto(10_000, 10_000, WORTHWHILE_BYTES), None);
        assert_eq!(auto(100, 100, usize::MAX), None);
        assert_eq!(auto(1, 1000, usize::MAX), None);
        assert_eq!(auto(0, 0, 0), None);
    }

    #[test]
    fn fixed_segments_need_a_longer_sequence() {
        let every = |segment, steps| {
            Recompute::every(segment)
                .and_then(|recompute| recompute.segment_steps(steps, steps, 1))
                .map(NonZeroUsize::get)
        };
        assert_eq!((every(10, 11), every(10, 10), every(0, 10)), (Some(10), None, None));
    }
}
