//! The state of the plateau schedule.

use serde::{Deserialize, Serialize};

use crate::objective::monitor::Monitor;
use crate::optim::schedule::Schedule;

/// The state of [`Schedule::Plateau`]. With other schedules, the learning rate does not change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// The current learning rate.
    pub lr: f64,
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
    pub fn update(&mut self, schedule: &Schedule, monitor: Monitor, value: f64) {
        let &Schedule::Plateau { factor, patience, threshold, cooldown, min_lr } = schedule else {
            return;
        };
        let better = self.best.is_none_or(|best| {
            if monitor.smaller_is_better() {
                value < best * (1.0 - threshold)
            } else {
                value > best * (1.0 + threshold)
            }
        });
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
