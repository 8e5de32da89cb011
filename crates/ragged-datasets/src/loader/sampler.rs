//! The order in which an epoch visits the examples.

use ragged_sequence::random::{Generator, Purpose};
use rand::seq::SliceRandom;

use crate::error::{Error, Result};
use crate::loader::sample_weights::SampleWeights;
use crate::loader::strata::Strata;

/// The order of the examples, which depends only on the seed and the epoch.
///
/// ```
/// use ragged_datasets::Sampler;
///
/// let sampler = Sampler::Shuffle { seed: 42 };
/// let mut order = sampler.indices(5, 0)?;
/// assert_eq!(order, sampler.indices(5, 0)?);
/// order.sort_unstable();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Sampler {
    /// The order of the data set: for validation and test.
    Sequential,
    /// Every example once, in a new random order in each epoch.
    Shuffle {
        /// The seed of the order.
        seed: u64,
    },
    /// As many draws with replacement as there are examples, in proportion to their weights.
    Weighted {
        /// One weight per example.
        weights: SampleWeights,
        /// The seed of the draws.
        seed: u64,
    },
    /// Every example once, in a random order in which every stretch, and so every batch, holds each
    /// class nearly in proportion to its share of all examples.
    ///
    /// This also holds if batches are sorted by length
    /// ([`bucket_size`](crate::LoaderConfig::bucket_size)): each class is then sorted separately.
    Stratified {
        /// The class of each example.
        strata: Strata,
        /// The seed of the order.
        seed: u64,
    },
}

impl Sampler {
    /// Returns `len` indices below `len` in the order of `epoch`.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless there are `len` weights or strata.
    pub fn indices(&self, len: usize, epoch: usize) -> Result<Vec<usize>> {
        let generator = |seed, purpose| Generator::new(seed, purpose, Some(epoch), 0);
        Ok(match self {
            Self::Sequential => (0..len).collect(),
            Self::Shuffle { seed } => {
                let mut indices: Vec<usize> = (0..len).collect();
                indices.shuffle(&mut generator(*seed, Purpose::ExampleOrder));
                indices
            }
            Self::Weighted { weights, seed } => {
                check_count("weights", weights.len(), len)?;
                weights.draw(&mut generator(*seed, Purpose::WeightedDraw))?
            }
            Self::Stratified { strata, seed } => {
                check_count("strata", strata.len(), len)?;
                strata.shuffle(&mut generator(*seed, Purpose::StratifiedOrder))
            }
        })
    }

    /// Returns the seed of a random order.
    pub(crate) fn seed(&self) -> Option<u64> {
        match self {
            Self::Sequential => None,
            Self::Shuffle { seed }
            | Self::Weighted { seed, .. }
            | Self::Stratified { seed, .. } => Some(*seed),
        }
    }

    /// Returns the classes of a stratified order.
    pub(crate) fn strata(&self) -> Option<&Strata> {
        match self {
            Self::Stratified { strata, .. } => Some(strata),
            Self::Sequential | Self::Shuffle { .. } | Self::Weighted { .. } => None,
        }
    }
}

fn check_count(name: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Count { name, of: "examples", got, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_that_depends_on_its_seed_and_epoch() {
        let order = |seed, epoch| Sampler::Shuffle { seed }.indices(50, epoch).unwrap();
        assert_eq!(order(1, 3), order(1, 3));
        assert_ne!(order(1, 3), order(1, 4));
        assert_ne!(order(1, 3), order(2, 3));
        for mut order in [order(1, 3), Sampler::Sequential.indices(50, 9).unwrap()] {
            order.sort_unstable();
            assert_eq!(order, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn weights_and_strata_must_match_the_data_set() {
        let sampler = Sampler::Stratified { strata: Strata::new(vec![0, 1]), seed: 0 };
        let message = "strata is for 2 examples: expected 3";
        assert_eq!(sampler.indices(3, 0).unwrap_err().to_string(), message);
        let weights = SampleWeights::new(vec![1.0]).unwrap();
        let sampler = Sampler::Weighted { weights, seed: 0 };
        let message = "weights is for 1 examples: expected 3";
        assert_eq!(sampler.indices(3, 0).unwrap_err().to_string(), message);
    }
}
