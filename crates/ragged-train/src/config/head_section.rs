//! A head of a model for several targets.

use serde::{Deserialize, Serialize};

use crate::config::error::ConfigError;
use crate::error::Result;
use crate::objective::class_weights::ClassWeights;
use crate::objective::criterion::{Criterion, name_or_table};

/// What a head minimises, in the section `train.heads.NAME`, where NAME is the target.
///
/// ```
/// use ragged_train::ExperimentConfig;
///
/// let text = "[data]\ndataset = \"gait.csv\"\n[train.heads.speed]\nloss = \"huber\"\nweight = 0.5\n";
/// let config = ExperimentConfig::parse(text, &[])?;
/// assert_eq!(config.train.heads["speed"].weight, 0.5);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadSection {
    /// The factor of the mean loss of the head in the total, at least 0. Default 1.
    pub weight: f64,
    /// The loss of the head. Default cross-entropy for classes and the mean squared error for values.
    #[serde(deserialize_with = "name_or_table", skip_serializing_if = "Option::is_none")]
    pub loss: Option<Criterion>,
    /// The weights of the classes in cross-entropy. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
}

impl Default for HeadSection {
    fn default() -> Self {
        Self { weight: 1.0, loss: None, class_weights: None }
    }
}

impl HeadSection {
    /// Checks every value; `key` is that of the section.
    pub(crate) fn validate(&self, key: &str) -> Result<()> {
        if !(0.0..f64::INFINITY).contains(&self.weight) {
            let expected = "a number of at least 0";
            return Err(ConfigError::range(format!("{key}.weight"), self.weight, expected).into());
        }
        self.loss.as_ref().map_or(Ok(()), |loss| loss.validate_at(&format!("{key}.loss")))?;
        let weights = self.class_weights.as_ref();
        weights.map_or(Ok(()), |weights| weights.validate_at(&format!("{key}.class_weights")))
    }
}
