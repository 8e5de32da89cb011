//! The lecture's second model: sequences of any lengths, packed.

use candle_core::Tensor;
use candle_nn::{Module, VarBuilder};
use ragged_sequence::PackedSequence;

use crate::config::check;
use crate::linear::{Linear, linear};
use crate::{Lstm, Mode, RecurrentConfig, Result};

/// An LSTM over a packed batch, then a linear layer on each sequence's last hidden state.
///
/// A bidirectional LSTM gives the head the last states of both directions.
pub struct VariableLengthLstm {
    lstm: Lstm,
    linear: Linear,
}

impl VariableLengthLstm {
    /// Parameters are named `lstm.*` and `linear.*`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config), and candle's where `vb` does not have the parameters.
    pub fn new(config: &RecurrentConfig, output_size: usize, vb: VarBuilder) -> Result<Self> {
        check("output_size", output_size, output_size >= 1, "at least 1")?;
        let lstm = Lstm::new(config, vb.pp("lstm"))?;
        let linear = linear(config.output_size(), output_size, vb.pp("linear"))?;
        Ok(Self { lstm, linear })
    }

    /// A packed batch of B sequences to `[B, O]`, in the caller's order.
    ///
    /// # Errors
    ///
    /// [`Error::Input`](crate::Error::Input) for a wrong number of features or dtype.
    pub fn forward(&self, input: &PackedSequence, mode: Mode) -> Result<Tensor> {
        Ok(self.linear.forward(&self.lstm.run(input, None, mode, false)?.last_hidden()?)?)
    }
}
