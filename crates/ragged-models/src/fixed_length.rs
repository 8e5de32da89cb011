//! The lecture's first model: sequences of one length.

use candle_core::Tensor;
use candle_nn::{Module, VarBuilder};

use crate::config::check;
use crate::linear::{Linear, linear};
use crate::recurrent::rectangle;
use crate::{Error, Lstm, Mode, RecurrentConfig, Result};

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
    pub fn new(config: &RecurrentConfig, output_size: usize, vb: VarBuilder) -> Result<Self> {
        check("output_size", output_size, output_size >= 1, "at least 1")?;
        let lstm = Lstm::new(config, vb.pp("lstm"))?;
        let linear = linear(config.output_size(), output_size, vb.pp("linear"))?;
        Ok(Self { lstm, linear })
    }

    /// `[B, T, I]` to `[B, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong shape, and for T = 0, which has no last step.
    pub fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor> {
        let steps = input.dims().get(1).copied().unwrap_or(0);
        if input.rank() != 3 || steps == 0 {
            let expected = "a tensor [B, T, I] with T of at least 1".into();
            let got = format!("shape {:?}", input.dims());
            return Err(Error::Input { name: "input", expected, got });
        }
        let run = self.lstm.run(&rectangle(input)?, None, mode, false)?;
        Ok(self.linear.forward(&run.last_output()?)?)
    }
}
