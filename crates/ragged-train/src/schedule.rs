//! How the learning rate moves over a run: PyTorch's schedulers as functions of the time.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The learning rate's course. All but [`Plateau`](Schedule::Plateau) depend on the time alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The same throughout.
    Constant {},
    /// `lr gamma^(k / step_size)`, rounded down (`StepLR`).
    Step {
        /// Time between two falls; at least 1.
        step_size: usize,
        /// The factor of each fall. Default 0.1.
        #[serde(default = "tenth")]
        gamma: f64,
        /// Default `epoch`.
        #[serde(default = "Per::epoch")]
        per: Per,
    },
    /// `lr gamma^k` (`ExponentialLR`).
    Exponential {
        /// The factor from one point of time to the next.
        gamma: f64,
        /// Default `epoch`.
        #[serde(default = "Per::epoch")]
        per: Per,
    },
    /// Along half a cosine from `lr` down to `min_lr` at the end (`CosineAnnealingLR`), or again and
    /// again (`CosineAnnealingWarmRestarts`, Loshchilov and Hutter 2017).
    Cosine {
        /// Where the course ends. Default 0.
        #[serde(default)]
        min_lr: f64,
        /// Time in which the rate rises first, along a line from `lr / warmup` (`LinearLR`).
        /// Default 0.
        #[serde(default)]
        warmup: usize,
        /// The length of the first cosine; 0 for a single one up to the end. Default 0.
        #[serde(default)]
        restart: usize,
        /// How much longer than the one before each further cosine is; at least 1. Default 1.
        #[serde(default = "one")]
        restart_mult: usize,
        /// Default `step`.
        #[serde(default = "Per::step")]
        per: Per,
    },
    /// Up to `lr` and far down again (`OneCycleLR`, Smith and Topin 2018).
    OneCycle {
        /// The share of the time that goes up. Default 0.3.
        #[serde(default = "three_tenths")]
        pct_start: f64,
        /// The first rate is `lr / div_factor`. Default 25.
        #[serde(default = "twenty_five")]
        div_factor: f64,
        /// The last rate is the first one over `final_div_factor`. Default 10000.
        #[serde(default = "ten_thousand")]
        final_div_factor: f64,
        /// Along cosines or along lines. Default `cos`.
        #[serde(default)]
        anneal: Anneal,
        /// Whether the way down first mirrors the way up. Default false.
        #[serde(default)]
        three_phase: bool,
        /// Momenta (Adam's first beta) at the highest and at the lowest rate, moved against the
        /// rate; without, the optimiser keeps its own. PyTorch's default is `[0.85, 0.95]`, ours
        /// none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        momentum: Option<(f64, f64)>,
        /// Default `step`.
        #[serde(default = "Per::step")]
        per: Per,
    },
    /// Times `factor` whenever the monitored metric has not improved for more than `patience` epochs
    /// (`ReduceLROnPlateau`, relative threshold).
    Plateau {
        /// Default 0.1.
        #[serde(default = "tenth")]
        factor: f64,
        /// Default 10.
        #[serde(default = "ten")]
        patience: usize,
        /// By which share a metric must be better to count as better. Default 0.0001.
        #[serde(default = "threshold")]
        threshold: f64,
        /// Epochs after a reduction in which nothing is counted. Default 0.
        #[serde(default)]
        cooldown: usize,
        /// Below it the rate does not go. Default 0.
        #[serde(default)]
        min_lr: f64,
    },
}

/// What a schedule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Updates.
    Step,
    /// Epochs.
    Epoch,
}

impl Per {
    fn step() -> Self {
        Self::Step
    }

    fn epoch() -> Self {
        Self::Epoch
    }
}

/// How a one-cycle schedule gets from one rate to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anneal {
    /// Along half a cosine.
    #[default]
    Cos,
    /// Along a line.
    Linear,
}

fn one() -> usize {
    1
}

fn ten() -> usize {
    10
}

fn tenth() -> f64 {
    0.1
}

fn three_tenths() -> f64 {
    0.3
}

fn twenty_five() -> f64 {
    25.0
}

fn ten_thousand() -> f64 {
    1e4
}

fn threshold() -> f64 {
    1e-4
}

/// What an update is made with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The learning rate.
    pub lr: f64,
    /// In place of the optimiser's momentum or first beta.
    pub momentum: Option<f64>,
}

impl Rates {
    /// A learning rate alone.
    pub fn new(lr: f64) -> Self {
        Self { lr, momentum: None }
    }
}

/// A point of time in a run, counted from 0, and the ends of the run.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// Updates made.
    pub step: usize,
    /// Updates of the whole run.
    pub steps: usize,
    /// Epochs ended.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
}

impl Time {
    fn per(&self, per: Per) -> (usize, usize) {
        match per {
            Per::Step => (self.step, self.steps),
            Per::Epoch => (self.epoch, self.epochs),
        }
    }
}

impl Default for Schedule {
    /// One cosine down to 0.
    fn default() -> Self {
        Self::Cosine { min_lr: 0.0, warmup: 0, restart: 0, restart_mult: 1, per: Per::Step }
    }
}

impl Schedule {
    /// The rates for the update that follows `time`; `lr` is the configured rate, for
    /// [`Plateau`](Self::Plateau) the one of its state.
    pub fn rates(&self, lr: f64, time: Time) -> Rates {
        match *self {
            Self::Constant {} | Self::Plateau { .. } => Rates::new(lr),
            Self::Step { step_size, gamma, per } => {
                Rates::new(lr * power(gamma, time.per(per).0 / step_size.max(1)))
            }
            Self::Exponential { gamma, per } => Rates::new(lr * power(gamma, time.per(per).0)),
            Self::Cosine { min_lr, warmup, restart, restart_mult, per } => {
                let (k, total) = time.per(per);
                if k < warmup {
                    let from = 1.0 / warmup as f64;
                    return Rates::new(lr * (from + (1.0 - from) * k as f64 / warmup as f64));
                }
                let (mut k, mut cycle) = (k - warmup, total.saturating_sub(warmup).max(1));
                if restart > 0 {
                    cycle = restart;
                    while k >= cycle {
                        k -= cycle;
                        cycle = cycle.saturating_mul(restart_mult.max(1));
                    }
                }
                let done = (k as f64 / cycle as f64).min(1.0);
                Rates::new(between(Anneal::Cos, lr, min_lr, done))
            }
            Self::OneCycle { .. } => self.one_cycle(lr, time),
        }
    }

    fn one_cycle(&self, top: f64, time: Time) -> Rates {
        let Self::OneCycle {
            pct_start,
            div_factor,
            final_div_factor,
            anneal,
            three_phase,
            momentum,
            per,
        } = *self
        else {
            return Rates::new(top);
        };
        let (k, total) = time.per(per);
        let first = top / div_factor;
        let last = first / final_div_factor;
        let (low, high) = momentum.unwrap_or_default();
        let end = total.saturating_sub(1) as f64;
        let peak = pct_start * total as f64 - 1.0;
        // Each phase: where it ends, its rates and its momenta.
        let mut phases = vec![(peak, first, top, high, low)];
        if three_phase {
            phases.push((2.0 * pct_start * total as f64 - 2.0, top, first, low, high));
            phases.push((end, first, last, high, high));
        } else {
            phases.push((end, top, last, low, high));
        }
        let k = (k as f64).min(end);
        let (mut start, count) = (0.0, phases.len());
        for (index, (end, lr, next_lr, m, next_m)) in phases.into_iter().enumerate() {
            if k <= end || index + 1 == count {
                let done = if end > start { (k - start) / (end - start) } else { 1.0 };
                let momentum = momentum.map(|_| between(anneal, m, next_m, done));
                return Rates { lr: between(anneal, lr, next_lr, done), momentum };
            }
            start = end;
        }
        Rates::new(last)
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        let check = |name: &str, got: f64, ok: bool, expected: &str| match ok {
            true => Ok(()),
            false => Err(Error::config(format!("train.schedule.{name}"), got, expected)),
        };
        let size = |name: &str, got: usize| check(name, got as f64, got >= 1, "at least 1");
        let factor = |name: &str, v: f64| check(name, v, v > 0.0 && v <= 1.0, "above 0 to 1");
        let least = |name: &str, v: f64| check(name, v, v >= 0.0 && v.is_finite(), "at least 0");
        match *self {
            Self::Constant {} => Ok(()),
            Self::Step { step_size, gamma, .. } => {
                size("step_size", step_size)?;
                factor("gamma", gamma)
            }
            Self::Exponential { gamma, .. } => factor("gamma", gamma),
            Self::Cosine { min_lr, restart_mult, .. } => {
                least("min_lr", min_lr)?;
                size("restart_mult", restart_mult)
            }
            Self::OneCycle { pct_start, div_factor, final_div_factor, momentum, .. } => {
                let within = |v: f64| v > 0.0 && v < 1.0;
                check("pct_start", pct_start, within(pct_start), "between 0 and 1")?;
                let more = |v: f64| v >= 1.0 && v.is_finite();
                check("div_factor", div_factor, more(div_factor), "at least 1")?;
                check("final_div_factor", final_div_factor, more(final_div_factor), "at least 1")?;
                let (low, high) = momentum.unwrap_or((0.5, 0.5));
                check("momentum", low, within(low), "between 0 and 1")?;
                check("momentum", high, within(high), "between 0 and 1")
            }
            Self::Plateau { factor, threshold, min_lr, .. } => {
                check("factor", factor, factor > 0.0 && factor < 1.0, "between 0 and 1")?;
                least("threshold", threshold)?;
                least("min_lr", min_lr)
            }
        }
    }
}

fn power(base: f64, exponent: usize) -> f64 {
    base.powi(exponent.min(i32::MAX as usize) as i32)
}

/// From `from` to `to`, of which the share `done` is done.
fn between(anneal: Anneal, from: f64, to: f64, done: f64) -> f64 {
    match anneal {
        Anneal::Cos => to + (from - to) * (1.0 + (PI * done).cos()) / 2.0,
        Anneal::Linear => from + (to - from) * done,
    }
}
