//! The metric that decides: which epoch is the best, and when it is time to stop.

use serde::{Deserialize, Serialize};

use crate::{Error, Loss, Metrics, Result};

/// The metric by which epochs are compared, over the validation data where there is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Monitor {
    /// The mean loss; smaller is better.
    #[default]
    Loss,
    /// The coefficient of determination, for values.
    R2,
    /// The share of right classes, for classes.
    Accuracy,
    /// The mean F1 of the classes, for classes.
    F1,
}

impl Monitor {
    /// Whether a smaller value is the better one.
    pub fn smaller_is_better(self) -> bool {
        self == Self::Loss
    }

    /// Its value; NaN where these metrics do not have it.
    pub fn value(self, metrics: &Metrics) -> f64 {
        let value = match self {
            Self::Loss => Some(metrics.loss),
            Self::R2 => metrics.r2,
            Self::Accuracy => metrics.accuracy,
            Self::F1 => metrics.f1,
        };
        value.unwrap_or(f64::NAN)
    }

    /// Whether `value` beats `best` by more than `min_delta`; NaN beats nothing.
    pub fn better(self, value: f64, best: f64, min_delta: f64) -> bool {
        if self.smaller_is_better() { value < best - min_delta } else { value > best + min_delta }
    }

    /// Checks that a loss has this metric.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names those that it has.
    pub fn check(self, loss: Loss) -> Result<()> {
        let (ok, expected) = match loss {
            Loss::Mse => (matches!(self, Self::Loss | Self::R2), "loss or r2 for these targets"),
            Loss::CrossEntropy => (self != Self::R2, "loss, accuracy or f1 for these targets"),
        };
        let got = format!("{self:?}").to_lowercase();
        if ok { Ok(()) } else { Err(Error::config("train.monitor", got, expected)) }
    }
}

/// When to stop before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a better value of the monitored metric after which training ends; at least 1.
    pub patience: usize,
    /// By how much a value must be better to count as better. Default 0.
    #[serde(default)]
    pub min_delta: f64,
}

impl EarlyStopping {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        if self.patience == 0 {
            return Err(Error::config("train.early_stopping.patience", 0, "at least 1"));
        }
        if !(0.0..f64::INFINITY).contains(&self.min_delta) {
            let got = self.min_delta;
            return Err(Error::config("train.early_stopping.min_delta", got, "at least 0"));
        }
        Ok(())
    }
}

/// How long it has not got better.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patience {
    best: Option<f64>,
    waited: usize,
}

impl Patience {
    /// Takes in an epoch's value.
    pub fn update(&mut self, rule: &EarlyStopping, monitor: Monitor, value: f64) {
        if self.best.is_none_or(|best| monitor.better(value, best, rule.min_delta)) {
            (self.best, self.waited) = (Some(value), 0);
        } else {
            self.waited += 1;
        }
    }

    /// Whether it is at an end.
    pub fn exhausted(&self, rule: &EarlyStopping) -> bool {
        self.waited >= rule.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_epochs_since_the_best() {
        let rule = EarlyStopping { patience: 2, min_delta: 0.1 };
        let mut patience = Patience::default();
        let mut after = |value| {
            patience.update(&rule, Monitor::Accuracy, value);
            patience.exhausted(&rule)
        };
        assert!(!after(0.5) && !after(0.55) && !after(0.7), "0.7 is better than 0.5 by 0.1");
        assert!(!after(0.2) && after(0.75), "0.75 is no better than 0.7 by 0.1");
    }
}
