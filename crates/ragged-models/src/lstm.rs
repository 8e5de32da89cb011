//! The LSTM: four gates, and a cell state beside the hidden one.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::lstm_op::{self, States, Weights};
use crate::weights::weights;
use crate::{Cell, LstmState, Outcome, Pass, Recurrent, RecurrentConfig, Result};

/// A long short-term memory layer, the counterpart of `torch.nn.LSTM` with `batch_first`.
///
/// Its parameters' rows are the gates i, f, g, o, as in PyTorch.
pub type Lstm = Recurrent<LstmCell>;

/// One layer and direction of an [`Lstm`], or a `torch.nn.LSTMCell` on its own.
pub struct LstmCell {
    weights: Weights,
}

impl Cell for LstmCell {
    type State = LstmState;

    const NAME: &'static str = "lstm";

    fn build(
        config: &RecurrentConfig,
        input_size: usize,
        suffix: &str,
        vb: &VarBuilder,
    ) -> Result<Self> {
        config.check_no_rnn_options()?;
        // The forget gate is the second of the four.
        Ok(Self { weights: weights(config, 4, Some(1), input_size, suffix, vb)? })
    }

    fn weight_ih(&self) -> &Tensor {
        &self.weights.weight_ih
    }

    fn state_sizes(&self) -> Vec<(&'static str, usize)> {
        let weight_hh = self.weights.weight_hh.dims();
        vec![("h_0", weight_hh[1]), ("c_0", weight_hh[0] / 4)]
    }

    fn run(
        &self,
        x: &Tensor,
        state: Option<&LstmState>,
        pass: &Pass,
    ) -> Result<Outcome<LstmState>> {
        let state = state.map(|LstmState { h, c }| States { h: h.clone(), c: c.clone() });
        let (state, direction, record) = (state.as_ref(), pass.direction, pass.record);
        let outcome = lstm_op::lstm(x, pass.layout, &self.weights, state, direction, record)?;
        let state = LstmState { h: outcome.h_n, c: outcome.c_n };
        Ok(Outcome { output: outcome.output, state, cells: None })
    }
}
