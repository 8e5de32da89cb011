//! The LSTM: four gates, and a cell state beside the hidden one.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_kernels::CellKind;

use crate::recurrent_op::{Parameters, recurrent};
use crate::weights::weights;
use crate::{Cell, LstmState, Outcome, Pass, Recurrent, RecurrentConfig, Result};

/// A long short-term memory layer, the counterpart of `torch.nn.LSTM` with `batch_first`.
///
/// Its parameters' rows are the gates i, f, g, o, as in PyTorch.
pub type Lstm = Recurrent<LstmCell>;

/// One layer and direction of an [`Lstm`], or a `torch.nn.LSTMCell` on its own.
pub struct LstmCell {
    weights: Parameters,
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
        let (h_0, c_0) = (state.map(|state| &state.h), state.map(|state| &state.c));
        let outcome = recurrent(CellKind::Lstm, x, &self.weights, h_0, c_0, pass)?;
        let Some(c) = outcome.c_n else {
            return Err(candle_core::Error::Msg("lstm: no cell state".into()).into());
        };
        let state = LstmState { h: outcome.h_n, c };
        Ok(Outcome { output: outcome.output, state, cells: outcome.cells })
    }
}
