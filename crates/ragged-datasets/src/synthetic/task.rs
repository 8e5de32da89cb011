//! The tasks by name: their options, targets and baselines.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_size};
use crate::example::Example;
use crate::synthetic::{
    adding, copy_memory, dyck, noisy_sine, parity, seasonal, sums, temporal_order,
};
use crate::target_kind::TargetKind;

/// A task to learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SyntheticTask {
    /// Standard normal values; the target is the sum of all.
    Sum {
        /// The number of features of each step. Default 7, as in the lecture.
        #[serde(default = "seven")]
        input_size: usize,
    },
    /// Two features: a value uniform in 0 to 1, and a marker. One step in each half is marked; the
    /// target is the sum of the two marked values. At least 2 steps.
    Adding,
    /// Symbols, then blanks, then a signal, after which the symbols must be repeated. The target is
    /// one class per step, blank up to the signal. There is one feature for each symbol, for the blank
    /// and for the signal. At least 2 K + 1 steps.
    CopyMemory {
        /// The number of symbols to repeat, K. Default 10.
        #[serde(default = "ten")]
        copied: usize,
        /// The number of different symbols, S. Default 8.
        #[serde(default = "eight")]
        symbols: usize,
    },
    /// Random distractors with a signal, X or Y, at two positions. The class is the pair of signals in
    /// their order. At least 10 steps.
    TemporalOrder,
    /// Zeros and ones; the class is the parity of the number of ones.
    Parity {
        /// Whether every step has a target, the parity up to this step. Default false.
        #[serde(default)]
        per_step: bool,
    },
    /// Brackets that match, or that match except for one changed bracket. An even number of steps, at
    /// least 2.
    Dyck {
        /// The number of kinds of brackets. Default 2.
        #[serde(default = "two")]
        kinds: usize,
    },
    /// A sine of random period (10 to 50 steps) and phase, plus noise. The target is the wave without
    /// noise, `horizon` steps after the last step.
    NoisySine {
        /// The number of steps from the last step to the target, at least 1. Default 1.
        #[serde(default = "one")]
        horizon: usize,
        /// The standard deviation of the noise, at least 0. Default 0.1.
        #[serde(default = "tenth")]
        noise: f32,
    },
    /// Series without a target, for [forecasts](crate::forecast), with the columns `demand` and `promotion`. The demand
    /// is a level (40 to 60), a trend (up to 0.02 per step), two sines of 7 and 28 steps (amplitudes 3 to 8 and 2 to
    /// 5), the effect of promotions (4 to 8), and normal noise. A promotion is 0 or 1 for 3 to 9 steps at a time. The
    /// ranges are those of the series; all but the promotions are constant in each.
    Seasonal {
        /// The standard deviation of the noise, at least 0. Default 1.
        #[serde(default = "unit")]
        noise: f32,
    },
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

fn seven() -> usize {
    7
}

fn eight() -> usize {
    8
}

fn ten() -> usize {
    10
}

fn unit() -> f32 {
    1.0
}

fn tenth() -> f32 {
    0.1
}

/// The result of a model that ignores the sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Baseline {
    /// The mean squared error of the best constant.
    MeanSquaredError(f64),
    /// The mean cross-entropy per target, in nats.
    CrossEntropy(f64),
    /// The share of correct classes.
    Accuracy(f64),
}

impl SyntheticTask {
    /// Returns the number of features of each step.
    pub fn features(&self) -> usize {
        match *self {
            Self::Sum { input_size } => input_size,
            Self::Adding => adding::FEATURES,
            Self::CopyMemory { symbols, .. } => symbols + 2,
            Self::TemporalOrder => temporal_order::FEATURES,
            Self::Parity { .. } | Self::NoisySine { .. } => 1,
            Self::Dyck { kinds } => 2 * kinds,
            Self::Seasonal { .. } => seasonal::FEATURES,
        }
    }

    /// Returns the kind of the targets.
    pub fn target_kind(&self) -> TargetKind {
        match *self {
            Self::Sum { .. } | Self::Adding | Self::NoisySine { .. } => TargetKind::Values(1),
            Self::CopyMemory { symbols, .. } => {
                TargetKind::StepClasses(copy_memory::labels(symbols))
            }
            Self::TemporalOrder => TargetKind::Classes(temporal_order::labels()),
            Self::Parity { per_step: false } => TargetKind::Classes(parity::labels()),
            Self::Parity { per_step: true } => TargetKind::StepClasses(parity::labels()),
            Self::Dyck { .. } => TargetKind::Classes(dyck::labels()),
            Self::Seasonal { .. } => TargetKind::NONE,
        }
    }

    /// Returns the names of the features, if they have names.
    pub fn feature_names(&self) -> Option<Vec<String>> {
        matches!(self, Self::Seasonal { .. }).then(seasonal::names)
    }

    /// Returns the trivial baseline for sequences of `length` steps.
    ///
    /// ```
    /// use ragged_datasets::synthetic::{Baseline, SyntheticTask};
    ///
    /// assert_eq!(SyntheticTask::TemporalOrder.baseline(100), Baseline::Accuracy(0.25));
    /// ```
    pub fn baseline(&self, length: usize) -> Baseline {
        match *self {
            // The sum of n standard normal values has variance n.
            Self::Sum { input_size } => Baseline::MeanSquaredError((input_size * length) as f64),
            // Two uniform values have variance 1/12 each.
            Self::Adding => Baseline::MeanSquaredError(1.0 / 6.0),
            // Blank with certainty up to the signal, then all symbols with the same probability.
            Self::CopyMemory { copied, symbols } => {
                let length = self.length(length);
                Baseline::CrossEntropy(copied as f64 * (symbols as f64).ln() / length as f64)
            }
            Self::TemporalOrder => Baseline::Accuracy(0.25),
            Self::Parity { .. } | Self::Dyck { .. } => Baseline::Accuracy(0.5),
            // The mean square of a sine is 1/2.
            Self::NoisySine { .. } => Baseline::MeanSquaredError(0.5),
            Self::Seasonal { noise } => {
                Baseline::MeanSquaredError(seasonal::variance(length) + f64::from(noise).powi(2))
            }
        }
    }

    /// Checks the options.
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::Sum { input_size } => check_size("input_size", input_size, 1 << 20),
            Self::CopyMemory { copied, symbols } => {
                check_size("copied", copied, 1 << 20)?;
                check_size("symbols", symbols, 1 << 16)?;
                // The shortest sequence must fit in memory.
                let least = (2 * copied + 1) * (symbols + 2);
                check_size("(2 copied + 1) x (symbols + 2)", least, 1 << 28)
            }
            Self::Dyck { kinds } => check_size("kinds", kinds, 1 << 16),
            Self::NoisySine { horizon, noise } => {
                check_size("horizon", horizon, 1 << 20)?;
                check_noise(noise)
            }
            Self::Seasonal { noise } => check_noise(noise),
            Self::Adding | Self::TemporalOrder | Self::Parity { .. } => Ok(()),
        }
    }

    /// Returns the smallest length that the task allows and that is at least `drawn`.
    pub(super) fn length(&self, drawn: usize) -> usize {
        match *self {
            Self::Adding => drawn.max(2),
            Self::CopyMemory { copied, .. } => drawn.max(2 * copied + 1),
            Self::TemporalOrder => drawn.max(10),
            Self::Dyck { .. } => drawn.next_multiple_of(2),
            Self::Sum { .. }
            | Self::Parity { .. }
            | Self::NoisySine { .. }
            | Self::Seasonal { .. } => drawn,
        }
    }

    /// Draws an example of `length` steps.
    pub(super) fn draw(&self, rng: &mut impl Rng, length: usize) -> Result<Example> {
        match *self {
            Self::Sum { input_size } => sums::draw(rng, length, input_size),
            Self::Adding => adding::draw(rng, length),
            Self::CopyMemory { copied, symbols } => copy_memory::draw(rng, length, copied, symbols),
            Self::TemporalOrder => temporal_order::draw(rng, length),
            Self::Parity { per_step } => parity::draw(rng, length, per_step),
            Self::Dyck { kinds } => dyck::draw(rng, length, kinds),
            Self::NoisySine { horizon, noise } => noisy_sine::draw(rng, length, horizon, noise),
            Self::Seasonal { noise } => seasonal::draw(rng, length, noise),
        }
    }
}

fn check_noise(noise: f32) -> Result<()> {
    if noise >= 0.0 && noise.is_finite() {
        return Ok(());
    }
    let expected = "a finite number of at least 0";
    Err(Error::Number { name: "noise", got: noise.into(), expected })
}
