//! The options of a recurrent layer, one set for all kinds.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The options of an [`Lstm`](crate::Lstm), [`Gru`](crate::Gru) or [`Rnn`](crate::Rnn).
///
/// The first eight are PyTorch's, with PyTorch's names and defaults. The others are off by default.
///
/// ```
/// use ragged_models::RecurrentConfig;
///
/// let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(7, 15) };
/// assert_eq!(config.num_directions(), 2);
/// assert_eq!(config.output_size(), 15);
/// assert_eq!(config.output_features(), 30);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecurrentConfig {
    /// I, the number of features of a time step; at least 1.
    pub input_size: usize,
    /// H, the number of hidden units of one layer and direction; at least 1.
    pub hidden_size: usize,
    /// L, the number of stacked layers; at least 1. Default 1.
    #[serde(default = "one")]
    pub num_layers: usize,
    /// Whether the gates have biases. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether a second direction runs from the end of each sequence. Default false.
    #[serde(default)]
    pub bidirectional: bool,
    /// The probability, from 0 to 1, of zeroing an output of a layer before it enters the next
    /// layer. Default 0.
    #[serde(default)]
    pub dropout: f64,
    /// The size that the hidden state is projected to, from 1 to H - 1; only for an LSTM. Default
    /// none (PyTorch's 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proj_size: Option<usize>,
    /// Whether the gates see the cell state (Gers and Schmidhuber 2000): i and f the one before the step, o the one
    /// after it, each with a weight per unit. Only for an LSTM. Default false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub peepholes: bool,
    /// Whether the reset gate multiplies the product with h, as in PyTorch, or else h before the product (Cho et al.
    /// 2014; Keras's `reset_after=False`, ONNX's `linear_before_reset = 0`). Only for a GRU. Default true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub reset_after: bool,
    /// Layer normalisation (Ba, Kiros and Hinton 2016) of both products and, of an LSTM, of the cell state; not for an
    /// RNN, and not with a projection, with peepholes or with `reset_after = false`. Default false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub layer_norm: bool,
    /// The function applied to the sum of the input and state products; only for an RNN. Default
    /// tanh.
    #[serde(default)]
    pub nonlinearity: Nonlinearity,
    /// How the outputs of two directions are merged, in every layer. Default concatenation.
    #[serde(default)]
    pub merge: Merge,
    /// The probability, from 0 to 1, of zeroing a unit of the hidden state before it enters the next
    /// step. Each sequence, layer and direction has one mask, which is the same at all of its steps
    /// (Gal and Ghahramani 2016). Default 0.
    #[serde(default)]
    pub recurrent_dropout: f64,
    /// Zoneout (Krueger et al. 2017): the probability, from 0 to 1, that a unit keeps its previous hidden state in a
    /// step of training. Elsewhere, each step keeps this fraction of it. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zoneout_hidden: f64,
    /// The same for the cell states; only for an LSTM. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zoneout_cell: f64,
    /// Whether `weight_hh` starts orthogonal, gate by gate (Saxe et al. 2014), instead of uniform.
    /// Default false.
    #[serde(default)]
    pub orthogonal: bool,
    /// The initial value of the sum of the forget gate's two biases (Jozefowicz et al. 2015 advise
    /// 1); uniform like the others if `None`. Only for an LSTM. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget_bias: Option<f64>,
    /// Whether the initial states are parameters, `h_0` (and `c_0`) `[L * D, ..]`, that start at
    /// zero. Default false.
    #[serde(default)]
    pub trainable_state: bool,
}

/// The non-linearity of an RNN.
///
/// ```
/// # use ragged_models::Nonlinearity;
/// assert_eq!(Nonlinearity::default(), Nonlinearity::Tanh);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nonlinearity {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(0, x)`.
    Relu,
}

/// How the outputs of two directions, `[N, P]` each, become the output of a layer.
///
/// ```
/// # use ragged_models::{Merge, RecurrentConfig};
/// let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(7, 15) };
/// assert_eq!(config.output_features(), 30);
/// assert_eq!(RecurrentConfig { merge: Merge::Sum, ..config }.output_features(), 15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// Concatenation, forward before reverse: `[N, 2P]`, as in PyTorch.
    #[default]
    Concat,
    /// The sum, `[N, P]`.
    Sum,
    /// The mean, `[N, P]`.
    Mean,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl RecurrentConfig {
    /// Returns the options of one layer in one direction, with biases.
    ///
    /// ```
    /// # use ragged_models::RecurrentConfig;
    /// assert_eq!(RecurrentConfig::new(7, 15).num_layers, 1);
    /// ```
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bias: true,
            bidirectional: false,
            dropout: 0.0,
            proj_size: None,
            peepholes: false,
            reset_after: true,
            layer_norm: false,
            nonlinearity: Nonlinearity::Tanh,
            merge: Merge::Concat,
            recurrent_dropout: 0.0,
            zoneout_hidden: 0.0,
            zoneout_cell: 0.0,
            orthogonal: false,
            forget_bias: None,
            trainable_state: false,
        }
    }

    /// Returns D: 2 if bidirectional, otherwise 1.
    ///
    /// ```
    /// # use ragged_models::RecurrentConfig;
    /// assert_eq!(RecurrentConfig::new(7, 15).num_directions(), 1);
    /// ```
    pub fn num_directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Returns P, the size of a hidden state: `proj_size` with a projection, otherwise H.
    ///
    /// ```
    /// # use ragged_models::RecurrentConfig;
    /// let config = RecurrentConfig::new(7, 15);
    /// assert_eq!(config.output_size(), 15);
    /// assert_eq!(RecurrentConfig { proj_size: Some(5), ..config }.output_size(), 5);
    /// ```
    pub fn output_size(&self) -> usize {
        self.proj_size.unwrap_or(self.hidden_size)
    }

    /// Returns the number of features of an output row: D * P if the directions are concatenated,
    /// otherwise P.
    ///
    /// ```
    /// # use ragged_models::RecurrentConfig;
    /// let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(7, 15) };
    /// assert_eq!(config.output_features(), 30);
    /// ```
    pub fn output_features(&self) -> usize {
        match self.merge {
            Merge::Concat => self.num_directions() * self.output_size(),
            Merge::Sum | Merge::Mean => self.output_size(),
        }
    }

    /// Checks every value that does not depend on the kind of layer.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first value that is not allowed.
    ///
    /// ```
    /// # use ragged_models::RecurrentConfig;
    /// let error = RecurrentConfig { dropout: 1.5, ..RecurrentConfig::new(7, 15) }.validate();
    /// assert_eq!(error.unwrap_err().to_string(), "dropout is 1.5: expected 0 to 1");
    /// ```
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("input_size", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
        ];
        for (name, got) in sizes {
            check(name, got, got >= 1, "at least 1")?;
        }
        // Each layer costs time and memory when the model is built, also without its parameters.
        check("num_layers", self.num_layers, self.num_layers <= 1000, "at most 1000")?;
        let fits = self.hidden_size <= usize::MAX / 16 / self.input_size.max(self.hidden_size);
        check("hidden_size", self.hidden_size, fits, "a size that fits in memory")?;
        if let Some(size) = self.proj_size {
            check("proj_size", size, size >= 1, "at least 1, or none")?;
            let below = format!("below hidden_size, {}", self.hidden_size);
            check("proj_size", size, size < self.hidden_size, &below)?;
        }
        for (name, p) in [
            ("dropout", self.dropout),
            ("recurrent_dropout", self.recurrent_dropout),
            ("zoneout_hidden", self.zoneout_hidden),
            ("zoneout_cell", self.zoneout_cell),
        ] {
            check(name, p, (0.0..=1.0).contains(&p), "0 to 1")?;
        }
        if self.layer_norm {
            if let Some(size) = self.proj_size {
                check("proj_size", size, false, "none, as layer_norm is set")?;
            }
            let expected = "false, as layer_norm is set";
            check("peepholes", self.peepholes, !self.peepholes, expected)?;
            let expected = "true, as layer_norm is set";
            check("reset_after", self.reset_after, self.reset_after, expected)?;
        }
        if let Some(bias) = self.forget_bias {
            check("forget_bias", bias, bias.is_finite(), "a finite number")?;
            check("bias", false, self.bias, "true, as forget_bias is set")?;
        }
        Ok(())
    }

    /// Checks that the options which only an LSTM has are not set.
    pub(crate) fn check_no_lstm_options(&self) -> Result<()> {
        if let Some(size) = self.proj_size {
            check("proj_size", size, false, "none, as only an LSTM has a projection")?;
        }
        if let Some(bias) = self.forget_bias {
            check("forget_bias", bias, false, "none, as only an LSTM has a forget gate")?;
        }
        let peepholes = self.peepholes;
        check("peepholes", peepholes, !peepholes, "false, as only an LSTM has cell states")?;
        let p = self.zoneout_cell;
        check("zoneout_cell", p, p == 0.0, "0, as only an LSTM has cell states")?;
        Ok(())
    }

    /// Checks that the option which only a GRU has is not set.
    pub(crate) fn check_no_gru_options(&self) -> Result<()> {
        let after = self.reset_after;
        check("reset_after", after, after, "true, as only a GRU has a reset gate")
    }

    /// Checks that the option which an RNN does not have is not set.
    pub(crate) fn check_no_layer_norm(&self) -> Result<()> {
        let set = self.layer_norm;
        check("layer_norm", set, !set, "false, as only an LSTM and a GRU have it")
    }

    /// Checks that the option which only an RNN has is not set.
    pub(crate) fn check_no_rnn_options(&self) -> Result<()> {
        let tanh = self.nonlinearity == Nonlinearity::Tanh;
        check("nonlinearity", "relu", tanh, "tanh, as only an RNN has the choice")
    }
}

/// Returns [`Error::Config`] unless `ok`.
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
