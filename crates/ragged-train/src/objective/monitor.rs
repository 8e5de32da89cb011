//! The metric that compares epochs.

use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::error::Result;
use crate::objective::loss::Loss;
use crate::objective::metrics::Metrics;

/// The metric that compares epochs: for the best checkpoint, early stopping and the plateau schedule.
///
/// It is measured on the validation data, or on the training data where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Monitor {
    /// The mean loss; smaller is better.
    #[default]
    Loss,
    /// The coefficient of determination, for values.
    R2,
    /// The fraction of correctly predicted classes, for classes.
    Accuracy,
    /// The F1 score averaged over the classes, for classes.
    F1,
}

impl Monitor {
    /// Returns whether smaller values are better.
    pub fn smaller_is_better(self) -> bool {
        self == Self::Loss
    }

    /// Returns the value of this metric, or NaN where `metrics` lack it.
    pub fn value(self, metrics: &Metrics) -> f64 {
        let value = match self {
            Self::Loss => Some(metrics.loss),
            Self::R2 => metrics.r2,
            Self::Accuracy => metrics.accuracy,
            Self::F1 => metrics.f1,
        };
        value.unwrap_or(f64::NAN)
    }

    /// Returns whether `value` is better than `best` by more than `min_delta`. NaN is worse than every
    /// number.
    pub fn better(self, value: f64, best: f64, min_delta: f64) -> bool {
        if best.is_nan() {
            return !value.is_nan();
        }
        if self.smaller_is_better() { value < best - min_delta } else { value > best + min_delta }
    }

    /// Checks that the metric exists for a loss.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) lists the metrics that exist.
    pub fn check(self, loss: Loss) -> Result<()> {
        let (ok, expected) = match loss {
            Loss::Mse => (matches!(self, Self::Loss | Self::R2), "loss or r2 for these targets"),
            Loss::CrossEntropy => (self != Self::R2, "loss, accuracy or f1 for these targets"),
        };
        let got = format!("{self:?}").to_lowercase();
        if ok { Ok(()) } else { Err(ConfigError::range("train.monitor", got, expected).into()) }
    }
}
