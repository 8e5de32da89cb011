//! Early stopping: training ends once the monitored metric no longer improves.

use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::error::Result;
use crate::exact_float;
use crate::objective::monitor::Monitor;

/// When to stop before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Training ends after this many epochs without an improvement of the monitored metric; at
    /// least 1.
    pub patience: usize,
    /// The smallest change that counts as an improvement. Default 0.
    #[serde(default)]
    pub min_delta: f64,
}

impl EarlyStopping {
    /// Creates a rule for which every improvement counts, however small.
    pub fn new(patience: usize) -> Self {
        Self { patience, min_delta: 0.0 }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first value that is out of range.
    pub fn validate(&self) -> Result<()> {
        if self.patience == 0 {
            let key = "train.early_stopping.patience";
            return Err(ConfigError::range(key, 0, "at least 1").into());
        }
        if !(0.0..f64::INFINITY).contains(&self.min_delta) {
            let key = "train.early_stopping.min_delta";
            return Err(ConfigError::range(key, self.min_delta, "at least 0").into());
        }
        Ok(())
    }
}

/// The best value of the monitored metric and the number of epochs since.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStoppingState {
    #[serde(with = "exact_float")]
    best: Option<f64>,
    /// Epochs since the last improvement.
    waited: usize,
}

impl EarlyStoppingState {
    /// Adds the value of an epoch.
    pub fn update(&mut self, rule: &EarlyStopping, monitor: &Monitor, value: f64) {
        if self.best.is_none_or(|best| monitor.better(value, best, rule.min_delta)) {
            (self.best, self.waited) = (Some(value), 0);
        } else {
            self.waited += 1;
        }
    }

    /// Returns whether training should stop.
    pub fn should_stop(&self, rule: &EarlyStopping) -> bool {
        self.waited >= rule.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_since_the_last_improvement_are_counted() {
        let rule = EarlyStopping { patience: 2, min_delta: 0.1 };
        let mut state = EarlyStoppingState::default();
        let mut after = |value| {
            state.update(&rule, &Monitor::Accuracy, value);
            state.should_stop(&rule)
        };
        assert!(!after(0.5) && !after(0.55) && !after(0.7), "0.7 is better than 0.5 by 0.1");
        assert!(!after(0.2) && after(0.75), "0.75 is not better than 0.7 by 0.1");
    }

    /// After a first value of NaN, nothing was ever better.
    #[test]
    fn every_number_is_better_than_nan() {
        let rule = EarlyStopping::new(2);
        let mut state = EarlyStoppingState::default();
        for (value, stops) in [(f64::NAN, false), (-1.0, false), (f64::NAN, false), (-2.0, true)] {
            state.update(&rule, &Monitor::R2, value);
            assert_eq!(state.should_stop(&rule), stops, "{value}");
        }
    }
}
