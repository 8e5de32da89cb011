//! In which order an epoch visits the examples.

use std::sync::Arc;

use ragged_sequence::random::{Generator, Purpose};
use rand::Rng;
use rand::distr::Distribution;
use rand::seq::SliceRandom;
use rand_distr::weighted::WeightedAliasIndex;

use crate::{Dataset, Error, Result, Target};

/// The order of the examples, a function of the seed and the epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum Sampler {
    /// As they are: for validation and test.
    Sequential,
    /// Every example once, shuffled anew each epoch.
    Shuffle {
        /// Where the order comes from.
        seed: u64,
    },
    /// As many draws as there are examples, with replacement: an example comes the more often, the
    /// greater its weight.
    Weighted {
        /// One an example.
        weights: Weights,
        /// Where the draws come from.
        seed: u64,
    },
    /// Every example once, shuffled so that every stretch of the order, and so every batch, holds
    /// the classes in nearly their share of the whole.
    Stratified {
        /// The class of each example.
        strata: Strata,
        /// Where the order comes from.
        seed: u64,
    },
}

impl Sampler {
    /// `len` indices below `len` in the order of `epoch`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for weights or strata of another number of examples.
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
                check_count("weights", weights.0.len(), len)?;
                let distribution = weights.distribution()?;
                let rng = generator(*seed, Purpose::WeightedDraw);
                distribution.sample_iter(rng).take(len).collect()
            }
            Self::Stratified { strata, seed } => {
                check_count("strata", strata.0.len(), len)?;
                strata.order(&mut generator(*seed, Purpose::StratifiedOrder))
            }
        })
    }

    /// The seed of a random order.
    pub(crate) fn seed(&self) -> Option<u64> {
        match self {
            Self::Sequential => None,
            Self::Shuffle { seed }
            | Self::Weighted { seed, .. }
            | Self::Stratified { seed, .. } => Some(*seed),
        }
    }
}

fn check_count(name: &'static str, got: usize, len: usize) -> Result<()> {
    if got == len {
        return Ok(());
    }
    Err(Error::Config { name, got: format!("for {got} examples"), expected: format!("{len}") })
}

/// One weight an example: finite, none negative, some positive.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights(Arc<[f64]>);

impl Weights {
    /// # Errors
    ///
    /// [`Error::Config`] for a weight that is negative or not finite, or where none is positive.
    pub fn new(weights: Vec<f64>) -> Result<Self> {
        let weights = Self(weights.into());
        weights.distribution()?;
        Ok(weights)
    }

    /// Weights by which every class is drawn equally often, whatever its share of the examples.
    ///
    /// # Errors
    ///
    /// Those of the data set, and [`Error::Example`] for a target that is no class.
    pub fn balanced<D: Dataset + ?Sized>(dataset: &D) -> Result<Self> {
        let classes = classes(dataset)?;
        let mut counts = vec![0u32; classes.iter().max().map_or(0, |&most| most as usize + 1)];
        classes.iter().for_each(|&class| counts[class as usize] += 1);
        Self::new(classes.iter().map(|&class| 1.0 / f64::from(counts[class as usize])).collect())
    }

    fn distribution(&self) -> Result<WeightedAliasIndex<f64>> {
        let bad = self.0.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0));
        WeightedAliasIndex::new(self.0.to_vec()).map_err(|_| Error::Config {
            name: "weights",
            got: bad.map_or(format!("{} zeros", self.0.len()), f64::to_string),
            expected: "finite numbers of at least 0, and one above it".into(),
        })
    }
}

/// The class of each example, by which an order is stratified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strata(Arc<[u32]>);

impl Strata {
    /// Any grouping: one number an example.
    pub fn new(groups: Vec<u32>) -> Self {
        Self(groups.into())
    }

    /// The classes of a data set.
    ///
    /// # Errors
    ///
    /// Those of the data set, and [`Error::Example`] for a target that is no class.
    pub fn of<D: Dataset + ?Sized>(dataset: &D) -> Result<Self> {
        classes(dataset).map(Self::new)
    }

    /// Spreads each class evenly over the order: the k-th of its n examples in a random order falls
    /// somewhere in the k-th of n equal parts.
    fn order(&self, rng: &mut impl Rng) -> Vec<usize> {
        let mut shuffled: Vec<usize> = (0..self.0.len()).collect();
        shuffled.shuffle(rng);
        // Stable, so that the order within a class stays random.
        shuffled.sort_by_key(|&index| self.0[index]);
        let groups = shuffled.chunk_by(|&a, &b| self.0[a] == self.0[b]);
        let mut placed: Vec<(f64, usize)> = Vec::with_capacity(self.0.len());
        for group in groups {
            for (k, &index) in group.iter().enumerate() {
                placed.push(((k as f64 + rng.random::<f64>()) / group.len() as f64, index));
            }
        }
        placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        placed.into_iter().map(|(_, index)| index).collect()
    }
}

fn classes<D: Dataset + ?Sized>(dataset: &D) -> Result<Vec<u32>> {
    (0..dataset.len())
        .map(|index| match dataset.get(0, index)?.target {
            Target::Class(class) => Ok(class),
            other => {
                let got = format!("target {other:?}");
                Err(Error::Example { index, got, expected: "a class".into() })
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Example, InMemory, Sequence, TargetKind};

    #[track_caller]
    fn check_permutation(mut order: Vec<usize>, len: usize) {
        order.sort_unstable();
        assert_eq!(order, (0..len).collect::<Vec<_>>());
    }

    #[test]
    fn a_shuffle_is_a_permutation_of_its_seed_and_epoch() {
        let order = |seed, epoch| Sampler::Shuffle { seed }.indices(50, epoch).unwrap();
        assert_eq!(order(1, 3), order(1, 3));
        assert_ne!(order(1, 3), order(1, 4));
        assert_ne!(order(1, 3), order(2, 3));
        check_permutation(order(1, 3), 50);
        check_permutation(Sampler::Sequential.indices(50, 9).unwrap(), 50);
    }

    /// 90 examples of class 0, 10 of class 1.
    fn skewed() -> InMemory {
        let example = |i| Example {
            sequence: Sequence::new(vec![i as f32], 1).unwrap(),
            target: Target::Class(u32::from(i % 10 == 0)),
        };
        let kind = TargetKind::Classes(vec!["many".into(), "few".into()]);
        InMemory::new((0..100).map(example).collect(), kind).unwrap()
    }

    #[test]
    fn weights_are_how_often_an_example_comes() {
        let weights = Weights::new(vec![1.0, 0.0, 3.0]).unwrap();
        let sampler = Sampler::Weighted { weights, seed: 1 };
        let mut counts = [0; 3];
        for epoch in 0..4000 {
            sampler.indices(3, epoch).unwrap().iter().for_each(|&index| counts[index] += 1);
        }
        assert_eq!((counts[1], counts.iter().sum::<usize>()), (0, 12_000));
        assert!((2800..3200).contains(&counts[0]), "{counts:?}");

        let weights = Weights::balanced(&skewed()).unwrap();
        let sampler = Sampler::Weighted { weights, seed: 1 };
        let drawn: Vec<usize> = (0..50).flat_map(|e| sampler.indices(100, e).unwrap()).collect();
        let few = drawn.iter().filter(|&&index| index % 10 == 0).count();
        assert!((2350..2650).contains(&few), "{few} of 5000");
        assert_ne!(sampler.indices(100, 0).unwrap(), sampler.indices(100, 1).unwrap());
    }

    #[test]
    fn every_stretch_of_a_stratified_order_has_the_classes_shares() {
        let sampler = Sampler::Stratified { strata: Strata::of(&skewed()).unwrap(), seed: 2 };
        for epoch in 0..20 {
            let order = sampler.indices(100, epoch).unwrap();
            for batch in order.chunks(20) {
                // Two are the share; a stretch cuts one part of ten at each end.
                let few = batch.iter().filter(|&&index| index % 10 == 0).count();
                assert!((1..=3).contains(&few), "{few} of 20");
            }
            check_permutation(order, 100);
        }
        assert_ne!(sampler.indices(100, 0).unwrap(), sampler.indices(100, 1).unwrap());
    }

    #[test]
    fn what_cannot_be_drawn_from_is_named() {
        #[track_caller]
        fn check(weights: Vec<f64>, got: &str) {
            let error = Weights::new(weights).unwrap_err().to_string();
            let expected = "finite numbers of at least 0, and one above it";
            assert_eq!(error, format!("weights is {got}: expected {expected}"));
        }
        check(vec![1.0, -2.0], "-2");
        check(vec![1.0, f64::NAN], "NaN");
        check(vec![f64::INFINITY], "inf");
        check(vec![0.0, 0.0], "2 zeros");
        check(vec![], "0 zeros");
        let sampler = Sampler::Stratified { strata: Strata::new(vec![0, 1]), seed: 0 };
        let message = "strata is for 2 examples: expected 3";
        assert_eq!(sampler.indices(3, 0).unwrap_err().to_string(), message);
        let sampler = Sampler::Weighted { weights: Weights::new(vec![1.0]).unwrap(), seed: 0 };
        let message = "weights is for 1 examples: expected 3";
        assert_eq!(sampler.indices(3, 0).unwrap_err().to_string(), message);
    }
}
