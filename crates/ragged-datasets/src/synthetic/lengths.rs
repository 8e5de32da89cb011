//! How long sequences are.

use rand::Rng;
use rand_distr::{Distribution, Geometric, LogNormal};
use serde::{Deserialize, Serialize};

use crate::error::check_size;
use crate::{Error, Result};

/// The distribution of lengths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "distribution", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lengths {
    /// All the same.
    Fixed {
        /// At least 1.
        length: usize,
    },
    /// Each from `min` to `max` equally often.
    Uniform {
        /// At least 1.
        min: usize,
        /// At least `min`.
        max: usize,
    },
    /// After every step the sequence ends with the same probability: many are short, a few long.
    Geometric {
        /// The mean without the bound, above 1.
        mean: f64,
        /// What is longer is cut to this.
        max: usize,
    },
    /// The logarithm is normal: what lengths of sentences and recordings look like.
    LogNormal {
        /// As many are longer as shorter; at least 1.
        median: f64,
        /// The deviation of the logarithm, above 0.
        sigma: f64,
        /// What is longer is cut to this.
        max: usize,
    },
}

impl Default for Lengths {
    /// The lecture's: uniform in 1 to 50.
    fn default() -> Self {
        Self::Uniform { min: 1, max: 50 }
    }
}

impl Lengths {
    /// Checks the parameters, and that no length is beyond `most`.
    pub(super) fn check(&self, most: usize) -> Result<()> {
        let bad = |name, got: f64, expected: &str| {
            Err(Error::Config { name, got: got.to_string(), expected: expected.into() })
        };
        match *self {
            Self::Fixed { length } => check_size("length", length, most),
            Self::Uniform { min, max } => {
                check_size("max", max, most)?;
                check_size("min", min, max)
            }
            Self::Geometric { mean, max } => {
                check_size("max", max, most)?;
                if mean > 1.0 && mean.is_finite() { Ok(()) } else { bad("mean", mean, "above 1") }
            }
            Self::LogNormal { median, sigma, max } => {
                check_size("max", max, most)?;
                if !(median >= 1.0 && median.is_finite()) {
                    return bad("median", median, "at least 1");
                }
                if sigma > 0.0 && sigma.is_finite() {
                    Ok(())
                } else {
                    bad("sigma", sigma, "above 0")
                }
            }
        }
    }

    /// A length of at least 1.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> usize {
        match *self {
            Self::Fixed { length } => length,
            Self::Uniform { min, max } => rng.random_range(min..=max),
            Self::Geometric { mean, max } => {
                // The number of steps after the first; checked parameters have a distribution.
                let more = Geometric::new(1.0 / mean).map_or(0, |steps| steps.sample(rng));
                usize::try_from(more).unwrap_or(max).saturating_add(1).min(max)
            }
            Self::LogNormal { median, sigma, max } => {
                let length = LogNormal::new(median.ln(), sigma).map_or(median, |d| d.sample(rng));
                // A float becomes the nearest integer that there is, so nothing overflows.
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
    fn lengths_are_distributed_as_their_names_say() {
        let mean = |all: &[usize]| all.iter().sum::<usize>() as f64 / all.len() as f64;
        assert!(drawn(Lengths::Fixed { length: 7 }).iter().all(|&length| length == 7));
        let uniform = drawn(Lengths::Uniform { min: 3, max: 9 });
        assert_eq!((uniform[0], uniform[19_999]), (3, 9));
        assert!((mean(&uniform) - 6.0).abs() < 0.05);
        let geometric = drawn(Lengths::Geometric { mean: 20.0, max: 1000 });
        assert!((mean(&geometric) - 20.0).abs() < 0.5, "{}", mean(&geometric));
        // Half of them end within ln 2 times the mean, less than half a step.
        assert!((12..=15).contains(&geometric[10_000]) && geometric[0] == 1);
        let log_normal = drawn(Lengths::LogNormal { median: 40.0, sigma: 0.5, max: 1000 });
        assert!((39..=41).contains(&log_normal[10_000]));
        // One deviation of the logarithm: 84.13 % are below.
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
        check(Lengths::Geometric { mean: 1.0, max: 4 }, "mean is 1: expected above 1");
        check(Lengths::Geometric { mean: f64::NAN, max: 4 }, "mean is NaN: expected above 1");
        let median = Lengths::LogNormal { median: 0.5, sigma: 1.0, max: 4 };
        check(median, "median is 0.5: expected at least 1");
        let sigma = Lengths::LogNormal { median: 2.0, sigma: 0.0, max: 4 };
        check(sigma, "sigma is 0: expected above 0");
    }
}
