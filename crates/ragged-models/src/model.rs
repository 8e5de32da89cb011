//! A model that a configuration describes: a recurrent layer, a readout, a linear head.

use candle_core::Tensor;
use candle_nn::{Module, VarBuilder};
use ragged_sequence::PackedSequence;
use serde::{Deserialize, Serialize};

use crate::config::check;
use crate::dropout::dropout;
use crate::layer::{Layer, layer};
use crate::linear::{Linear, linear};
use crate::recurrent::rectangle;
use crate::{CellKind, Error, Mode, Readout, RecurrentConfig, Result};

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Sequences of one length, padded `[B, T, I]`.
    Fixed,
    /// Sequences of any lengths, packed.
    Variable,
}

/// All that it takes to build a model anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// What it takes.
    pub kind: ModelKind,
    /// The kind of its layer. Default an LSTM.
    #[serde(default)]
    pub cell: CellKind,
    /// The options of its layer.
    pub layer: RecurrentConfig,
    /// What of the layer the head sees.
    pub readout: Readout,
    /// The probability, from 0 to 1, of zeroing a number on its way from the readout into the head.
    /// Default 0.
    #[serde(default)]
    pub head_dropout: f64,
    /// O, the outputs of the linear head: targets or classes; at least 1.
    pub output_size: usize,
}

impl ModelConfig {
    /// The lecture's model of this kind: an LSTM, then a linear layer on the last time step
    /// (fixed) or on each sequence's last hidden state (variable).
    pub fn new(kind: ModelKind, layer: RecurrentConfig, output_size: usize) -> Self {
        let readout = match kind {
            ModelKind::Fixed => Readout::Last,
            ModelKind::Variable => Readout::Final,
        };
        Self { kind, cell: CellKind::Lstm, layer, readout, head_dropout: 0.0, output_size }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        check("output_size", self.output_size, self.output_size >= 1, "at least 1")?;
        let p = self.head_dropout;
        check("head_dropout", p, (0.0..=1.0).contains(&p), "0 to 1")?;
        self.layer.validate()
    }
}

/// A recurrent layer of any kind, then a linear layer on what the readout takes from it.
///
/// It serves the four usual tasks: one number (or several) or one label a sequence, or either a
/// step. For labels the outputs are logits. What makes the difference is the loss, which a model
/// never sees.
pub struct Model {
    config: ModelConfig,
    layer: Box<dyn Layer>,
    linear: Linear,
}

impl Model {
    /// Parameters are named after the layer, `lstm.*`, and `linear.*`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], and candle's where `vb` does not have the parameters.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let layer = layer(config.cell, &config.layer, vb.clone())?;
        let linear = linear(config.layer.output_size(), config.output_size, vb.pp("linear"))?;
        Ok(Self { config: config.clone(), layer, linear })
    }

    /// What it was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// A packed batch of B sequences and N steps to predictions: `[B, O]` in the caller's order, or
    /// `[N, O]` in the order of the packed rows where the readout takes every step.
    ///
    /// Targets a step that are packed alike need no mask, and their mean loss weighs every real step
    /// once.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong number of features or dtype.
    pub fn forward(&self, input: &PackedSequence, mut mode: Mode) -> Result<Tensor> {
        let run = self.layer.run(input, None, mode.reborrow())?;
        self.head(&self.config.readout.read(&run)?, mode)
    }

    /// [`forward`](Self::forward) for sequences of one length, `[B, T, I]`; predictions a step are
    /// `[B, T, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong shape, and for T = 0 with a readout that needs a step.
    pub fn forward_padded(&self, input: &Tensor, mode: Mode) -> Result<Tensor> {
        let steps = input.dims().get(1).copied().unwrap_or(0);
        let needs_step = self.config.readout.pooling().is_some();
        if input.rank() != 3 || (steps == 0 && needs_step) {
            let expected = "a tensor [B, T, I] with T of at least 1".into();
            let got = format!("shape {:?}", input.dims());
            return Err(Error::Input { name: "input", expected, got });
        }
        let prediction = self.forward(&rectangle(input)?, mode)?;
        if self.config.readout != Readout::Steps {
            return Ok(prediction);
        }
        let by_step = prediction.reshape((steps, input.dims()[0], self.config.output_size))?;
        Ok(by_step.transpose(0, 1)?.contiguous()?)
    }

    /// The head on rows `[.., output_size]`.
    pub(crate) fn head(&self, rows: &Tensor, mode: Mode) -> Result<Tensor> {
        let dropped = match mode {
            Mode::Train(rng) => Some(dropout(rows, self.config.head_dropout, rng)?),
            Mode::Eval => None,
        };
        let rows = dropped.as_ref().unwrap_or(rows);
        Ok(self.linear.forward(rows)?)
    }

    /// The recurrent layer.
    pub(crate) fn layer(&self) -> &dyn Layer {
        &*self.layer
    }
}
