//! Distributions of sequence lengths.

use rand::Rng;
use rand_distr::{Distribution, Geometric, LogNormal};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_size};

/// A distribution of sequence lengths.
///
/// ```
/// use ragged_datasets::synthetic::{Lengths, Synthetic, SyntheticConfig, SyntheticTask};
/// use ragged_datasets::Dataset;
///
/// let lengths = Lengths::Fixed { length: 30 };
/// let config = SyntheticConfig { lengths, ..SyntheticConfig::new(SyntheticTask::Adding) };
/// assert_eq!(Synthetic::new(config)?.length(0, 0)?, 30);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "distribution", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lengths {
    /// One length.
    Fixed {
        /// The length, at least 1.
        length: usize,
    },
    /// All lengths from `min` to `max` with the same probability.
    Uniform {
        /// The shortest length, at least 1.
        min: usize,
        /// The longest length, at least `min`.
        max: usize,
    },
    /// The sequence ends with the same probability after every step: many sequences are short, a few
    /// long.
    Geometric {
        /// The mean of the distribution without the limit `max`, above 1.
        mean: f64,
        /// The longest length; greater values become this.
        max: usize,
    },
    /// The logarithm of the length is normally distributed, as is typical of sentences and recordings.
    LogNormal {
        /// The median length, at least 1.
        median: f64,
        /// The standard deviation of the logarithm, above 0.
        sigma: f64,
        /// The longest length; greater values become this.
        max: usize,
    },
}

impl Default for Lengths {
    /// Uniform from 1 to 50, as in the lecture.
    fn default() -> Self {
        Self::Uniform { min: 1, max: 50 }
    }
}

impl Lengths {
    /// Checks the parameters, and that no length exceeds `limit`.
    pub(super) fn check(&self, limit: usize) -> Result<()> {
        let check_number = |name, got: f64, valid: bool, expected| {
            if valid && got.is_finite() {
                Ok(())
            } else {
                Err(Error::Number { name, got, expected })
            }
        };
        match *self {
            Self::Fixed { length } => check_size("length", length, limit),
            Self::Uniform { min, max } => {
                check_size("max", max, limit)?;
                check_size("min", min, max)
            }
            Self::Geometric { mean, max } => {
                check_size("max", max, limit)?;
                check_number("mean", mean, mean > 1.0, "a number above 1")
            }
            Self::LogNormal { median, sigma, max } => {
                check_size("max", max, limit)?;
                check_number("median", median, median >= 1.0, "a number of at least 1")?;
                check_number("sigma", sigma, sigma > 0.0, "a number above 0")
            }
        }
    }

    /// Draws a length of at least 1.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> usize {
        match *self {
            Self::Fixed { length } => length,
            Self::Uniform { min, max } => rng.random_range(min..=max),
            Self::Geometric { mean, max } => {
                // The distribution is of the steps after the first. It exists, since `check` accepted
                // the mean.
                let more = Geometric::new(1.0 / mean).map_or(0, |steps| steps.sample(rng));
                usize::try_from(more).unwrap_or(max).saturating_add(1).min(max)
            }
            Self::LogNormal { median, sigma, max } => {
                let length = LogNormal::new(median.ln(), sigma).map_or(median, |d| d.sample(rng));
                // The conversion saturates, so nothing overflows.
                (length.round() as usize).clamp(1, max)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ragged_sequence::random::Generator;

    fn drawn(lengths: Lengths) -> Vec<usize> {
        lengths.check(1000).unwrap();
        let mut rng = Generator::seed(1);
        let mut all: Vec<usize> = (0..20_000).map(|_| lengths.draw(&mut rng)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn lengths_have_the_distribution_of_their_name() {
        let mean = |all: &[usize]| all.iter().sum::<usize>() as f64 / all.len() as f64;
        assert!(drawn(Lengths::Fixed { length: 7 }).iter().all(|&length| length == 7));
        let uniform = drawn(Lengths::Uniform { min: 3, max: 9 });
        assert_eq!((uniform[0], uniform[19_999]), (3, 9));
        assert!((mean(&uniform) - 6.0).abs() < 0.05);
        let geometric = drawn(Lengths::Geometric { mean: 20.0, max: 1000 });
        assert!((mean(&geometric) - 20.0).abs() < 0.5, "{}", mean(&geometric));
        // The median is ln 2 times the mean, minus half a step.
        assert!((12..=15).contains(&geometric[10_000]) && geometric[0] == 1);
        let log_normal = drawn(Lengths::LogNormal { median: 40.0, sigma: 0.5, max: 1000 });
        assert!((39..=41).contains(&log_normal[10_000]));
        // 84.13 % are below one standard deviation of the logarithm above the median.
        let above = log_normal[16_826] as f64;
        assert!((above / (40.0 * 0.5f64.exp()) - 1.0).abs() < 0.05, "{above}");
        let cut = drawn(Lengths::Geometric { mean: 20.0, max: 25 });
        assert_eq!(cut[19_999], 25);
    }

    #[test]
    fn impossible_lengths_are_named() {
        #[track_caller]
        fn check(lengths: Lengths, message: &str) {
            assert_eq!(lengths.check(100).unwrap_err().to_string(), message);
        }
        check(Lengths::Fixed { length: 0 }, "length is 0: expected 1 to 100");
        check(Lengths::Fixed { length: 101 }, "length is 101: expected 1 to 100");
        check(Lengths::Uniform { min: 5, max: 4 }, "min is 5: expected 1 to 4");
        check(Lengths::Geometric { mean: 1.0, max: 4 }, "mean is 1: expected a number above 1");
        check(
            Lengths::Geometric { mean: f64::NAN, max: 4 },
            "mean is NaN: expected a number above 1",
        );
        let median = Lengths::LogNormal { median: 0.5, sigma: 1.0, max: 4 };
        check(median, "median is 0.5: expected a number of at least 1");
        let sigma = Lengths::LogNormal { median: 2.0, sigma: 0.0, max: 4 };
        check(sigma, "sigma is 0: expected a number above 0");
    }
}
