//! How often each example is drawn.

use std::sync::Arc;

use rand::Rng;
use rand::distr::Distribution;
use rand_distr::weighted::WeightedAliasIndex;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::loader::strata::Strata;

/// One weight per example, in proportion to which examples are drawn.
///
/// All weights are finite and at least 0, and at least one is positive.
///
/// ```
/// use ragged_datasets::{SampleWeights, Sampler};
///
/// let weights = SampleWeights::new(vec![1.0, 0.0, 3.0])?;
/// let order = Sampler::Weighted { weights, seed: 42 }.indices(3, 0)?;
/// assert!(order.iter().all(|&index| index != 1));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SampleWeights(Arc<[f64]>);

impl SampleWeights {
    /// Creates weights from a list in the order of the examples.
    ///
    /// # Errors
    ///
    /// [`Error::Number`] for a weight that is negative or not finite, [`Error::ZeroWeights`] if none is
    /// positive.
    pub fn new(weights: Vec<f64>) -> Result<Self> {
        if let Some(&got) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
            let expected = "a finite number of at least 0";
            return Err(Error::Number { name: "weight", got, expected });
        }
        let weights = Self(weights.into());
        weights.distribution()?;
        Ok(weights)
    }

    /// Creates weights by which every class is drawn equally often, however many examples it has.
    ///
    /// # Errors
    ///
    /// Errors from the data set, and [`Error::Target`] for a target that is not a class.
    pub fn balanced<D: Dataset + ?Sized>(dataset: &D) -> Result<Self> {
        let strata = Strata::of(dataset)?;
        let classes = strata.classes();
        let mut counts = vec![0u32; classes.iter().max().map_or(0, |&most| most as usize + 1)];
        classes.iter().for_each(|&class| counts[class as usize] += 1);
        Self::new(classes.iter().map(|&class| 1.0 / f64::from(counts[class as usize])).collect())
    }

    /// Returns the number of weights.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Draws as many indices as there are weights, with replacement.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Result<Vec<usize>> {
        Ok(self.distribution()?.sample_iter(rng).take(self.len()).collect())
    }

    fn distribution(&self) -> Result<WeightedAliasIndex<f64>> {
        // Finite weights of at least 0 have a distribution unless all are 0.
        WeightedAliasIndex::new(self.0.to_vec())
            .map_err(|_| Error::ZeroWeights { count: self.len() })
    }
}

#[cfg(test)]
mod tests {
    use ragged_sequence::random::Generator;

    use super::*;
    use crate::example::{Example, Sequence, Target};
    use crate::in_memory::InMemory;
    use crate::target_kind::TargetKind;

    #[test]
    fn examples_are_drawn_in_proportion_to_their_weights() {
        let weights = SampleWeights::new(vec![1.0, 0.0, 3.0]).unwrap();
        let mut counts = [0; 3];
        for seed in 0..4000 {
            let drawn = weights.draw(&mut Generator::seed(seed)).unwrap();
            drawn.iter().for_each(|&index| counts[index] += 1);
        }
        assert_eq!((counts[1], counts.iter().sum::<usize>()), (0, 12_000));
        assert!((2800..3200).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn balanced_weights_draw_rare_classes_as_often() {
        // 90 examples of class 0, 10 of class 1.
        let example = |i| {
            let sequence = Sequence::new(vec![i as f32], 1).unwrap();
            Example::new(sequence, Target::Class(u32::from(i % 10 == 0)))
        };
        let kind = TargetKind::Classes(vec!["many".into(), "few".into()]);
        let data = InMemory::new((0..100).map(example).collect(), kind).unwrap();
        let weights = SampleWeights::balanced(&data).unwrap();
        let draw = |seed| weights.draw(&mut Generator::seed(seed)).unwrap();
        let drawn: Vec<usize> = (0..50).flat_map(draw).collect();
        let few = drawn.iter().filter(|&&index| index % 10 == 0).count();
        assert!((2350..2650).contains(&few), "{few} of 5000");
        assert_ne!(draw(0), draw(1));
    }

    #[test]
    fn unusable_weights_are_named() {
        #[track_caller]
        fn check(weights: Vec<f64>, message: &str) {
            assert_eq!(SampleWeights::new(weights).unwrap_err().to_string(), message);
        }
        check(vec![1.0, -2.0], "weight is -2: expected a finite number of at least 0");
        check(vec![1.0, f64::NAN], "weight is NaN: expected a finite number of at least 0");
        check(vec![f64::INFINITY], "weight is inf: expected a finite number of at least 0");
        check(vec![0.0, 0.0], "all 2 weights are 0: expected at least one positive weight");
        check(vec![], "all 0 weights are 0: expected at least one positive weight");
    }
}
