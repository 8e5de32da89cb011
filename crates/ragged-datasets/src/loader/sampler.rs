//! The order in which an epoch visits the examples.

use ragged_sequence::random::{Generator, Purpose};
use rand::seq::SliceRandom;

use crate::error::{Error, Result, check_size};
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
    /// Every example once, in an order that visits neighbours together, for data that are read in blocks
    /// ([`Streamed`](crate::formats::Streamed)).
    ///
    /// Blocks of neighbouring examples are shuffled; then the examples of each `buffer` consecutive blocks are shuffled
    /// together. With one block, or a buffer of all, every order is equally likely.
    Blocks {
        /// The number of examples of a block, at least 1.
        block: usize,
        /// The number of blocks whose examples are mixed, at least 1.
        buffer: usize,
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
            Self::Blocks { block, buffer, seed } => {
                check_size("block", *block, usize::MAX)?;
                check_size("buffer", *buffer, usize::MAX)?;
                let generator = &mut generator(*seed, Purpose::ExampleOrder);
                let mut blocks: Vec<usize> = (0..len.div_ceil(*block)).collect();
                blocks.shuffle(generator);
                let mut order = Vec::with_capacity(len);
                for mixed in blocks.chunks(*buffer) {
                    let begin = order.len();
                    let range =
                        |&k: &usize| k * block..k.saturating_add(1).saturating_mul(*block).min(len);
                    order.extend(mixed.iter().flat_map(range));
                    order[begin..].shuffle(generator);
                }
                order
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
            | Self::Blocks { seed, .. }
            | Self::Weighted { seed, .. }
            | Self::Stratified { seed, .. } => Some(*seed),
        }
    }

    /// Returns the classes of a stratified order.
    pub(crate) fn strata(&self) -> Option<&Strata> {
        match self {
            Self::Stratified { strata, .. } => Some(strata),
            Self::Sequential
            | Self::Shuffle { .. }
            | Self::Blocks { .. }
            | Self::Weighted { .. } => None,
        }
    }

    /// Returns the number of consecutive examples of the order that are near each other in the data set, if only some
    /// are.
    pub(crate) fn window(&self) -> Option<usize> {
        match self {
            Self::Blocks { block, buffer, .. } => Some(block.saturating_mul(*buffer)),
            Self::Sequential
            | Self::Shuffle { .. }
            | Self::Weighted { .. }
            | Self::Stratified { .. } => None,
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
    fn blocks_are_a_permutation_in_which_neighbours_stay_near() {
        let order = |len, block, buffer, epoch| {
            Sampler::Blocks { block, buffer, seed: 3 }.indices(len, epoch).unwrap()
        };
        for (len, block, buffer) in [(100, 8, 3), (7, 1, 1), (5, 100, 2), (1, 1, 9), (64, 8, 8)] {
            let mut sorted = order(len, block, buffer, 0);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..len).collect::<Vec<_>>(), "{len} {block} {buffer}");
        }
        assert_eq!(order(100, 8, 3, 1), order(100, 8, 3, 1));
        assert_ne!(order(100, 8, 3, 1), order(100, 8, 3, 2));
        // Three blocks at a time. The last one is shorter and may be in any of the windows.
        for window in order(96, 8, 3, 0).chunks(24) {
            let blocks: std::collections::HashSet<usize> = window.iter().map(|i| i / 8).collect();
            assert_eq!(blocks.len(), 3);
            assert_ne!(window, sorted(window));
        }
        let error = Sampler::Blocks { block: 0, buffer: 1, seed: 0 }.indices(3, 0).unwrap_err();
        assert_eq!(error.to_string(), "block is 0: expected at least 1");
    }

    fn sorted(indices: &[usize]) -> Vec<usize> {
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        sorted
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
