//! The plain recurrent network: no gates, and a hidden state alone.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_kernels::CellKind;

use crate::recurrent_op::{Parameters, recurrent};
use crate::weights::weights;
use crate::{Cell, Nonlinearity, Outcome, Pass, Recurrent, RecurrentConfig, Result};

/// An Elman network, the counterpart of `torch.nn.RNN` with `batch_first`:
/// `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or with `max(0, ..)` in the place of tanh.
pub type Rnn = Recurrent<RnnCell>;

/// One layer and direction of an [`Rnn`], or a `torch.nn.RNNCell` on its own.
pub struct RnnCell {
    parameters: Parameters,
    kind: CellKind,
}

impl Cell for RnnCell {
    type State = Tensor;

    const NAME: &'static str = "rnn";

    fn build(
        config: &RecurrentConfig,
        input_size: usize,
        suffix: &str,
        vb: &VarBuilder,
    ) -> Result<Self> {
        config.check_no_lstm_options()?;
        let kind = match config.nonlinearity {
            Nonlinearity::Tanh => CellKind::RnnTanh,
            Nonlinearity::Relu => CellKind::RnnRelu,
        };
        let parameters = weights(config, kind.gates(), None, input_size, suffix, vb)?;
        Ok(Self { parameters, kind })
    }

    fn weight_ih(&self) -> &Tensor {
        &self.parameters.weight_ih
    }

    fn state_sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("h_0", self.parameters.weight_hh.dims()[1])]
    }

    fn run(&self, x: &Tensor, state: Option<&Tensor>, pass: &Pass) -> Result<Outcome<Tensor>> {
        let outcome = recurrent(self.kind, x, &self.parameters, state, None, pass)?;
        Ok(Outcome { output: outcome.output, state: outcome.h_n, cells: None })
    }
}
