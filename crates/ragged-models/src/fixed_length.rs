//! The lecture's first model: sequences of one length.

use candle_core::Tensor;
use candle_nn::{Linear, Module, VarBuilder};

use crate::linear::linear;
use crate::{Error, Lstm, Mode, ModelConfig, Result};

/// An LSTM, then a linear layer on the output of the last time step.
///
/// One output is a regression; several are targets, or the logits of classes.
pub struct FixedLengthLstm {
    lstm: Lstm,
    linear: Linear,
}

impl FixedLengthLstm {
    /// Parameters are named `lstm.*` and `linear.*`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], and candle's where `vb` does not have the parameters.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let lstm = Lstm::new(&config.lstm, vb.pp("lstm"))?;
        let linear = linear(config.lstm.output_size(), config.output_size, vb.pp("linear"))?;
        Ok(Self { lstm, linear })
    }

    /// `[B, T, I]` to `[B, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong shape, and for T = 0, which has no last step.
    pub fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor> {
        if input.rank() != 3 || input.dims()[1] == 0 {
            let expected = "a tensor [B, T, I] with T of at least 1".into();
            let got = format!("shape {:?}", input.dims());
            return Err(Error::Input { name: "input", expected, got });
        }
        Ok(self.linear.forward(&self.lstm.last_output(input, mode)?)?)
    }
}
