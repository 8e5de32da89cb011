//! The metrics of one pass over a data set.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exact_float::Floats;

/// The metrics of one pass over a data set: the loss, and others by name.
///
/// | name | for | what |
/// |---|---|---|
/// | `r2` | values | the coefficient of determination, averaged over the values |
/// | `mae`, `rmse` | values | the mean absolute error, and the root of the mean squared error |
/// | `mase` | values per step | the mean absolute error divided by that of the previous target of the series as forecast; for forecasts, each error divided by the naive error of its series |
/// | `coverage` | quantiles | the fraction of targets from the lowest to the highest quantile |
/// | `pinball` | quantiles | the mean pinball loss |
/// | `accuracy` | classes, labels | the fraction of correct classes, or of rows of which every label is correct |
/// | `balanced_accuracy` | classes | the mean recall of the classes that occur |
/// | `f1` | classes, labels | the F1 score averaged over the classes with equal weights |
/// | `f1_micro` | labels | the F1 score of all labels together |
/// | `top5` | more than 5 classes | the fraction of targets among the five most probable classes |
/// | `auc` | classes, labels | the area under the ROC curve, averaged over the classes against the rest; in evaluations only |
/// | `token_error_rate` | lists of labels | the edit distances to the targets divided by the number of labels of the targets |
/// | `sequence_error_rate` | lists of labels | the fraction of sequences whose labels are not exactly right |
/// | `span_f1`, `span_precision`, `span_recall` | BIO tags per step | the F1 score, precision and recall of spans |
///
/// With several heads, the metrics of each have its name before theirs, as in `activity.accuracy`, and its own loss is
/// among them.
///
/// The loss is in the units of the model, in which targets may be scaled. All other metrics are in the units of the
/// data. A metric that is undefined is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// The mean loss per target.
    pub loss: f64,
    /// The other metrics by name, the one that is usually quoted first.
    pub others: Vec<(String, f64)>,
}

impl Metrics {
    /// Returns a metric by name, if it was measured. NaN where it is undefined.
    pub fn get(&self, name: &str) -> Option<f64> {
        match name {
            "loss" => Some(self.loss),
            _ => self.others.iter().find(|(other, _)| other == name).map(|(_, value)| *value),
        }
    }

    /// Returns the coefficient of determination, for values. An output whose targets are all equal has none; NaN where
    /// that holds for every output.
    pub fn r2(&self) -> Option<f64> {
        self.get("r2")
    }

    /// Returns the fraction of correctly predicted classes, for classes. NaN where a prediction is not finite.
    pub fn accuracy(&self) -> Option<f64> {
        self.get("accuracy")
    }

    /// Returns all metrics by name, the loss first.
    pub fn all(&self) -> impl Iterator<Item = (&str, f64)> {
        let others = self.others.iter().map(|(name, value)| (name.as_str(), *value));
        std::iter::once(("loss", self.loss)).chain(others)
    }

    /// Returns the name, in words, and the value of the metric that is usually quoted: R2 for values, the accuracy
    /// for classes. NaN where the metric is undefined.
    pub fn headline(&self) -> (&str, f64) {
        match self.others.first() {
            Some((name, value)) => (in_words(name), *value),
            None => ("loss", self.loss),
        }
    }

    /// Returns the [headline](Self::headline), or that of each head where there are heads.
    ///
    /// ```
    /// use ragged_train::Metrics;
    ///
    /// let names = ["activity.accuracy", "activity.f1", "activity.loss", "speed.r2", "speed.loss"];
    /// let others = names.map(|name| (name.to_string(), 0.5)).to_vec();
    /// let metrics = Metrics { loss: 1.0, others };
    /// assert_eq!(metrics.headlines(), [("activity.accuracy", 0.5), ("speed.r2", 0.5)]);
    /// ```
    pub fn headlines(&self) -> Vec<(&str, f64)> {
        let of_head = |name: &str| name.rsplit_once('.').map(|(head, _)| head.to_string());
        if self.others.first().is_none_or(|(name, _)| of_head(name).is_none()) {
            return vec![self.headline()];
        }
        let (mut heads, mut headlines) = (vec![], vec![]);
        for (name, value) in &self.others {
            let Some(head) = of_head(name).filter(|head| !heads.contains(head)) else { continue };
            heads.push(head);
            headlines.push((name.as_str(), *value));
        }
        headlines
    }

    /// Returns the other metrics than the loss and the [headlines](Self::headlines), with their names in words.
    pub fn further(&self) -> impl Iterator<Item = (&str, f64)> {
        let headlines = self.headlines();
        let others = self.others.iter().map(|(name, value)| (in_words(name), *value));
        others.filter(move |(name, _)| headlines.iter().all(|(headline, _)| headline != name))
    }
}

/// Returns the name of a metric in words.
fn in_words(name: &str) -> &str {
    match name {
        "r2" => "R2",
        "mae" => "MAE",
        "rmse" => "RMSE",
        "mase" => "MASE",
        "balanced_accuracy" => "balanced accuracy",
        "f1" => "F1",
        "f1_micro" => "micro F1",
        "top5" => "top-5 accuracy",
        "auc" => "ROC AUC",
        "token_error_rate" => "token error rate",
        "sequence_error_rate" => "sequence error rate",
        "span_f1" => "span F1",
        "span_precision" => "span precision",
        "span_recall" => "span recall",
        "pinball" => "pinball loss",
        other => other,
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1 + self.others.len()))?;
        for (name, value) in self.all() {
            map.serialize_entry(name, &value.to_json())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ByName;

        impl<'de> Visitor<'de> for ByName {
            type Value = Metrics;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("metrics by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
                let (mut loss, mut others) = (None, vec![]);
                while let Some(name) = map.next_key::<String>()? {
                    let value = f64::from_json(map.next_value()?).map_err(|got| {
                        A::Error::custom(format!("{name}: expected a number, got {got:?}"))
                    })?;
                    match name.as_str() {
                        "loss" => loss = Some(value),
                        _ => others.push((name, value)),
                    }
                }
                let loss = loss.ok_or_else(|| A::Error::missing_field("loss"))?;
                Ok(Metrics { loss, others })
            }
        }

        from.deserialize_map(ByName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_come_back_from_json_in_their_order() {
        let others = vec![("r2".into(), f64::NAN), ("mae".into(), 2.0)];
        let metrics = Metrics { loss: 0.5, others };
        let text = serde_json::to_string(&metrics).unwrap();
        assert_eq!(text, r#"{"loss":0.5,"r2":"NaN","mae":2.0}"#);
        let again: Metrics = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert_eq!((again.headline().0, again.get("mae")), ("R2", Some(2.0)));
        assert_eq!(again.further().collect::<Vec<_>>(), [("MAE", 2.0)]);
        assert!(serde_json::from_str::<Metrics>(r#"{"r2":1}"#).is_err());
    }
}
