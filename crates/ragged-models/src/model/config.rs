//! The configuration of a model.

use serde::{Deserialize, Serialize};

use crate::config::{RecurrentConfig, check};
use crate::crf::config::CrfConfig;
use crate::embedding::config::TokenConfig;
use crate::error::Result;
use crate::layer::kind::LayerKind;
use crate::model::attention::AttentionConfig;
use crate::model::readout::Readout;
use crate::model::statics::{StaticConfig, StaticJoin};

/// The kind of input that a model takes.
///
/// ```
/// use ragged_models::{ModelConfig, ModelKind, Readout, RecurrentConfig};
///
/// let config = ModelConfig::new(ModelKind::Fixed, RecurrentConfig::new(7, 15), 1);
/// assert_eq!(config.readout, Readout::Last);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Sequences of one length, `[B, T, I]`.
    Fixed,
    /// Sequences of any lengths, packed.
    Variable,
}

/// The configuration of a [`Model`](crate::Model): everything except the parameters.
///
/// ```
/// use ragged_models::{LayerKind, ModelConfig, ModelKind, Readout, RecurrentConfig};
///
/// // One label of five classes per sequence, from the mean of a GRU's outputs.
/// let config = ModelConfig {
///     cell: LayerKind::Gru,
///     readout: Readout::Mean,
///     ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 5)
/// };
/// config.validate()?;
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The kind of input.
    pub kind: ModelKind,
    /// The kind of the recurrent layer. Default LSTM.
    #[serde(default)]
    pub cell: LayerKind,
    /// How tokens become the input of the recurrent layer. Default none: steps are features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenConfig>,
    /// The options of the recurrent layer.
    pub layer: RecurrentConfig,
    /// The static values of a sequence. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statics: Option<StaticConfig>,
    /// The outputs of the layer that the head receives.
    pub readout: Readout,
    /// The sizes of the attention, if that is the readout. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<AttentionConfig>,
    /// The probability, from 0 to 1, of zeroing an element between the readout and the head. Default
    /// 0.
    #[serde(default)]
    pub head_dropout: f64,
    /// O, the number of outputs of the linear head (target values or classes); at least 1.
    pub num_outputs: usize,
    /// The CRF whose emissions the outputs are, for the readout of every step. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crf: Option<CrfConfig>,
}

impl ModelConfig {
    /// Returns the configuration of the lecture's model for this kind of input: an LSTM, then a linear
    /// layer on the last time step (fixed) or on the last hidden state of each sequence (variable).
    ///
    /// ```
    /// use ragged_models::{ModelConfig, ModelKind, Readout, RecurrentConfig};
    ///
    /// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
    /// assert_eq!(config.readout, Readout::Final);
    /// ```
    pub fn new(kind: ModelKind, layer: RecurrentConfig, num_outputs: usize) -> Self {
        let readout = match kind {
            ModelKind::Fixed => Readout::Last,
            ModelKind::Variable => Readout::Final,
        };
        Self {
            kind,
            cell: LayerKind::Lstm,
            tokens: None,
            layer,
            statics: None,
            readout,
            attention: None,
            head_dropout: 0.0,
            num_outputs,
            crf: None,
        }
    }

    /// Returns the number of features that the head receives.
    pub fn head_features(&self) -> usize {
        let heads = self.attention.map_or(1, |attention| attention.heads);
        let joined = self.statics.as_ref().filter(|statics| statics.join == StaticJoin::Head);
        let read = heads.saturating_mul(self.layer.output_features());
        read.saturating_add(joined.map_or(0, StaticConfig::features))
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first value that is not allowed.
    ///
    /// ```
    /// use ragged_models::{ModelConfig, ModelKind, RecurrentConfig};
    ///
    /// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 0);
    /// let error = config.validate().unwrap_err();
    /// assert_eq!(error.to_string(), "num_outputs is 0: expected at least 1");
    /// ```
    pub fn validate(&self) -> Result<()> {
        check("num_outputs", self.num_outputs, self.num_outputs >= 1, "at least 1")?;
        let p = self.head_dropout;
        check("head_dropout", p, (0.0..=1.0).contains(&p), "0 to 1")?;
        let (given, needed) = (self.attention.is_some(), self.readout == Readout::Attention);
        check(
            "attention",
            if given { "given" } else { "none" },
            given == needed,
            match needed {
                true => "its sizes, as it is the readout",
                false => "none, as it is not the readout",
            },
        )?;
        if let Some(attention) = &self.attention {
            attention.validate()?;
        }
        if let Some(statics) = &self.statics {
            statics.validate()?;
            let kind = if self.kind == ModelKind::Fixed { "fixed" } else { "variable" };
            check("kind", kind, kind == "variable", "variable, as there are static values")?;
            let both = statics.join == StaticJoin::State && self.layer.trainable_state;
            let reason = "false, as static values make the initial states";
            check("trainable_state", both, !both, reason)?;
        }
        if let Some(crf) = &self.crf {
            let steps = self.readout == Readout::Steps;
            check("crf", "given", steps, "none, as the readout is not that of every step")?;
            crf.validate(self.num_outputs)?;
        }
        if let Some(tokens) = &self.tokens {
            tokens.validate()?;
            let (got, expected) = (self.layer.input_size, tokens.output_features());
            let reason = format!("{expected}, the features of the tokens");
            check("input_size", got, got == expected, &reason)?;
        }
        self.layer.validate()
    }
}
