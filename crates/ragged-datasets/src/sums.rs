//! The lecture's two synthetic sets: standard normal numbers, and the sum of them all.

use ragged_sequence::random::{Generator, Purpose};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::dataset::check_index;
use crate::error::check_size;
use crate::{Dataset, Example, Result, Sequence, Target, TargetKind};

/// The sizes of [`FixedLengthSums`]; the defaults are the lecture's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FixedLengthSumsConfig {
    /// Examples. Default 1000.
    pub num_samples: usize,
    /// The length of all sequences. Default 50.
    pub seq_length: usize,
    /// Features of a step. Default 7.
    pub input_size: usize,
    /// Where the numbers come from. Default 0.
    pub seed: u64,
    /// Whether every epoch draws its examples anew. Default false.
    pub redraw: bool,
}

impl Default for FixedLengthSumsConfig {
    fn default() -> Self {
        Self { num_samples: 1000, seq_length: 50, input_size: 7, seed: 0, redraw: false }
    }
}

/// The sizes of [`VariableLengthSums`]; the defaults are the lecture's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VariableLengthSumsConfig {
    /// Examples. Default 1000.
    pub num_samples: usize,
    /// Lengths are uniform in 1 to this. Default 50.
    pub max_seq_length: usize,
    /// Features of a step. Default 7.
    pub input_size: usize,
    /// Where the numbers come from. Default 0.
    pub seed: u64,
    /// Whether every epoch draws its examples anew. Default false.
    pub redraw: bool,
}

impl Default for VariableLengthSumsConfig {
    fn default() -> Self {
        Self { num_samples: 1000, max_seq_length: 50, input_size: 7, seed: 0, redraw: false }
    }
}

/// Sequences of one length. Example i depends on the seed and i alone (and on the epoch where
/// examples are redrawn), so neither the order of access nor threads matter.
#[derive(Debug, Clone)]
pub struct FixedLengthSums {
    config: FixedLengthSumsConfig,
    target_kind: TargetKind,
}

impl FixedLengthSums {
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a size of zero or one beyond memory.
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

/// Sequences of lengths uniform in 1 to the longest. Example i depends on the seed and i alone (and
/// on the epoch where examples are redrawn), so neither the order of access nor threads matter.
#[derive(Debug, Clone)]
pub struct VariableLengthSums {
    config: VariableLengthSumsConfig,
    target_kind: TargetKind,
}

impl VariableLengthSums {
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a size of zero or one beyond memory.
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
        // The first number that the example's generator draws.
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

pub(crate) fn draw(rng: &mut impl Rng, length: usize, features: usize) -> Result<Example> {
    let values: Vec<f32> = rng.sample_iter(StandardNormal).take(length * features).collect();
    let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
    let target = Target::Values(vec![sum as f32]);
    Ok(Example { sequence: Sequence::new(values, features)?, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(seed: u64, redraw: bool) -> VariableLengthSums {
        let config = VariableLengthSumsConfig { seed, redraw, ..Default::default() };
        VariableLengthSums::new(config).unwrap()
    }

    #[test]
    fn example_i_depends_on_seed_and_i_alone() {
        let data = variable(1, false);
        let once = data.get(0, 5).unwrap();
        data.get(0, 4).unwrap();
        assert_eq!(data.length(0, 5).unwrap(), once.sequence.len());
        assert_eq!(data.get(3, 5).unwrap(), once);
        assert_ne!(data.get(0, 6).unwrap().sequence, once.sequence);
        assert_ne!(variable(2, false).get(0, 5).unwrap().sequence, once.sequence);
    }

    #[test]
    fn redrawn_examples_depend_on_the_epoch_too() {
        let data = variable(1, true);
        let once = data.get(0, 5).unwrap();
        assert_eq!(data.get(0, 5).unwrap(), once);
        assert_ne!(data.get(1, 5).unwrap().sequence, once.sequence);
        assert!(data.get(usize::MAX, 5).is_ok());
    }

    #[test]
    fn no_two_examples_share_a_number() {
        // A shifted or repeated stream would show as the same bits in two examples.
        let mut seen = std::collections::HashSet::new();
        for (seed, redraw, epoch) in
            [(0, false, 0), (1, false, 0), (2, false, 0), (0, true, 0), (0, true, 1)]
        {
            let data = variable(seed, redraw);
            for index in 0..100 {
                let example = data.get(epoch, index).unwrap();
                // Three numbers in a row; one alone would collide by chance.
                for window in example.sequence.values().windows(3) {
                    let bits: Vec<u32> = window.iter().map(|v| v.to_bits()).collect();
                    assert!(seen.insert(bits), "seed {seed}, epoch {epoch}, example {index}");
                }
            }
        }
    }

    #[test]
    fn the_numbers_are_the_lectures() {
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
