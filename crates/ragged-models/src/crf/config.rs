//! The configuration of a model's CRF.

use serde::{Deserialize, Serialize};

use crate::config::check;
use crate::crf::constraints::CrfConstraints;
use crate::error::Result;

/// The options of the CRF over the outputs of a [`Model`](crate::Model).
///
/// ```
/// use ragged_models::{CrfConfig, ModelConfig, ModelKind, Readout, RecurrentConfig};
///
/// let labels = ["O", "B-PER", "I-PER"].map(String::from);
/// let config = ModelConfig {
///     readout: Readout::Steps,
///     crf: Some(CrfConfig { bio: labels.to_vec() }),
///     ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 3)
/// };
/// config.validate()?;
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrfConfig {
    /// The label of each output, whose BIO scheme forbids transitions ([`CrfConstraints::bio`]). Default none: all
    /// transitions are allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bio: Vec<String>,
}

impl CrfConfig {
    /// Returns the forbidden transitions among `tags` tags.
    pub(crate) fn constraints(&self, tags: usize) -> CrfConstraints {
        match self.bio.as_slice() {
            [] => CrfConstraints::none(tags),
            labels => CrfConstraints::bio(labels),
        }
    }

    pub(crate) fn validate(&self, tags: usize) -> Result<()> {
        let got = self.bio.len();
        let expected = format!("0 or {tags}, one per output");
        check("number of BIO labels", got, got == 0 || got == tags, &expected)
    }
}
