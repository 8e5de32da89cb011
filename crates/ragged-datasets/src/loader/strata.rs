//! Orders in which every stretch holds each class in proportion.

use std::sync::Arc;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::example::Target;
use crate::target_shape::ExpectedTarget;

/// The class of each example, by which an order is stratified.
///
/// ```
/// use ragged_datasets::{Sampler, Strata};
///
/// // Six examples of class 0 and two of class 1: one of each half has class 1.
/// let strata = Strata::new(vec![0, 0, 0, 0, 0, 0, 1, 1]);
/// let order = Sampler::Stratified { strata, seed: 42 }.indices(8, 0)?;
/// assert_eq!(order[..4].iter().filter(|&&index| index >= 6).count(), 1);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strata(Arc<[u32]>);

impl Strata {
    /// Creates strata from any grouping, given as one number per example.
    pub fn new(groups: Vec<u32>) -> Self {
        Self(groups.into())
    }

    /// Creates strata from the classes of a data set.
    ///
    /// # Errors
    ///
    /// Errors from the data set, and [`Error::Target`] for a target that is not a class.
    pub fn of<D: Dataset + ?Sized>(dataset: &D) -> Result<Self> {
        let class = |index| match dataset.get(0, index)?.target {
            Target::Class(class) => Ok(class),
            other => {
                let expected = ExpectedTarget::Class { classes: None };
                Err(Error::Target { index, got: other.shape(), expected })
            }
        };
        Ok(Self::new((0..dataset.len()).map(class).collect::<Result<_>>()?))
    }

    /// Returns the class of each example.
    pub(crate) fn classes(&self) -> &[u32] {
        &self.0
    }

    /// Returns the number of examples.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns all indices in a random order over which each class is spread evenly.
    pub(crate) fn shuffle(&self, rng: &mut impl Rng) -> Vec<usize> {
        let mut shuffled: Vec<usize> = (0..self.len()).collect();
        shuffled.shuffle(rng);
        self.spread(&shuffled, || rng.random())
    }

    /// Spreads each class evenly over `order`, which keeps its order within each class.
    pub(crate) fn interleave(&self, order: &[usize]) -> Vec<usize> {
        self.spread(order, || 0.5)
    }

    /// Moves the k-th of the n examples of a class to the k-th of n equal parts of the order, where
    /// `offset`, from 0 to below 1, gives its position within the part.
    fn spread(&self, order: &[usize], mut offset: impl FnMut() -> f64) -> Vec<usize> {
        let mut by_class = order.to_vec();
        // A stable sort keeps the order within each class.
        by_class.sort_by_key(|&index| self.0[index]);
        let mut placed: Vec<(f64, usize)> = Vec::with_capacity(order.len());
        for class in by_class.chunk_by(|&a, &b| self.0[a] == self.0[b]) {
            for (k, &index) in class.iter().enumerate() {
                placed.push(((k as f64 + offset()) / class.len() as f64, index));
            }
        }
        placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        placed.into_iter().map(|(_, index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use ragged_sequence::random::Generator;

    use super::*;

    /// 90 examples of class 0, 10 of class 1: every tenth.
    fn skewed() -> Strata {
        Strata::new((0..100).map(|i| u32::from(i % 10 == 0)).collect())
    }

    #[track_caller]
    fn check_shares(order: &[usize]) {
        for batch in order.chunks(20) {
            // The share is 2. A stretch of the order can cut one part of ten at each end.
            let few = batch.iter().filter(|&&index| index % 10 == 0).count();
            assert!((1..=3).contains(&few), "{few} of 20");
        }
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn every_stretch_of_a_stratified_order_has_each_class_in_proportion() {
        let order = |seed| skewed().shuffle(&mut Generator::seed(seed));
        (0..20).for_each(|seed| check_shares(&order(seed)));
        assert_ne!(order(0), order(1));
    }

    #[test]
    fn interleaving_keeps_the_order_within_each_class() {
        let falling: Vec<usize> = (0..100).rev().collect();
        let order = skewed().interleave(&falling);
        check_shares(&order);
        for class in [true, false] {
            let of_class = order.iter().copied().filter(|index| (index % 10 == 0) == class);
            assert!(of_class.is_sorted_by(|a, b| a > b));
        }
    }
}
