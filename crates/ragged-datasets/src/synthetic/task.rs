//! The tasks by name, and what is known of each.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{adding, copy_memory, dyck, noisy_sine, parity, temporal_order};
use crate::error::check_size;
use crate::{Error, Example, Result, TargetKind, sums};

/// What is to be learnt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SyntheticTask {
    /// Standard normal numbers, and the sum of them all.
    Sum {
        /// Features of a step. Default 7, the lecture's.
        #[serde(default = "seven")]
        input_size: usize,
    },
    /// Two features, a number uniform in 0 to 1 and a marker. One step of each half is marked; the
    /// target is the sum of the two numbers. At least 2 steps.
    Adding,
    /// Symbols, then blanks, then a signal, upon which the symbols are to be given back: a class a
    /// step, blank before. One feature a symbol, blank and signal. At least twice the symbols and
    /// one step.
    CopyMemory {
        /// The symbols to keep, K. Default 10.
        #[serde(default = "ten")]
        copied: usize,
        /// How many different ones there are, S. Default 8.
        #[serde(default = "eight")]
        symbols: usize,
    },
    /// Among random distractors, X or Y at two places; the class is their order. At least 10 steps.
    TemporalOrder,
    /// Zeros and ones; whether the ones are even or odd in number.
    Parity {
        /// Whether every step has a target, the parity up to there. Default false.
        #[serde(default)]
        per_step: bool,
    },
    /// Brackets of some kinds, well matched or with one of them changed. An even number of steps,
    /// at least 2.
    Dyck {
        /// The kinds of brackets. Default 2.
        #[serde(default = "two")]
        kinds: usize,
    },
    /// A sine of random period (10 to 50 steps) and phase with noise; the target is the wave without
    /// noise, `horizon` steps behind the last.
    NoisySine {
        /// At least 1. Default 1.
        #[serde(default = "one")]
        horizon: usize,
        /// The noise's deviation, at least 0. Default 0.1.
        #[serde(default = "tenth")]
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

fn tenth() -> f32 {
    0.1
}

/// What a model comes to that has learnt nothing of the sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Baseline {
    /// The mean squared error of the best constant.
    MeanSquaredError(f64),
    /// The mean cross-entropy of a target, in nats.
    CrossEntropy(f64),
    /// The share of right classes.
    Accuracy(f64),
}

impl SyntheticTask {
    /// The features of a step.
    pub fn features(&self) -> usize {
        match *self {
            Self::Sum { input_size } => input_size,
            Self::Adding => adding::FEATURES,
            Self::CopyMemory { symbols, .. } => symbols + 2,
            Self::TemporalOrder => temporal_order::FEATURES,
            Self::Parity { .. } | Self::NoisySine { .. } => 1,
            Self::Dyck { kinds } => 2 * kinds,
        }
    }

    /// What the targets are.
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
        }
    }

    /// The trivial baseline for sequences of so many steps.
    pub fn baseline(&self, length: usize) -> Baseline {
        match *self {
            // The sum of n standard normal numbers has variance n.
            Self::Sum { input_size } => Baseline::MeanSquaredError((input_size * length) as f64),
            // Two uniform numbers have variance 1/12 each.
            Self::Adding => Baseline::MeanSquaredError(1.0 / 6.0),
            // Blank for sure before the signal, then every symbol with the same probability.
            Self::CopyMemory { copied, symbols } => {
                let length = self.length(length);
                Baseline::CrossEntropy(copied as f64 * (symbols as f64).ln() / length as f64)
            }
            Self::TemporalOrder => Baseline::Accuracy(0.25),
            Self::Parity { .. } | Self::Dyck { .. } => Baseline::Accuracy(0.5),
            // The mean square of a sine.
            Self::NoisySine { .. } => Baseline::MeanSquaredError(0.5),
        }
    }

    /// Checks the parameters.
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::Sum { input_size } => check_size("input_size", input_size, 1 << 20),
            Self::CopyMemory { copied, symbols } => {
                check_size("copied", copied, 1 << 20)?;
                check_size("symbols", symbols, 1 << 16)?;
                // The shortest sequence must fit in memory, too.
                let least = (2 * copied + 1) * (symbols + 2);
                check_size("(2 copied + 1) x (symbols + 2)", least, 1 << 28)
            }
            Self::Dyck { kinds } => check_size("kinds", kinds, 1 << 16),
            Self::NoisySine { horizon, noise } => {
                check_size("horizon", horizon, 1 << 20)?;
                if noise >= 0.0 && noise.is_finite() {
                    return Ok(());
                }
                let expected = "at least 0".into();
                Err(Error::Config { name: "noise", got: noise.to_string(), expected })
            }
            Self::Adding | Self::TemporalOrder | Self::Parity { .. } => Ok(()),
        }
    }

    /// The length that the task makes of one that was drawn.
    pub(super) fn length(&self, drawn: usize) -> usize {
        match *self {
            Self::Adding => drawn.max(2),
            Self::CopyMemory { copied, .. } => drawn.max(2 * copied + 1),
            Self::TemporalOrder => drawn.max(10),
            Self::Dyck { .. } => drawn.next_multiple_of(2),
            Self::Sum { .. } | Self::Parity { .. } | Self::NoisySine { .. } => drawn,
        }
    }

    /// An example of so many steps.
    pub(super) fn draw(&self, rng: &mut impl Rng, length: usize) -> Result<Example> {
        match *self {
            Self::Sum { input_size } => sums::draw(rng, length, input_size),
            Self::Adding => adding::draw(rng, length),
            Self::CopyMemory { copied, symbols } => copy_memory::draw(rng, length, copied, symbols),
            Self::TemporalOrder => temporal_order::draw(rng, length),
            Self::Parity { per_step } => parity::draw(rng, length, per_step),
            Self::Dyck { kinds } => dyck::draw(rng, length, kinds),
            Self::NoisySine { horizon, noise } => noisy_sine::draw(rng, length, horizon, noise),
        }
    }
}

/// Steps that are one symbol each, out of so many.
pub(super) fn one_hot(symbols: impl IntoIterator<Item = usize>, out_of: usize) -> Vec<f32> {
    let mut values = vec![];
    for symbol in symbols {
        let begin = values.len();
        values.resize(begin + out_of, 0.0);
        values[begin + symbol] = 1.0;
    }
    values
}
