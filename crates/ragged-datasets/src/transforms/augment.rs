//! Augmentation: random changes of training examples, different in every epoch.

use ragged_sequence::random::{Generator, Purpose};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// The changes, applied in the order of the fields; none by default.
///
/// Targets and lengths are not changed, and missing values stay missing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// The standard deviation of a normal factor with mean 1, one per feature of a sequence (Um et al.
    /// 2017). Default 0.
    pub scaling: f32,
    /// The standard deviation of normal noise added to each value (Um et al. 2017). Default 0.
    pub jitter: f32,
    /// The longest mask. A stretch of 0 to this many steps becomes 0 in all features (Park et al.
    /// 2019), which is the mean if features are standardised. Default 0.
    pub time_mask: usize,
}

impl AugmentConfig {
    /// Whether nothing is changed.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`Error::Number`] for a standard deviation that is negative or not finite.
    pub fn check(&self) -> Result<()> {
        for (name, got) in [("scaling", self.scaling), ("jitter", self.jitter)] {
            if !(got >= 0.0 && got.is_finite()) {
                let expected = "a finite number of at least 0";
                return Err(Error::Number { name, got: got.into(), expected });
            }
        }
        Ok(())
    }
}

/// A data set that augments the examples of another data set, for training only.
///
/// The changes depend only on the seed, the epoch and the index of the example.
///
/// ```
/// use ragged_datasets::{
///     AugmentConfig, Augmented, Dataset, VariableLengthSums, VariableLengthSumsConfig,
/// };
///
/// let data = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
/// let config = AugmentConfig { jitter: 0.1, ..Default::default() };
/// let augmented = Augmented::new(data, config, 42)?;
/// assert_eq!(augmented.get(0, 3)?, augmented.get(0, 3)?);
/// assert_ne!(augmented.get(0, 3)?, augmented.get(1, 3)?);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Augmented<D> {
    dataset: D,
    config: AugmentConfig,
    seed: u64,
}

impl<D: Dataset> Augmented<D> {
    /// Creates a data set.
    ///
    /// # Errors
    ///
    /// As [`AugmentConfig::check`].
    pub fn new(dataset: D, config: AugmentConfig, seed: u64) -> Result<Self> {
        config.check()?;
        Ok(Self { dataset, config, seed })
    }
}

impl<D: Dataset> Dataset for Augmented<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn features(&self) -> usize {
        self.dataset.features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.dataset.target_kind()
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        let mut example = self.dataset.get(epoch, index)?;
        let AugmentConfig { scaling, jitter, time_mask } = self.config;
        let (features, length) = (example.sequence.features(), example.sequence.len());
        let mut rng = Generator::new(self.seed, Purpose::Augmentation, Some(epoch), index);
        let mut normal = |deviation: f32| deviation * rng.sample::<f32, _>(StandardNormal);
        let factors: Vec<f32> = (0..features).map(|_| 1.0 + normal(scaling)).collect();
        for step in example.sequence.values_mut().chunks_exact_mut(features.max(1)) {
            for (value, factor) in step.iter_mut().zip(&factors) {
                *value = *value * factor + normal(jitter);
            }
        }
        let masked_steps = rng.random_range(0..=time_mask.min(length));
        let begin = rng.random_range(0..=length - masked_steps);
        let masked =
            &mut example.sequence.values_mut()[begin * features..(begin + masked_steps) * features];
        masked.iter_mut().filter(|value| !value.is_nan()).for_each(|value| *value = 0.0);
        Ok(example)
    }

    fn target(&self, epoch: usize, index: usize) -> Result<Target> {
        self.dataset.target(epoch, index)
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        self.dataset.length(epoch, index)
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.dataset.feature_names()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        self.dataset.token_columns()
    }

    fn static_columns(&self) -> &StaticColumns {
        self.dataset.static_columns()
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.dataset.id(index)
    }

    fn notes(&self) -> &[String] {
        self.dataset.notes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Sequence;
    use crate::in_memory::InMemory;

    fn data(length: usize) -> InMemory {
        let mut values = vec![2.0; length * 2];
        values[1] = f32::NAN;
        let sequence = Sequence::new(values, 2).unwrap();
        let example = Example::new(sequence, Target::Values(vec![1.0]));
        InMemory::new(vec![example; 50], TargetKind::Values(1)).unwrap()
    }

    fn values(config: AugmentConfig, epoch: usize, index: usize) -> Vec<f32> {
        let augmented = Augmented::new(data(40), config, 3).unwrap();
        augmented.get(epoch, index).unwrap().sequence.values().to_vec()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    fn changes_depend_only_on_the_seed_the_epoch_and_the_example() {
        let config = AugmentConfig { scaling: 0.1, jitter: 0.2, time_mask: 5 };
        let same = |a: (usize, usize), b: (usize, usize)| {
            bits(&values(config, a.0, a.1)) == bits(&values(config, b.0, b.1))
        };
        assert!(same((1, 4), (1, 4)));
        assert!(!same((1, 4), (2, 4)) && !same((1, 4), (1, 5)));
        let other = Augmented::new(data(40), config, 4).unwrap().get(1, 4).unwrap();
        assert_ne!(bits(other.sequence.values()), bits(&values(config, 1, 4)));
        // Without options, nothing changes.
        let nothing = values(AugmentConfig::default(), 0, 0);
        assert_eq!(bits(&nothing), bits(data(40).examples()[0].sequence.values()));
    }

    #[test]
    fn each_option_changes_what_its_name_says() {
        let present = |v: &[f32]| -> Vec<f32> {
            assert!(v[1].is_nan());
            v.iter().copied().filter(|v| !v.is_nan()).collect()
        };
        let scaled = values(AugmentConfig { scaling: 0.5, ..Default::default() }, 0, 0);
        let (first, second) = (scaled[0], scaled[3]);
        assert!(first != second && first != 2.0);
        assert!(scaled.chunks(2).skip(1).all(|step| step == [first, second]));

        let all: Vec<f32> = (0..50)
            .flat_map(|i| {
                present(&values(AugmentConfig { jitter: 0.5, ..Default::default() }, 0, i))
            })
            .collect();
        let mean = all.iter().sum::<f32>() / all.len() as f32;
        let variance = all.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / all.len() as f32;
        assert!((mean - 2.0).abs() < 0.05 && (variance - 0.25).abs() < 0.02, "{mean} {variance}");

        let mask = AugmentConfig { time_mask: 6, ..Default::default() };
        let widths: Vec<usize> = (0..50)
            .map(|index| {
                let values = values(mask, 0, index);
                let zeros: Vec<usize> = (0..40).filter(|t| values[2 * t] == 0.0).collect();
                assert!(zeros.windows(2).all(|pair| pair[1] == pair[0] + 1), "one stretch");
                zeros.len()
            })
            .collect();
        assert_eq!((widths.iter().min(), widths.iter().max()), (Some(&0), Some(&6)));
    }

    #[test]
    fn short_sequences_and_invalid_options() {
        let mask = AugmentConfig { time_mask: 100, ..Default::default() };
        let empty = Sequence::new(vec![], 2).unwrap();
        let example = Example::new(empty, Target::Values(vec![]));
        let empty = InMemory::new(vec![example], TargetKind::NONE).unwrap();
        assert!(Augmented::new(empty, mask, 0).unwrap().get(0, 0).unwrap().sequence.is_empty());
        assert!(Augmented::new(data(1), mask, 0).unwrap().get(0, 0).is_ok());
        let bad = AugmentConfig { jitter: -1.0, ..Default::default() };
        let error = Augmented::new(data(1), bad, 0).unwrap_err().to_string();
        assert_eq!(error, "jitter is -1: expected a finite number of at least 0");
    }
}
