//! The configuration of a model as a checkpoint has it.

use ragged_kernels::CellKind;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The kind of input. A model for one length takes sequences of any lengths here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModelKind {
    Fixed,
    Variable,
}

/// The kind of the recurrent layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LayerKind {
    #[default]
    Lstm,
    Gru,
    Rnn,
}

/// How the outputs of two directions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Merge {
    #[default]
    Concat,
    Sum,
    Mean,
}

/// The outputs of the layers that the head receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Readout {
    Final,
    Last,
    First,
    Mean,
    Max,
    Sum,
    Attention,
    Steps,
}

/// The sizes of the attention.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttentionConfig {
    pub(crate) size: usize,
    pub(crate) heads: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Nonlinearity {
    #[default]
    Tanh,
    Relu,
}

/// A model. An option that this version does not know is an error, since it may change the results.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some options matter in training only")]
pub(crate) struct ModelConfig {
    kind: ModelKind,
    #[serde(default)]
    pub(crate) cell: LayerKind,
    #[serde(default)]
    pub(crate) tokens: Option<TokenConfig>,
    pub(crate) layer: LayerConfig,
    #[serde(default)]
    pub(crate) statics: Option<StaticConfig>,
    pub(crate) readout: Readout,
    #[serde(default)]
    pub(crate) attention: Option<AttentionConfig>,
    #[serde(default)]
    head_dropout: f64,
    pub(crate) num_outputs: usize,
    #[serde(default)]
    pub(crate) crf: Option<CrfConfig>,
}

/// The options of a CRF.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CrfConfig {
    /// The label of each output, if their BIO scheme forbids transitions.
    pub(crate) bio: Vec<String>,
}

/// The static values of a sequence.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticConfig {
    pub(crate) num_values: usize,
    pub(crate) tables: Vec<EmbeddingSize>,
    #[serde(default)]
    pub(crate) join: StaticJoin,
}

/// Where static values join a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StaticJoin {
    #[default]
    Head,
    State,
}

/// How tokens become the input of the recurrent layers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some options matter in training only")]
pub(crate) struct TokenConfig {
    #[serde(default)]
    pub(crate) num_values: usize,
    pub(crate) tables: Vec<EmbeddingSize>,
    #[serde(default)]
    pub(crate) inner: Option<InnerConfig>,
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    word_dropout: f64,
    #[serde(default)]
    unknown: u32,
    #[serde(default)]
    freeze: bool,
    #[serde(default)]
    sparse: bool,
}

/// The size of a table.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingSize {
    pub(crate) num_embeddings: usize,
    pub(crate) embedding_dim: usize,
}

/// The layer that reads the characters of tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InnerConfig {
    pub(crate) table: EmbeddingSize,
    #[serde(default)]
    pub(crate) cell: LayerKind,
    pub(crate) layer: LayerConfig,
}

/// The recurrent layers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some options matter in training only")]
pub(crate) struct LayerConfig {
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    #[serde(default = "one")]
    pub(crate) num_layers: usize,
    #[serde(default = "yes")]
    pub(crate) bias: bool,
    #[serde(default)]
    pub(crate) bidirectional: bool,
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    pub(crate) proj_size: Option<usize>,
    #[serde(default)]
    pub(crate) peepholes: bool,
    #[serde(default = "yes")]
    pub(crate) reset_after: bool,
    #[serde(default)]
    pub(crate) layer_norm: bool,
    #[serde(default)]
    pub(crate) nonlinearity: Nonlinearity,
    #[serde(default)]
    pub(crate) merge: Merge,
    #[serde(default)]
    recurrent_dropout: f64,
    #[serde(default)]
    pub(crate) zoneout_hidden: f64,
    #[serde(default)]
    pub(crate) zoneout_cell: f64,
    #[serde(default)]
    orthogonal: bool,
    #[serde(default)]
    forget_bias: Option<f64>,
    #[serde(default)]
    pub(crate) trainable_state: bool,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl LayerKind {
    /// The name of the layers in the names of their parameters.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::Rnn => "rnn",
        }
    }

    pub(crate) fn cell_kind(self, layer: &LayerConfig) -> CellKind {
        match (self, layer.nonlinearity) {
            (Self::Lstm, _) if layer.layer_norm => CellKind::LayerNormLstm,
            (Self::Gru, _) if layer.layer_norm => CellKind::LayerNormGru,
            (Self::Lstm, _) if layer.peepholes => CellKind::PeepholeLstm,
            (Self::Lstm, _) => CellKind::Lstm,
            (Self::Gru, _) if !layer.reset_after => CellKind::ResetBeforeGru,
            (Self::Gru, _) => CellKind::Gru,
            (Self::Rnn, Nonlinearity::Tanh) => CellKind::RnnTanh,
            (Self::Rnn, Nonlinearity::Relu) => CellKind::RnnRelu,
        }
    }
}

impl ModelConfig {
    /// Returns the number of features that the head receives.
    pub(crate) fn head_features(&self) -> usize {
        let heads = self.attention.map_or(1, |attention| attention.heads);
        let joined = self.statics.as_ref().filter(|statics| statics.join == StaticJoin::Head);
        let read = heads.saturating_mul(self.layer.output_features());
        read.saturating_add(joined.map_or(0, StaticConfig::features))
    }

    /// Checks the sizes, so that no number of elements overflows.
    pub(crate) fn check(&self) -> Result<()> {
        if self.crf.is_some() && self.readout != Readout::Steps {
            let (expected, got) = ("a CRF with the readout of every step", "another readout");
            return Err(Error::Checkpoint { expected: expected.into(), got: got.into() });
        }
        self.layer.check()?;
        check("num_outputs", self.num_outputs, 1 << 28)?;
        if self.attention.is_some() != (self.readout == Readout::Attention) {
            let expected = "the sizes of the attention where it is the readout, and only there";
            let got = format!("{:?} and the readout {:?}", self.attention, self.readout);
            return Err(Error::Checkpoint { expected: expected.into(), got });
        }
        if let Some(AttentionConfig { size, heads }) = self.attention {
            check("attention size", size, 1 << 24)?;
            check("attention heads", heads, 1 << 20)?;
        }
        if let Some(statics) = &self.statics {
            check_tables(&statics.tables)?;
            check("static features", statics.features(), 1 << 28)?;
            if statics.join == StaticJoin::State && self.layer.trainable_state {
                let (expected, got) = ("initial states of static values", "trained ones, too");
                return Err(Error::Checkpoint { expected: expected.into(), got: got.into() });
            }
        }
        let Some(TokenConfig { tables, inner, num_values, .. }) = &self.tokens else {
            return Ok(());
        };
        check_tables(tables)?;
        let mut features = features_of(*num_values, tables);
        if let Some(InnerConfig { table, layer, .. }) = inner {
            check_tables(std::slice::from_ref(table))?;
            layer.check()?;
            equal("inner input_size", layer.input_size, table.embedding_dim)?;
            features = features.saturating_add(layer.output_features());
        }
        equal("input_size", self.layer.input_size, features)
    }
}

impl StaticConfig {
    /// Returns S, the number of features.
    pub(crate) fn features(&self) -> usize {
        features_of(self.num_values, &self.tables)
    }
}

/// The number of features of numbers and tables.
fn features_of(num_values: usize, tables: &[EmbeddingSize]) -> usize {
    let widths = tables.iter().map(|table| table.embedding_dim);
    widths.fold(num_values, usize::saturating_add)
}

fn check_tables(tables: &[EmbeddingSize]) -> Result<()> {
    tables.iter().try_for_each(|table| {
        check("num_embeddings", table.num_embeddings, 1 << 28)?;
        check("embedding_dim", table.embedding_dim, 1 << 24)
    })
}

fn check(name: &str, got: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&got) {
        return Ok(());
    }
    let expected = format!("{name} of 1 to {most}");
    Err(Error::Checkpoint { expected, got: got.to_string() })
}

fn equal(name: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Checkpoint { expected: format!("{name} of {expected}"), got: got.to_string() })
}

impl LayerConfig {
    /// Checks the sizes.
    fn check(&self) -> Result<()> {
        for (name, got, most) in [
            ("input_size", self.input_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 24),
            ("num_layers", self.num_layers, 1000),
        ] {
            check(name, got, most)?;
        }
        self.proj_size.map_or(Ok(()), |size| check("proj_size", size, self.hidden_size - 1))
    }

    /// The suffixes of the directions in the names of parameters.
    pub(crate) fn directions(&self) -> &'static [&'static str] {
        if self.bidirectional { &["", "_reverse"] } else { &[""] }
    }

    /// P, the size of a hidden state.
    pub(crate) fn output_size(&self) -> usize {
        self.proj_size.unwrap_or(self.hidden_size)
    }

    /// The number of outputs of a layer at each step.
    pub(crate) fn output_features(&self) -> usize {
        match self.merge {
            Merge::Concat => self.directions().len() * self.output_size(),
            Merge::Sum | Merge::Mean => self.output_size(),
        }
    }
}
