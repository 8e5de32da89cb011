//! The LSTM cell: four gates, and a cell state besides the hidden state.

use candle_core::Tensor;
use candle_nn::{RNN, VarBuilder};
use ragged_kernels::CellKind;

use crate::cell::sealed::Sealed;
use crate::cell::state::LstmState;
use crate::cell::{Cell, CellOutput, hidden_states, zero_state};
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::mode::Mode;
use crate::op::parameters::CellParameters;
use crate::op::pass::Pass;
use crate::op::prepared::PreparedCell;
use crate::op::recurrent::recurrent;
use crate::weights::init::init;

/// The cell of an [`Lstm`](crate::Lstm): one layer and direction of it, or a `torch.nn.LSTMCell`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{LstmCell, Mode, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let cell = LstmCell::new(&RecurrentConfig::new(3, 4), vb)?;
/// let input = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// let state = cell.forward(&input, None, Mode::Inference)?;
/// assert_eq!((state.h.dims(), state.c.dims()), (&[2, 4][..], &[2, 4][..]));
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LstmCell {
    parameters: CellParameters,
}

impl LstmCell {
    /// Creates a single cell. Its parameters are `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`, and with peepholes
    /// `weight_ci`, `weight_cf` and `weight_co`; with layer normalisation also those of
    /// [`Recurrent`](crate::Recurrent).
    ///
    /// # Errors
    ///
    /// As [`Cell::new`].
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use ragged_models::{LstmCell, Parameters, RecurrentConfig};
    ///
    /// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let cell = LstmCell::new(&RecurrentConfig::new(3, 4), vb)?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Cell::new(config, vb)
    }

    /// Runs one step: input `[B, I]` or `[I]`, and the state before it, which is zero if `None`.
    /// Returns the state after it.
    ///
    /// # Errors
    ///
    /// As [`Cell::forward`].
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{LstmCell, Mode, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let cell = LstmCell::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let input = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
    /// let first = cell.forward(&input, None, Mode::Inference)?;
    /// let second = cell.forward(&input, Some(&first), Mode::Inference)?;
    /// assert_eq!(second.h.dims(), [2, 4]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<LstmState> {
        Cell::forward(self, input, state, mode)
    }
}

/// Steps through padded sequences, with gradients as in [`Mode::Eval`]. A layer
/// ([`Lstm`](crate::Lstm)) computes all steps at once and is faster.
impl RNN for LstmCell {
    type State = LstmState;

    fn zero_state(&self, batch_dim: usize) -> candle_core::Result<LstmState> {
        zero_state(self, batch_dim)
    }

    fn step(&self, input: &Tensor, state: &LstmState) -> candle_core::Result<LstmState> {
        Ok(Cell::forward(self, input, Some(state), Mode::Eval)?)
    }

    fn states_to_tensor(&self, states: &[LstmState]) -> candle_core::Result<Tensor> {
        hidden_states(states)
    }
}

impl LstmCell {
    fn kind(&self) -> CellKind {
        match (&self.parameters.peepholes, &self.parameters.layer_norm) {
            (_, Some(_)) => CellKind::LayerNormLstm,
            (Some(_), None) => CellKind::PeepholeLstm,
            (None, None) => CellKind::Lstm,
        }
    }
}

impl Sealed for LstmCell {}

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
        config.check_no_gru_options()?;
        let gates = CellKind::Lstm.gates();
        // The gates are i, f, g, o: the forget gate has index 1.
        Ok(Self { parameters: init(config, gates, Some(1), input_size, suffix, vb)? })
    }

    fn weight_ih(&self) -> &Tensor {
        &self.parameters.weight_ih
    }

    fn state_sizes(&self) -> Vec<(&'static str, usize)> {
        let weight_hh = self.parameters.weight_hh.dims();
        vec![("h_0", weight_hh[1]), ("c_0", weight_hh[0] / CellKind::Lstm.gates())]
    }

    fn prepare(&self) -> Result<PreparedCell> {
        Ok(PreparedCell::new(self.kind(), &self.parameters)?)
    }

    fn run(
        &self,
        x: &Tensor,
        state: Option<&LstmState>,
        pass: &Pass,
    ) -> Result<CellOutput<LstmState>> {
        let (h_0, c_0) = (state.map(|state| &state.h), state.map(|state| &state.c));
        let result = recurrent(self.kind(), x, &self.parameters, h_0, c_0, pass)?;
        let Some(c) = result.c_n else {
            return Err(candle_core::Error::Msg("lstm: no cell state".into()).into());
        };
        let state = LstmState { h: result.h_n, c };
        Ok(CellOutput { output: result.output, state, cell_states: result.cell_states })
    }
}
