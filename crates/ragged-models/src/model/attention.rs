//! Attention over the outputs of a recurrent layer.

use candle_core::{Result as CandleResult, Tensor};
use candle_nn::{Init, Module, VarBuilder};
use ragged_sequence::{PackedSequence, Pooling, packed_softmax, pool};
use serde::{Deserialize, Serialize};

use crate::config::check;
use crate::error::Result;
use crate::model::linear::Linear;
use crate::op::linear::linear;

/// The sizes of an attention over the steps of a sequence ([`Readout::Attention`](crate::Readout::Attention)).
///
/// ```
/// use ragged_models::{AttentionConfig, ModelConfig, ModelKind, Readout, RecurrentConfig};
///
/// let config = ModelConfig {
///     readout: Readout::Attention,
///     attention: Some(AttentionConfig { size: 32, heads: 2 }),
///     ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 3)
/// };
/// // The head receives one weighted mean of the outputs per attention head.
/// assert_eq!(config.head_features(), 2 * 15);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttentionConfig {
    /// A, the number of units that score a step; at least 1. Default 64.
    pub size: usize,
    /// The number of heads, each with scores of its own; at least 1. Default 1.
    pub heads: usize,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self { size: 64, heads: 1 }
    }
}

impl AttentionConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        check("attention size", self.size, self.size >= 1, "at least 1")?;
        check("attention heads", self.heads, self.heads >= 1, "at least 1")
    }
}

/// Additive attention (Bahdanau et al. 2015; with several heads, Lin et al. 2017): the scores of a step with output h
/// are `V tanh(W h + b)`, and each head returns the mean of the outputs, weighted by the softmax of its scores.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    hidden: Linear,
    /// V, `[heads, A]`.
    score: Tensor,
}

impl Attention {
    /// Takes `attention.hidden.*` and `attention.score.weight` from `vb`.
    pub(crate) fn new(config: AttentionConfig, features: usize, vb: VarBuilder) -> Result<Self> {
        let AttentionConfig { size, heads } = config;
        let bound = 1.0 / (size as f64).sqrt();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        Ok(Self {
            hidden: Linear::new(features, size, vb.pp("hidden"))?,
            score: vb.pp("score").get_with_hints((heads, size), "weight", uniform)?,
        })
    }

    /// Returns `[B, heads * F]` for outputs `[N, F]`, in the caller's order; zeros for a sequence without steps.
    pub(crate) fn forward(&self, output: &PackedSequence) -> Result<Tensor> {
        let heads = self.score.dims()[0];
        let scores = output.map(|rows| self.scores(rows))?;
        let weights = packed_softmax(&scores)?;
        let means = (0..heads).map(|head| {
            let weighted =
                output.map(|rows| rows.broadcast_mul(&weights.data().narrow(1, head, 1)?))?;
            Ok(pool(&weighted, Pooling::Sum)?)
        });
        Ok(Tensor::cat(&means.collect::<Result<Vec<_>>>()?, 1)?)
    }

    /// Returns `[N, heads]`. A bias would not change the softmax, so there is none.
    fn scores(&self, rows: &Tensor) -> CandleResult<Tensor> {
        let hidden = self.hidden.forward(rows)?.tanh()?;
        let no_bias = Tensor::zeros(self.score.dims()[0], hidden.dtype(), hidden.device())?;
        match linear(&hidden, &self.score, &no_bias)? {
            Some(scores) => Ok(scores),
            None => hidden.matmul(&self.score.t()?),
        }
    }

    /// Returns a copy with parameters of its own, without gradients.
    pub(crate) fn copy(&self) -> CandleResult<Self> {
        Ok(Self { hidden: self.hidden.copy()?, score: self.score.copy()?.detach() })
    }
}
