//! The options of a recurrent layer, one set for all kinds.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The options of an [`Lstm`](crate::Lstm), [`Gru`](crate::Gru) or [`Rnn`](crate::Rnn).
///
/// The first eight are PyTorch's, with its names and defaults; the others are off by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecurrentConfig {
    /// I, the features of a time step; at least 1.
    pub input_size: usize,
    /// H, the hidden units of a layer and direction; at least 1.
    pub hidden_size: usize,
    /// L, the stacked layers; at least 1. Default 1.
    #[serde(default = "one")]
    pub num_layers: usize,
    /// Whether the gates have biases. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether a second direction runs from each sequence's end. Default false.
    #[serde(default)]
    pub bidirectional: bool,
    /// The probability, from 0 to 1, of zeroing an output of a layer on its way into the next.
    /// Default 0.
    #[serde(default)]
    pub dropout: f64,
    /// P, to which the hidden state is projected, below H; 0 for no projection. An LSTM's alone.
    /// Default 0.
    #[serde(default)]
    pub proj_size: usize,
    /// What stands around the sum of input and state. An RNN's alone. Default tanh.
    #[serde(default)]
    pub nonlinearity: Nonlinearity,
    /// How the outputs of two directions become one, in every layer. Default concatenation.
    #[serde(default)]
    pub merge: Merge,
    /// The probability, from 0 to 1, of zeroing a unit of the hidden state on its way into the next
    /// step. One mask a sequence, layer and direction, the same at all of its steps (Gal and
    /// Ghahramani 2016). Default 0.
    #[serde(default)]
    pub recurrent_dropout: f64,
    /// Whether the matrix on the hidden state starts orthogonal, gate by gate (Saxe et al. 2014),
    /// and not uniform. Default false.
    #[serde(default)]
    pub orthogonal: bool,
    /// What the forget gate's two biases start as, together (Jozefowicz et al. 2015 advise 1);
    /// uniform as the others where `None`. An LSTM's alone. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget_bias: Option<f64>,
    /// Whether the initial states are parameters, `h_0` (and `c_0`) `[L * D, ..]`, that start at
    /// zero. Default false.
    #[serde(default)]
    pub trainable_state: bool,
}

/// The non-linearity of an RNN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nonlinearity {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(0, x)`.
    Relu,
}

/// How the outputs of two directions, `[N, H]` each, become the output of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// Side by side, forward before reverse: `[N, 2H]`, as in PyTorch.
    #[default]
    Concat,
    /// Their sum, `[N, H]`.
    Sum,
    /// Their mean, `[N, H]`.
    Mean,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl RecurrentConfig {
    /// One layer in one direction, with biases.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bias: true,
            bidirectional: false,
            dropout: 0.0,
            proj_size: 0,
            nonlinearity: Nonlinearity::Tanh,
            merge: Merge::Concat,
            recurrent_dropout: 0.0,
            orthogonal: false,
            forget_bias: None,
            trainable_state: false,
        }
    }

    /// D, 2 where bidirectional and 1 where not.
    pub fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// The features of a hidden state: P with a projection, otherwise H.
    pub fn state_size(&self) -> usize {
        if self.proj_size > 0 { self.proj_size } else { self.hidden_size }
    }

    /// The features of an output row: D hidden states where they are concatenated, otherwise one.
    pub fn output_size(&self) -> usize {
        match self.merge {
            Merge::Concat => self.directions() * self.state_size(),
            Merge::Sum | Merge::Mean => self.state_size(),
        }
    }

    /// Checks every value that does not depend on the kind of layer.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first one that cannot be.
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("input_size", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
        ];
        for (name, got) in sizes {
            check(name, got, got >= 1, "at least 1")?;
        }
        let fits = self.hidden_size <= usize::MAX / 16 / self.input_size.max(self.hidden_size);
        check("hidden_size", self.hidden_size, fits, "a size that fits in memory")?;
        let below = format!("below hidden_size, {}", self.hidden_size);
        check("proj_size", self.proj_size, self.proj_size < self.hidden_size, &below)?;
        for (name, p) in [("dropout", self.dropout), ("recurrent_dropout", self.recurrent_dropout)]
        {
            check(name, p, (0.0..=1.0).contains(&p), "0 to 1")?;
        }
        if let Some(bias) = self.forget_bias {
            check("forget_bias", bias, bias.is_finite(), "a finite number")?;
            check("bias", false, self.bias, "true, to hold the forget_bias")?;
        }
        Ok(())
    }

    /// Checks that options which only an LSTM has are left alone.
    pub(crate) fn check_no_lstm_options(&self) -> Result<()> {
        check("proj_size", self.proj_size, self.proj_size == 0, "0 for any layer but an LSTM")?;
        let bias = self.forget_bias.unwrap_or_default();
        check("forget_bias", bias, self.forget_bias.is_none(), "none for any layer but an LSTM")
    }

    /// Checks that the option which only an RNN has is left alone.
    pub(crate) fn check_no_rnn_options(&self) -> Result<()> {
        let tanh = self.nonlinearity == Nonlinearity::Tanh;
        check("nonlinearity", "relu", tanh, "tanh for any layer but an RNN")
    }
}

/// Refuses a value of a configuration where `ok` does not hold.
pub(crate) fn check(
    name: &'static str,
    got: impl ToString,
    ok: bool,
    expected: &str,
) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::Config { name, expected: expected.into(), got: got.to_string() })
}
