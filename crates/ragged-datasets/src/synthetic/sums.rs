//! The lecture's two data sets: standard normal values; the target is their sum.

use ragged_sequence::random::{Generator, Purpose};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, check_index};
use crate::error::{Result, check_size};
use crate::example::{Example, Sequence, Target};
use crate::target_kind::TargetKind;

/// The configuration of [`FixedLengthSums`]. The defaults are those of the lecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FixedLengthSumsConfig {
    /// The number of examples. Default 1000.
    pub num_samples: usize,
    /// The length of all sequences. Default 50.
    pub seq_length: usize,
    /// The number of features of each step. Default 7.
    pub input_size: usize,
    /// The seed of the examples. Default 0.
    pub seed: u64,
    /// Whether every epoch generates new examples. Default false.
    pub redraw: bool,
}

impl Default for FixedLengthSumsConfig {
    fn default() -> Self {
        Self { num_samples: 1000, seq_length: 50, input_size: 7, seed: 0, redraw: false }
    }
}

/// The configuration of [`VariableLengthSums`]. The defaults are those of the lecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VariableLengthSumsConfig {
    /// The number of examples. Default 1000.
    pub num_samples: usize,
    /// The longest length; lengths are uniform from 1 to this. Default 50.
    pub max_seq_length: usize,
    /// The number of features of each step. Default 7.
    pub input_size: usize,
    /// The seed of the examples. Default 0.
    pub seed: u64,
    /// Whether every epoch generates new examples. Default false.
    pub redraw: bool,
}

impl Default for VariableLengthSumsConfig {
    fn default() -> Self {
        Self { num_samples: 1000, max_seq_length: 50, input_size: 7, seed: 0, redraw: false }
    }
}

/// Sequences of one length, and the sums of their values.
///
/// Example i depends only on the seed and on i, and on the epoch if examples are redrawn.
///
/// ```
/// use ragged_datasets::{Dataset, FixedLengthSums, FixedLengthSumsConfig};
///
/// let sums = FixedLengthSums::new(FixedLengthSumsConfig::default())?;
/// let example = sums.get(0, 0)?;
/// assert_eq!((example.sequence.len(), example.sequence.features()), (50, 7));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FixedLengthSums {
    config: FixedLengthSumsConfig,
    target_kind: TargetKind,
}

impl FixedLengthSums {
    /// Creates a data set.
    ///
    /// # Errors
    ///
    /// [`Error::Size`](crate::Error::Size) for a size of zero, or one for which an example would not
    /// fit in memory.
    pub fn new(config: FixedLengthSumsConfig) -> Result<Self> {
        check_sizes(config.num_samples, ("seq_length", config.seq_length), config.input_size)?;
        Ok(Self { config, target_kind: TargetKind::Values(1) })
    }
}

impl Dataset for FixedLengthSums {
    fn len(&self) -> usize {
        self.config.num_samples
    }

    fn features(&self) -> usize {
        self.config.input_size
    }

    fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.len())?;
        let c = &self.config;
        let mut rng = Generator::new(c.seed, Purpose::Content, c.redraw.then_some(epoch), index);
        draw(&mut rng, c.seq_length, c.input_size)
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.len()).map(|()| self.config.seq_length)
    }
}

/// Sequences with lengths uniform from 1 to the longest, and the sums of their values.
///
/// Example i depends only on the seed and on i, and on the epoch if examples are redrawn.
///
/// ```
/// use ragged_datasets::{Dataset, VariableLengthSums, VariableLengthSumsConfig};
///
/// let sums = VariableLengthSums::new(VariableLengthSumsConfig { seed: 42, ..Default::default() })?;
/// assert!((1..=50).contains(&sums.get(0, 0)?.sequence.len()));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct VariableLengthSums {
    config: VariableLengthSumsConfig,
    target_kind: TargetKind,
}

impl VariableLengthSums {
    /// Creates a data set.
    ///
    /// # Errors
    ///
    /// [`Error::Size`](crate::Error::Size) for a size of zero, or one for which an example would not
    /// fit in memory.
    pub fn new(config: VariableLengthSumsConfig) -> Result<Self> {
        let longest = ("max_seq_length", config.max_seq_length);
        check_sizes(config.num_samples, longest, config.input_size)?;
        Ok(Self { config, target_kind: TargetKind::Values(1) })
    }
}

impl Dataset for VariableLengthSums {
    fn len(&self) -> usize {
        self.config.num_samples
    }

    fn features(&self) -> usize {
        self.config.input_size
    }

    fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.len())?;
        let c = &self.config;
        let mut rng = Generator::new(c.seed, Purpose::Content, c.redraw.then_some(epoch), index);
        let length = rng.random_range(1..=c.max_seq_length);
        draw(&mut rng, length, c.input_size)
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.len())?;
        // The length is the first value that the generator of the example draws.
        let c = &self.config;
        let mut rng = Generator::new(c.seed, Purpose::Content, c.redraw.then_some(epoch), index);
        Ok(rng.random_range(1..=c.max_seq_length))
    }
}

fn check_sizes(num_samples: usize, steps: (&'static str, usize), input_size: usize) -> Result<()> {
    // The order of an epoch must fit in memory: at most 2 GiB.
    check_size("num_samples", num_samples, 1 << 28)?;
    check_size("input_size", input_size, 1 << 20)?;
    // So must one sequence: at most 1 GiB.
    check_size(steps.0, steps.1, (1 << 28) / input_size)
}

/// Draws standard normal values and adds them up in f64.
pub(super) fn draw(rng: &mut impl Rng, length: usize, features: usize) -> Result<Example> {
    let values: Vec<f32> = rng.sample_iter(StandardNormal).take(length * features).collect();
    let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
    Ok(Example::new(Sequence::new(values, features)?, Target::Values(vec![sum as f32])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(seed: u64, redraw: bool) -> VariableLengthSums {
        let config = VariableLengthSumsConfig { seed, redraw, ..Default::default() };
        VariableLengthSums::new(config).unwrap()
    }

    #[test]
    fn example_i_depends_only_on_the_seed_and_on_i() {
        let data = variable(1, false);
        let once = data.get(0, 5).unwrap();
        data.get(0, 4).unwrap();
        assert_eq!(data.length(0, 5).unwrap(), once.sequence.len());
        assert_eq!(data.get(3, 5).unwrap(), once);
        assert_ne!(data.get(0, 6).unwrap().sequence, once.sequence);
        assert_ne!(variable(2, false).get(0, 5).unwrap().sequence, once.sequence);
    }

    #[test]
    fn redrawn_examples_also_depend_on_the_epoch() {
        let data = variable(1, true);
        let once = data.get(0, 5).unwrap();
        assert_eq!(data.get(0, 5).unwrap(), once);
        assert_ne!(data.get(1, 5).unwrap().sequence, once.sequence);
        assert!(data.get(usize::MAX, 5).is_ok());
    }

    #[test]
    fn no_two_examples_share_values() {
        // With a shifted or repeated stream, two examples would have the same bits.
        let mut seen = std::collections::HashSet::new();
        for (seed, redraw, epoch) in
            [(0, false, 0), (1, false, 0), (2, false, 0), (0, true, 0), (0, true, 1)]
        {
            let data = variable(seed, redraw);
            for index in 0..100 {
                let example = data.get(epoch, index).unwrap();
                // Three consecutive values; single values would collide by chance.
                for window in example.sequence.values().windows(3) {
                    let bits: Vec<u32> = window.iter().map(|v| v.to_bits()).collect();
                    assert!(seen.insert(bits), "seed {seed}, epoch {epoch}, example {index}");
                }
            }
        }
    }

    #[test]
    fn the_values_have_the_distribution_of_the_lecture() {
        let data = variable(0, false);
        let examples: Vec<_> = (0..data.len()).map(|i| data.get(0, i).unwrap()).collect();
        let lengths: Vec<_> = examples.iter().map(|e| e.sequence.len()).collect();
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&1), Some(&50)));
        let mean = lengths.iter().sum::<usize>() as f64 / 1000.0;
        assert!((mean - 25.5).abs() < 1.5, "{mean}");
        let values: Vec<f64> =
            examples.iter().flat_map(|e| e.sequence.values()).map(|&v| f64::from(v)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        for example in &examples {
            let sum: f64 = example.sequence.values().iter().map(|&v| f64::from(v)).sum();
            assert_eq!(example.target, Target::Values(vec![sum as f32]));
        }
        let fixed = FixedLengthSums::new(FixedLengthSumsConfig::default()).unwrap();
        assert_eq!(
            (fixed.len(), fixed.features(), fixed.get(0, 999).unwrap().sequence.len()),
            (1000, 7, 50)
        );
        assert!(fixed.get(0, 1000).is_err());
    }

    #[test]
    fn impossible_sizes_are_named() {
        let config = VariableLengthSumsConfig { max_seq_length: 0, ..Default::default() };
        let error = VariableLengthSums::new(config).unwrap_err().to_string();
        assert_eq!(error, "max_seq_length is 0: expected 1 to 38347922");
        for (num_samples, seq_length, input_size) in
            [(0, 1, 1), (1, usize::MAX, 1), (1, 1, 0), (usize::MAX, 1, 1), (1, 1 << 20, 1 << 20)]
        {
            let config =
                FixedLengthSumsConfig { num_samples, seq_length, input_size, ..Default::default() };
            assert!(FixedLengthSums::new(config).is_err());
        }
    }
}
