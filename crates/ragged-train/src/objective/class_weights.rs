//! The weights of classes in cross-entropy, as a configuration has them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::config::error::ConfigError;
use crate::error::Result;

/// The weights of classes: `"balanced"`, or a table of weights by label. A class without an entry has the weight 1.
///
/// ```
/// use ragged_train::objective::ClassWeights;
///
/// let labels = ["common".to_string(), "rare".to_string()];
/// // Three of four examples are common: n / (classes x count), as in scikit-learn.
/// let weights = ClassWeights::Balanced.resolve(&labels, &[3, 1])?;
/// assert_eq!(weights, [4.0 / (2.0 * 3.0), 2.0]);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// Inversely proportional to the number of training targets of the class.
    Balanced,
    /// By label.
    ByLabel(BTreeMap<String, f64>),
}

const KEY: &str = "train.class_weights";
const BALANCED: &str = "balanced";

impl ClassWeights {
    /// Checks the weights.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first weight that is negative or not finite.
    pub fn validate(&self) -> Result<()> {
        self.validate_at(KEY)
    }

    /// Checks the weights; `key` is theirs.
    pub(crate) fn validate_at(&self, key: &str) -> Result<()> {
        let Self::ByLabel(weights) = self else { return Ok(()) };
        let bad = weights.iter().find(|(_, weight)| !(0.0..f64::INFINITY).contains(*weight));
        bad.map_or(Ok(()), |(label, weight)| {
            let key = format!("{key}.{label}");
            Err(ConfigError::range(key, weight, "a number of at least 0").into())
        })
    }

    /// Returns one weight per class, from the numbers of training targets. Balanced weights leave out classes without
    /// training targets, whose weight is 1.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names a label that does not exist.
    pub fn resolve(&self, labels: &[String], counts: &[u64]) -> Result<Vec<f64>> {
        self.resolve_at(KEY, labels, counts)
    }

    /// Returns one weight per class; `key` is that of the weights.
    pub(crate) fn resolve_at(
        &self,
        key: &str,
        labels: &[String],
        counts: &[u64],
    ) -> Result<Vec<f64>> {
        match self {
            Self::Balanced => {
                let present = counts.iter().filter(|count| **count > 0).count() as f64;
                let all = counts.iter().sum::<u64>() as f64;
                let weight = |count: u64| all / (present * count as f64);
                Ok(counts.iter().map(|&n| if n > 0 { weight(n) } else { 1.0 }).collect())
            }
            Self::ByLabel(weights) => {
                if let Some(label) = weights.keys().find(|label| !labels.contains(label)) {
                    let message = format!(
                        "{key} has the label {label:?}: expected some of {}",
                        labels.join(", ")
                    );
                    return Err(ConfigError::conflict(key, message).into());
                }
                let weight = |label| weights.get(label).copied().unwrap_or(1.0);
                Ok(labels.iter().map(weight).collect())
            }
        }
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Balanced => BALANCED.serialize(to),
            Self::ByLabel(weights) => weights.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"balanced\" or a section of weights by label")
            }

            fn visit_str<E: Error>(self, name: &str) -> std::result::Result<ClassWeights, E> {
                match name {
                    BALANCED => Ok(ClassWeights::Balanced),
                    _ => Err(E::unknown_variant(name, &[BALANCED])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<ClassWeights, A::Error> {
                let weights = BTreeMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ClassWeights::ByLabel(weights))
            }
        }

        from.deserialize_any(NameOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_by_label_need_labels_that_exist() {
        let labels = ["a".to_string(), "b".to_string(), "c".to_string()];
        let weights: ClassWeights = toml::from_str("c = 3\nb = 0.5").unwrap();
        assert_eq!(weights.resolve(&labels, &[1, 1, 1]).unwrap(), [1.0, 0.5, 3.0]);
        let unknown: ClassWeights = toml::from_str("d = 3").unwrap();
        let error = unknown.resolve(&labels, &[1, 1, 1]).unwrap_err().to_string();
        assert_eq!(error, "train.class_weights has the label \"d\": expected some of a, b, c");
        let negative: ClassWeights = toml::from_str("a = -1").unwrap();
        let error = negative.validate().unwrap_err().to_string();
        assert_eq!(error, "train.class_weights.a is -1: expected a number of at least 0");
        assert_eq!(ClassWeights::Balanced.resolve(&labels, &[3, 0, 1]).unwrap()[1], 1.0);
    }
}
