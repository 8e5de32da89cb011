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
    Steps,
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
    pub(crate) layer: LayerConfig,
    pub(crate) readout: Readout,
    #[serde(default)]
    head_dropout: f64,
    pub(crate) num_outputs: usize,
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
    pub(crate) nonlinearity: Nonlinearity,
    #[serde(default)]
    pub(crate) merge: Merge,
    #[serde(default)]
    recurrent_dropout: f64,
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

impl ModelConfig {
    /// The name of the layers in the names of their parameters.
    pub(crate) fn layer_name(&self) -> &'static str {
        match self.cell {
            LayerKind::Lstm => "lstm",
            LayerKind::Gru => "gru",
            LayerKind::Rnn => "rnn",
        }
    }

    pub(crate) fn cell_kind(&self) -> CellKind {
        match (self.cell, self.layer.nonlinearity) {
            (LayerKind::Lstm, _) => CellKind::Lstm,
            (LayerKind::Gru, _) => CellKind::Gru,
            (LayerKind::Rnn, Nonlinearity::Tanh) => CellKind::RnnTanh,
            (LayerKind::Rnn, Nonlinearity::Relu) => CellKind::RnnRelu,
        }
    }

    /// Checks the sizes, so that no number of elements overflows.
    pub(crate) fn check(&self) -> Result<()> {
        let LayerConfig { input_size, hidden_size, num_layers, proj_size, .. } = self.layer;
        let check = |name: &str, got: usize, most: usize| {
            if (1..=most).contains(&got) {
                return Ok(());
            }
            let expected = format!("{name} of 1 to {most}");
            Err(Error::Checkpoint { expected, got: got.to_string() })
        };
        for (name, got, most) in [
            ("input_size", input_size, 1 << 24),
            ("hidden_size", hidden_size, 1 << 24),
            ("num_layers", num_layers, 1000),
            ("num_outputs", self.num_outputs, 1 << 28),
        ] {
            check(name, got, most)?;
        }
        proj_size.map_or(Ok(()), |size| check("proj_size", size, hidden_size - 1))
    }
}

impl LayerConfig {
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
