//! The LSTM: four gates, and a cell state beside the hidden one.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_kernels::CellKind;
use ragged_sequence::PackedSequence;

use crate::recurrent_op::{Parameters, recurrent};
use crate::weights::weights;
use crate::{Cell, LstmState, Mode, Outcome, Pass, Recurrent, RecurrentConfig, Result};

/// A long short-term memory layer, the counterpart of `torch.nn.LSTM` with `batch_first`.
///
/// Its parameters' rows are the gates i, f, g, o, as in PyTorch.
pub type Lstm = Recurrent<LstmCell>;

impl Lstm {
    /// [`forward_packed`](Self::forward_packed) that also returns the cell states of all steps,
    /// `[N, H]` for each layer and direction, the forward one first.
    ///
    /// # Errors
    ///
    /// As for `forward_packed`.
    pub fn forward_packed_with_cells(
        &self,
        input: &PackedSequence,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<(PackedSequence, LstmState, Vec<PackedSequence>)> {
        let run = self.run(input, state, mode, true)?;
        let cells = run.outcomes.iter().filter_map(|outcome| outcome.cells.clone());
        let cells = cells.map(|rows| PackedSequence::from_layout(rows, input.layout().clone()));
        let cells = cells.collect::<ragged_sequence::Result<_>>()?;
        Ok((run.output()?, run.state()?, cells))
    }
}

/// One layer and direction of an [`Lstm`], or a `torch.nn.LSTMCell` on its own.
pub struct LstmCell {
    parameters: Parameters,
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
        let gates = CellKind::Lstm.gates();
        Ok(Self { parameters: weights(config, gates, Some(1), input_size, suffix, vb)? })
    }

    fn weight_ih(&self) -> &Tensor {
        &self.parameters.weight_ih
    }

    fn state_sizes(&self) -> Vec<(&'static str, usize)> {
        let weight_hh = self.parameters.weight_hh.dims();
        vec![("h_0", weight_hh[1]), ("c_0", weight_hh[0] / CellKind::Lstm.gates())]
    }

    fn run(
        &self,
        x: &Tensor,
        state: Option<&LstmState>,
        pass: &Pass,
    ) -> Result<Outcome<LstmState>> {
        let (h_0, c_0) = (state.map(|state| &state.h), state.map(|state| &state.c));
        let outcome = recurrent(CellKind::Lstm, x, &self.parameters, h_0, c_0, pass)?;
        let Some(c) = outcome.c_n else {
            return Err(candle_core::Error::Msg("lstm: no cell state".into()).into());
        };
        let state = LstmState { h: outcome.h_n, c };
        Ok(Outcome { output: outcome.output, state, cells: outcome.cells })
    }
}
