//! The GRU: three gates, and a hidden state alone.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_kernels::CellKind;

use crate::recurrent_op::{Parameters, recurrent};
use crate::weights::weights;
use crate::{Cell, Outcome, Pass, Recurrent, RecurrentConfig, Result};

/// A layer of gated recurrent units, the counterpart of `torch.nn.GRU` with `batch_first`.
///
/// Its parameters' rows are the gates r, z, n, as in PyTorch, and the reset gate stands behind the
/// product: `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`.
pub type Gru = Recurrent<GruCell>;

/// One layer and direction of a [`Gru`], or a `torch.nn.GRUCell` on its own.
pub struct GruCell {
    parameters: Parameters,
}

impl Cell for GruCell {
    type State = Tensor;

    const NAME: &'static str = "gru";

    fn build(
        config: &RecurrentConfig,
        input_size: usize,
        suffix: &str,
        vb: &VarBuilder,
    ) -> Result<Self> {
        config.check_no_lstm_options()?;
        config.check_no_rnn_options()?;
        let gates = CellKind::Gru.gates();
        Ok(Self { parameters: weights(config, gates, None, input_size, suffix, vb)? })
    }

    fn weight_ih(&self) -> &Tensor {
        &self.parameters.weight_ih
    }

    fn state_sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("h_0", self.parameters.weight_hh.dims()[1])]
    }

    fn run(&self, x: &Tensor, state: Option<&Tensor>, pass: &Pass) -> Result<Outcome<Tensor>> {
        let outcome = recurrent(CellKind::Gru, x, &self.parameters, state, None, pass)?;
        Ok(Outcome { output: outcome.output, state: outcome.h_n, cells: None })
    }
}
