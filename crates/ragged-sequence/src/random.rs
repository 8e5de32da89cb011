//! Random generators, each derived from (seed, purpose, epoch, index) and from nothing else.
//!
//! A program has one seed and many uses of randomness. If two uses drew from the same stream, their
//! results would be correlated: a shuffle could repeat the train/test split. Here the [`Purpose`] is
//! part of the key of ChaCha (Bernstein 2008), so that no two uses share a stream. A generator never
//! depends on what was drawn before, so a run can be resumed anywhere, and any number of threads
//! give the same results.
//!
//! ```text
//! key     seed (64 bits) | epoch (64 bits) | purpose | epoch given? | by name? | zeros
//! stream  index, or the hash of a name
//! ```
//!
//! ```
//! use ragged_sequence::random::{Generator, Purpose, RngCore};
//!
//! let mut first = Generator::new(42, Purpose::Dropout, Some(3), 0);
//! let mut again = Generator::new(42, Purpose::Dropout, Some(3), 0);
//! let mut next_batch = Generator::new(42, Purpose::Dropout, Some(3), 1);
//! let value = first.next_u64();
//! assert_eq!(value, again.next_u64());
//! assert_ne!(value, next_batch.next_u64());
//! ```

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use rand::RngCore;

/// What random values are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Anything else: what [`Generator::seed`] returns.
    General = 0,
    /// The initial values of parameters, by name.
    Parameters = 1,
    /// The content of generated examples, by example.
    Content = 2,
    /// The order of the examples of an epoch.
    ExampleOrder = 3,
    /// The order of the batches of an epoch.
    BatchOrder = 4,
    /// The division of a data set into two parts.
    Split = 5,
    /// Random changes of training examples, by example.
    Augmentation = 6,
    /// The elements that dropout sets to zero, by batch.
    Dropout = 7,
    /// Draws of examples with replacement, by weight.
    WeightedDraw = 8,
    /// The order of the examples of an epoch, stratified by class.
    StratifiedOrder = 9,
    /// Further seeds: what [`derive_seed`] returns, by index.
    DerivedSeed = 10,
}

/// A seeded generator: the same values on every machine.
///
/// It implements [`RngCore`] of rand 0.9, so it can be used wherever this workspace or candle takes a
/// generator, and a program needs no dependency on rand.
///
/// ```
/// use ragged_sequence::random::{Generator, RngCore};
///
/// let mut generator = Generator::seed(42);
/// let mut copy = generator.clone();
/// assert_eq!(generator.next_u32(), copy.next_u32());
/// assert_ne!(generator.next_u32(), Generator::seed(43).next_u32());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generator(ChaCha8Rng);

impl Generator {
    /// Creates a general-purpose generator.
    ///
    /// It shares no stream with the generators that the crates of this workspace derive from the same
    /// seed.
    pub fn seed(seed: u64) -> Self {
        Self::new(seed, Purpose::General, None, 0)
    }

    /// Creates the generator of (seed, purpose, epoch, index).
    ///
    /// `epoch` is `None` for what is the same in all epochs. `index` counts examples or batches, as
    /// the purpose says; 0 where there is only one.
    pub fn new(seed: u64, purpose: Purpose, epoch: Option<usize>, index: usize) -> Self {
        Self::from_parts(seed, purpose, epoch, false, index as u64)
    }

    /// Creates the generator of (seed, purpose, name), such as that of one parameter.
    ///
    /// ```
    /// use ragged_sequence::random::{Generator, Purpose, RngCore};
    ///
    /// let parameter = |name| Generator::by_name(42, Purpose::Parameters, name).next_u64();
    /// assert_eq!(parameter("head.weight"), parameter("head.weight"));
    /// assert_ne!(parameter("head.weight"), parameter("head.bias"));
    /// ```
    pub fn by_name(seed: u64, purpose: Purpose, name: &str) -> Self {
        Self::from_parts(seed, purpose, None, true, fnv1a(name))
    }

    fn from_parts(
        seed: u64,
        purpose: Purpose,
        epoch: Option<usize>,
        by_name: bool,
        stream: u64,
    ) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(epoch.unwrap_or(0) as u64).to_le_bytes());
        key[16] = purpose as u8;
        key[17] = u8::from(epoch.is_some());
        key[18] = u8::from(by_name);
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }
}

impl RngCore for Generator {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    #[inline]
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// Returns a further seed, where one seed must serve several things of the same purpose, such as the
/// generated training, validation and test examples.
///
/// ```
/// use ragged_sequence::random::derive_seed;
///
/// assert_eq!(derive_seed(42, 1), derive_seed(42, 1));
/// assert_ne!(derive_seed(42, 1), derive_seed(42, 2));
/// assert_ne!(derive_seed(42, 1), derive_seed(43, 1));
/// ```
pub fn derive_seed(seed: u64, index: usize) -> u64 {
    Generator::new(seed, Purpose::DerivedSeed, None, index).next_u64()
}

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo): unlike the standard library's, it is the same on every
/// machine and for every version of Rust.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The purpose after this one. The match is exhaustive, so a new purpose cannot be left out.
    fn next(purpose: Purpose) -> Option<Purpose> {
        Some(match purpose {
            Purpose::General => Purpose::Parameters,
            Purpose::Parameters => Purpose::Content,
            Purpose::Content => Purpose::ExampleOrder,
            Purpose::ExampleOrder => Purpose::BatchOrder,
            Purpose::BatchOrder => Purpose::Split,
            Purpose::Split => Purpose::Augmentation,
            Purpose::Augmentation => Purpose::Dropout,
            Purpose::Dropout => Purpose::WeightedDraw,
            Purpose::WeightedDraw => Purpose::StratifiedOrder,
            Purpose::StratifiedOrder => Purpose::DerivedSeed,
            Purpose::DerivedSeed => return None,
        })
    }

    /// The generators of all purposes, of neighbouring and extreme seeds, epochs and indices, and of
    /// two names, each with a description.
    fn generators() -> Vec<(String, Generator)> {
        let epochs = [None, Some(0), Some(1), Some(2), Some(1 << 31), Some(usize::MAX)];
        let mut all = vec![];
        for purpose in std::iter::successors(Some(Purpose::General), |&purpose| next(purpose)) {
            for seed in [0, 1, 2, 1 << 32, u64::MAX] {
                for epoch in epochs {
                    for index in [0, 1, 2, 1 << 31, usize::MAX] {
                        let generator = Generator::new(seed, purpose, epoch, index);
                        all.push((format!("{purpose:?} {seed} {epoch:?} {index}"), generator));
                    }
                }
                for name in ["", "a"] {
                    let generator = Generator::by_name(seed, purpose, name);
                    all.push((format!("{purpose:?} {seed} {name:?}"), generator));
                }
            }
        }
        all
    }

    #[test]
    fn no_two_purposes_epochs_or_indices_share_a_stream() {
        let generators = generators();
        assert_eq!(generators.len(), 11 * 5 * (6 * 5 + 2));
        let mut streams = HashMap::new();
        let mut drawn = HashMap::new();
        for (what, mut generator) in generators {
            let stream = (generator.0.get_seed(), generator.0.get_stream());
            assert_eq!(streams.insert(stream, what.clone()), None, "{what}");
            // Every place in the first values: a shifted stream would repeat some of them, too. 64
            // random bits do not meet by chance among so few.
            for _ in 0..32 {
                assert_eq!(drawn.insert(generator.next_u64(), what.clone()), None, "{what}");
            }
        }
    }

    #[test]
    fn a_generator_gives_the_same_values_everywhere() {
        let mut generator = Generator::seed(42);
        let mut bytes = [0; 8];
        generator.clone().fill_bytes(&mut bytes);
        assert_eq!(u64::from_le_bytes(bytes), generator.next_u64());
        // The published values of FNV-1a.
        assert_eq!((fnv1a(""), fnv1a("a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }
}
