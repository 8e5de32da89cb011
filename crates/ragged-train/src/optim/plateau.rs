//! The state of the plateau schedule.

use serde::{Deserialize, Serialize};

use crate::exact_float;
use crate::objective::monitor::Monitor;
use crate::optim::schedule::Schedule;

/// The state of [`Schedule::Plateau`]. With other schedules, the learning rate does not change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// The current learning rate.
    #[serde(with = "exact_float")]
    pub lr: f64,
    #[serde(with = "exact_float")]
    best: Option<f64>,
    bad_epochs: usize,
    cooling: usize,
}

impl Plateau {
    /// Creates the state before the first epoch.
    pub fn new(lr: f64) -> Self {
        Self { lr, best: None, bad_epochs: 0, cooling: 0 }
    }

    /// Adds the value of the monitored metric in an epoch.
    pub fn update(&mut self, schedule: &Schedule, monitor: &Monitor, value: f64) {
        let &Schedule::Plateau { factor, patience, threshold, cooldown, min_lr } = schedule else {
            return;
        };
        // The threshold is relative to the magnitude. PyTorch's `best * (1 + threshold)` makes a
        // negative metric improve when it gets worse.
        let better = |best: f64| monitor.better(value, best, threshold * best.abs());
        let better = self.best.is_none_or(better);
        if better {
            (self.best, self.bad_epochs) = (Some(value), 0);
        } else {
            self.bad_epochs += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.bad_epochs) = (self.cooling - 1, 0);
        }
        if self.bad_epochs > patience {
            let reduced = (self.lr * factor).max(min_lr);
            // As in PyTorch, a negligible reduction is skipped.
            if self.lr - reduced > 1e-8 {
                self.lr = reduced;
            }
            (self.cooling, self.bad_epochs) = (cooldown, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a threshold of `best * (1 + threshold)`, every small step of a negative metric was an improvement.
    #[test]
    fn the_threshold_of_a_negative_metric_is_relative_to_its_magnitude() {
        let (factor, patience, cooldown) = (0.5, 1, 0);
        let schedule =
            Schedule::Plateau { factor, patience, threshold: 0.1, cooldown, min_lr: 0.0 };
        let mut plateau = Plateau::new(1.0);
        // -9.5 and -9.2 are better than -10 by less than a tenth; -8.9 is better by more.
        for (value, lr) in [(-10.0, 1.0), (-9.5, 1.0), (-9.2, 0.5), (-8.9, 0.5), (-12.0, 0.5)] {
            plateau.update(&schedule, &Monitor::R2, value);
            assert_eq!(plateau.lr, lr, "{value}");
        }
    }

    #[test]
    fn every_number_is_better_than_nan() {
        let (factor, patience, cooldown) = (0.5, 0, 0);
        let schedule =
            Schedule::Plateau { factor, patience, threshold: 0.0, cooldown, min_lr: 0.0 };
        let mut plateau = Plateau::new(1.0);
        for (value, lr) in [(f64::NAN, 1.0), (5.0, 1.0), (f64::NAN, 0.5), (4.0, 0.5)] {
            plateau.update(&schedule, &Monitor::Loss, value);
            assert_eq!(plateau.lr, lr, "{value}");
        }
    }
}
