//! In which order an epoch visits the examples.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The order of the examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampler {
    /// As they are.
    Sequential,
    /// Shuffled anew each epoch.
    Shuffle {
        /// Where the order comes from.
        seed: u64,
    },
}

impl Sampler {
    /// A permutation of `0..len` that depends on the seed and the epoch alone.
    pub fn indices(self, len: usize, epoch: usize) -> Vec<usize> {
        let mut indices: Vec<usize> = (0..len).collect();
        if let Self::Shuffle { seed } = self {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(epoch as u64);
            indices.shuffle(&mut rng);
        }
        indices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_of_its_seed_and_epoch() {
        let order = |seed, epoch| Sampler::Shuffle { seed }.indices(50, epoch);
        assert_eq!(order(1, 3), order(1, 3));
        assert_ne!(order(1, 3), order(1, 4));
        assert_ne!(order(1, 3), order(2, 3));
        let mut sorted = order(1, 3);
        sorted.sort_unstable();
        assert_eq!(sorted, Sampler::Sequential.indices(50, 9));
    }
}
