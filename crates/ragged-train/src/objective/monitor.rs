//! The metric that compares epochs.

use std::borrow::Cow;

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::error::ConfigError;
use crate::error::Result;
use crate::objective::loss::Loss;
use crate::objective::metrics::Metrics;

/// The metric that compares epochs: for the best checkpoint, early stopping and the plateau schedule.
///
/// It is measured on the validation data, or on the training data where there are none. [`Metrics`] describes the
/// metrics.
///
/// ```
/// use ragged_train::objective::Monitor;
///
/// // The metric of a head has the name of the head before its own.
/// let monitor: Monitor = serde_json::from_str("\"activity.accuracy\"").unwrap();
/// assert_eq!(monitor.name(), "activity.accuracy");
/// assert!(!monitor.smaller_is_better());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Monitor {
    /// The mean loss; smaller is better.
    #[default]
    Loss,
    /// The coefficient of determination, for values.
    R2,
    /// The mean absolute error, for values; smaller is better.
    Mae,
    /// The root of the mean squared error, for values; smaller is better.
    Rmse,
    /// The mean absolute error relative to the naive forecast, for values per step; smaller is better.
    Mase,
    /// The mean pinball loss, for quantiles; smaller is better.
    Pinball,
    /// The fraction of correctly predicted classes, for classes.
    Accuracy,
    /// The mean recall of the classes, for classes.
    BalancedAccuracy,
    /// The F1 score averaged over the classes, for classes and labels.
    F1,
    /// The F1 score of all labels together, for labels.
    F1Micro,
    /// The fraction of targets among the five most probable classes, for more than five classes.
    Top5,
    /// The area under the ROC curve, for classes and labels; on validation data only.
    Auc,
    /// The F1 score of spans, for BIO tags.
    SpanF1,
    /// The precision of spans, for BIO tags.
    SpanPrecision,
    /// The recall of spans, for BIO tags.
    SpanRecall,
    /// The edit distances divided by the number of labels, for lists of labels; smaller is better.
    TokenErrorRate,
    /// The fraction of sequences that are not exactly right, for lists of labels; smaller is better.
    SequenceErrorRate,
    /// A metric of a program ([`Loss::own_metrics`]).
    #[serde(skip)]
    Own(OwnMetric),
    /// A metric of a head; in a configuration, `HEAD.METRIC`.
    #[serde(skip)]
    OfHead {
        /// The name of the head.
        head: String,
        /// Its metric.
        metric: Box<Monitor>,
    },
}

impl Serialize for Monitor {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::OfHead { .. } => self.name().serialize(to),
            plain => Self::serialize(plain, to),
        }
    }
}

impl<'de> Deserialize<'de> for Monitor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        // The names of metrics have no point; those of heads may.
        let (head, metric) = match name.rsplit_once('.') {
            Some((head, metric)) => (Some(head), metric),
            None => (None, name.as_str()),
        };
        let metric: StrDeserializer<'_, D::Error> = metric.into_deserializer();
        let metric = Self::deserialize(metric)?;
        Ok(match head {
            Some(head) => Self::OfHead { head: head.into(), metric: Box::new(metric) },
            None => metric,
        })
    }
}

/// A metric of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnMetric {
    /// Its name.
    pub name: &'static str,
    /// Whether smaller values are better.
    pub smaller_is_better: bool,
}

impl Monitor {
    /// Returns the name of the metric.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Loss => "loss",
            Self::R2 => "r2",
            Self::Mae => "mae",
            Self::Rmse => "rmse",
            Self::Mase => "mase",
            Self::Pinball => "pinball",
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::F1 => "f1",
            Self::F1Micro => "f1_micro",
            Self::Top5 => "top5",
            Self::Auc => "auc",
            Self::TokenErrorRate => "token_error_rate",
            Self::SequenceErrorRate => "sequence_error_rate",
            Self::SpanF1 => "span_f1",
            Self::SpanPrecision => "span_precision",
            Self::SpanRecall => "span_recall",
            Self::Own(own) => own.name,
            Self::OfHead { head, metric } => return format!("{head}.{}", metric.name()).into(),
        })
    }

    /// Returns the name of its head, if it has one, and the metric without it.
    pub fn of_head(&self) -> (Option<&str>, &Self) {
        match self {
            Self::OfHead { head, metric } => (Some(head), metric),
            plain => (None, plain),
        }
    }

    /// Returns whether smaller values are better.
    pub fn smaller_is_better(&self) -> bool {
        match self {
            Self::Loss | Self::Mae | Self::Rmse | Self::Mase | Self::Pinball => true,
            Self::TokenErrorRate | Self::SequenceErrorRate => true,
            Self::Own(own) => own.smaller_is_better,
            Self::OfHead { metric, .. } => metric.smaller_is_better(),
            _ => false,
        }
    }

    /// Returns the value of this metric, or NaN where `metrics` lack it.
    pub fn value(&self, metrics: &Metrics) -> f64 {
        metrics.get(&self.name()).unwrap_or(f64::NAN)
    }

    /// Returns whether `value` is better than `best` by more than `min_delta`. NaN is worse than every
    /// number.
    pub fn better(&self, value: f64, best: f64, min_delta: f64) -> bool {
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
    pub fn check(&self, loss: &dyn Loss) -> Result<()> {
        let names = loss.metrics().names();
        let is_measured = names.iter().any(|name| *name == self.name());
        if matches!(self, Self::Own(..)) || is_measured {
            return Ok(());
        }
        let known = match names.as_slice() {
            [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
            _ => names.join(", "),
        };
        let expected = format!("{known} for these targets");
        Err(ConfigError::range("train.monitor", self.name(), &expected).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::criterion::Criterion;

    #[test]
    fn the_names_are_those_of_the_configuration() {
        let names = [
            "loss",
            "r2",
            "mae",
            "rmse",
            "mase",
            "pinball",
            "accuracy",
            "balanced_accuracy",
            "f1",
            "f1_micro",
            "top5",
            "auc",
            "token_error_rate",
            "sequence_error_rate",
            "span_f1",
            "span_precision",
            "span_recall",
        ];
        for name in names {
            let monitor: Monitor = serde_json::from_value(name.into()).unwrap();
            assert_eq!(monitor.name(), name);
        }
    }

    #[test]
    fn a_metric_of_other_targets_is_refused() {
        let error = Monitor::R2.check(&Criterion::cross_entropy()).unwrap_err().to_string();
        let expected = "train.monitor is r2: expected loss, accuracy, balanced_accuracy, f1, top5 or auc for these \
                        targets";
        assert_eq!(error, expected);
        let quantile = Criterion::Quantile { quantiles: vec![0.1, 0.9] };
        let error = Monitor::R2.check(&quantile).unwrap_err().to_string();
        let expected = "train.monitor is r2: expected loss, coverage or pinball for these targets";
        assert_eq!(error, expected);
        assert!(Monitor::Pinball.check(&quantile).is_ok());
    }
}
