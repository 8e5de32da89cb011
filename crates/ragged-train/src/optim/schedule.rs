//! Learning rate schedules: PyTorch's schedulers as functions of the number of updates or epochs.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::error::Result;

/// A schedule of the learning rate.
///
/// All schedules except [`Plateau`](Self::Plateau) are functions of the [`SchedulePoint`]. In the
/// formulas, `k` is the number of updates or epochs so far, as chosen by `per`.
///
/// ```
/// use ragged_train::Schedule;
/// use ragged_train::optim::SchedulePoint;
///
/// // One cosine from 0.1 down to 0.
/// let schedule = Schedule::default();
/// let lr = |step| {
///     let point = SchedulePoint { step, steps: 100, epoch: 0, epochs: 1 };
///     schedule.hyperparameters(0.1, point).lr
/// };
/// assert_eq!(lr(0), 0.1);
/// assert!((lr(50) - 0.05).abs() < 1e-12 && lr(99) < 1e-4);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// A constant learning rate.
    Constant {},
    /// `lr gamma^floor(k / step_size)` (`StepLR`).
    Step {
        /// Updates or epochs between two reductions; at least 1.
        step_size: usize,
        /// The factor of each reduction. Default 0.1.
        #[serde(default = "tenth")]
        gamma: f64,
        /// The unit of `k`. Default `epoch`.
        #[serde(default = "ScheduleUnit::epoch")]
        per: ScheduleUnit,
    },
    /// `lr gamma^k` (`ExponentialLR`).
    Exponential {
        /// The factor per update or epoch.
        gamma: f64,
        /// The unit of `k`. Default `epoch`.
        #[serde(default = "ScheduleUnit::epoch")]
        per: ScheduleUnit,
    },
    /// Half a cosine from `lr` down to `min_lr` (`CosineAnnealingLR`), once or with restarts
    /// (`CosineAnnealingWarmRestarts`, Loshchilov and Hutter 2017).
    Cosine {
        /// The learning rate at the end of a cosine. Default 0.
        #[serde(default)]
        min_lr: f64,
        /// Updates or epochs in which the learning rate first rises linearly from `lr / warmup`
        /// (`LinearLR`). Default 0.
        #[serde(default)]
        warmup: usize,
        /// Updates or epochs of the first cosine; 0 for one cosine up to the end. Default 0.
        #[serde(default)]
        restart: usize,
        /// The length of each cosine relative to the one before; at least 1. Default 1.
        #[serde(default = "one")]
        restart_mult: usize,
        /// The unit of `k`. Default `step`.
        #[serde(default = "ScheduleUnit::step")]
        per: ScheduleUnit,
    },
    /// Up to `lr`, then down to far below the start (`OneCycleLR`, Smith and Topin 2018).
    OneCycle {
        /// The fraction of the run in which the learning rate rises. Default 0.3.
        #[serde(default = "three_tenths")]
        pct_start: f64,
        /// The learning rate starts at `lr / div_factor`. Default 25.
        #[serde(default = "twenty_five")]
        div_factor: f64,
        /// The last learning rate is the first one divided by `final_div_factor`. Default 10000.
        #[serde(default = "ten_thousand")]
        final_div_factor: f64,
        /// The interpolation. Default `cos`.
        #[serde(default)]
        anneal: Anneal,
        /// Whether the learning rate first falls to where it started, in as much time as it rose.
        /// Default false.
        #[serde(default)]
        three_phase: bool,
        /// The momentum, or Adam's first beta, at the highest and at the lowest learning rate. Without
        /// it, the momentum is constant. PyTorch's default is `[0.85, 0.95]`; the default here is
        /// none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        momentum: Option<(f64, f64)>,
        /// The unit of `k`. Default `step`.
        #[serde(default = "ScheduleUnit::step")]
        per: ScheduleUnit,
    },
    /// Multiplied by `factor` when the monitored metric has not improved for more than `patience`
    /// epochs (`ReduceLROnPlateau` with a relative threshold).
    Plateau {
        /// The factor of a reduction. Default 0.1.
        #[serde(default = "tenth")]
        factor: f64,
        /// Epochs without an improvement that are tolerated. Default 10.
        #[serde(default = "ten")]
        patience: usize,
        /// The smallest relative change that counts as an improvement. Default 0.0001.
        #[serde(default = "threshold")]
        threshold: f64,
        /// Epochs after a reduction that are not counted. Default 0.
        #[serde(default)]
        cooldown: usize,
        /// The smallest learning rate. Default 0.
        #[serde(default)]
        min_lr: f64,
    },
}

/// The unit in which a schedule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleUnit {
    /// Updates.
    Step,
    /// Epochs.
    Epoch,
}

impl ScheduleUnit {
    fn step() -> Self {
        Self::Step
    }

    fn epoch() -> Self {
        Self::Epoch
    }
}

/// The interpolation of a one-cycle schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anneal {
    /// Half a cosine.
    #[default]
    Cos,
    /// A straight line.
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

/// The hyperparameters of one update that a schedule can change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyperparameters {
    /// The learning rate.
    pub lr: f64,
    /// Replaces the momentum or the first beta of the optimiser, if given.
    pub momentum: Option<f64>,
}

impl Hyperparameters {
    /// Creates hyperparameters with the momentum of the optimiser.
    pub fn new(lr: f64) -> Self {
        Self { lr, momentum: None }
    }
}

/// A point in a run: updates and epochs so far, and in total.
#[derive(Debug, Clone, Copy)]
pub struct SchedulePoint {
    /// Updates so far.
    pub step: usize,
    /// Updates of the whole run.
    pub steps: usize,
    /// Epochs that have ended.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
}

impl SchedulePoint {
    /// Returns the updates or epochs so far, and their total.
    fn count(&self, unit: ScheduleUnit) -> (usize, usize) {
        match unit {
            ScheduleUnit::Step => (self.step, self.steps),
            ScheduleUnit::Epoch => (self.epoch, self.epochs),
        }
    }
}

impl Default for Schedule {
    /// Returns one cosine down to 0.
    fn default() -> Self {
        Self::Cosine {
            min_lr: 0.0,
            warmup: 0,
            restart: 0,
            restart_mult: 1,
            per: ScheduleUnit::Step,
        }
    }
}

impl Schedule {
    /// Returns the hyperparameters of the update at `point`. `lr` is the configured learning rate, or
    /// for [`Plateau`](Self::Plateau) the current one.
    pub fn hyperparameters(&self, lr: f64, point: SchedulePoint) -> Hyperparameters {
        match *self {
            Self::Constant {} | Self::Plateau { .. } => Hyperparameters::new(lr),
            Self::Step { step_size, gamma, per } => {
                Hyperparameters::new(lr * power(gamma, point.count(per).0 / step_size.max(1)))
            }
            Self::Exponential { gamma, per } => {
                Hyperparameters::new(lr * power(gamma, point.count(per).0))
            }
            Self::Cosine { min_lr, warmup, restart, restart_mult, per } => {
                let (k, total) = point.count(per);
                if k < warmup {
                    let from = 1.0 / warmup as f64;
                    return Hyperparameters::new(
                        lr * (from + (1.0 - from) * k as f64 / warmup as f64),
                    );
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
                Hyperparameters::new(interpolate(Anneal::Cos, lr, min_lr, done))
            }
            Self::OneCycle { .. } => self.one_cycle(lr, point),
        }
    }

    fn one_cycle(&self, top: f64, point: SchedulePoint) -> Hyperparameters {
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
            return Hyperparameters::new(top);
        };
        let (k, total) = point.count(per);
        let first = top / div_factor;
        let last = first / final_div_factor;
        let (low, high) = momentum.unwrap_or_default();
        let end = total.saturating_sub(1) as f64;
        let peak = pct_start * total as f64 - 1.0;
        // For each phase: its end, the learning rates, and the momenta.
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
                let momentum = momentum.map(|_| interpolate(anneal, m, next_m, done));
                return Hyperparameters { lr: interpolate(anneal, lr, next_lr, done), momentum };
            }
            start = end;
        }
        Hyperparameters::new(last)
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first value that is out of range.
    pub fn validate(&self) -> Result<()> {
        let check = |name: &str, got: f64, ok: bool, expected: &str| match ok {
            true => Ok(()),
            false => {
                Err(ConfigError::range(format!("train.schedule.{name}"), got, expected).into())
            }
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

/// Interpolates between `from` and `to`; `done` goes from 0 to 1.
fn interpolate(anneal: Anneal, from: f64, to: f64, done: f64) -> f64 {
    match anneal {
        Anneal::Cos => to + (from - to) * (1.0 + (PI * done).cos()) / 2.0,
        Anneal::Linear => from + (to - from) * done,
    }
}
