//! The GRU cell: three gates.

use candle_core::Tensor;
use candle_nn::{RNN, VarBuilder};
use ragged_kernels::CellKind;

use crate::cell::sealed::Sealed;
use crate::cell::{Cell, CellOutput, hidden_states, zero_state};
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::mode::Mode;
use crate::op::parameters::CellParameters;
use crate::op::pass::Pass;
use crate::op::prepared::PreparedCell;
use crate::op::recurrent::recurrent;
use crate::weights::init::init;

/// The cell of a [`Gru`](crate::Gru): one layer and direction of it, or a `torch.nn.GRUCell`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{GruCell, Mode, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let cell = GruCell::new(&RecurrentConfig::new(3, 4), vb)?;
/// let input = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// let state = cell.forward(&input, None, Mode::Inference)?;
/// assert_eq!(state.dims(), [2, 4]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GruCell {
    kind: CellKind,
    parameters: CellParameters,
}

impl GruCell {
    /// Creates a single cell. Its parameters are `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`.
    ///
    /// # Errors
    ///
    /// As [`Cell::new`].
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use ragged_models::{GruCell, Parameters, RecurrentConfig};
    ///
    /// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let cell = GruCell::new(&RecurrentConfig::new(3, 4), vb)?;
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
    /// # use ragged_models::{GruCell, Mode, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let cell = GruCell::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let input = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
    /// let first = cell.forward(&input, None, Mode::Inference)?;
    /// let second = cell.forward(&input, Some(&first), Mode::Inference)?;
    /// assert_eq!(second.dims(), [2, 4]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward(&self, input: &Tensor, state: Option<&Tensor>, mode: Mode) -> Result<Tensor> {
        Cell::forward(self, input, state, mode)
    }
}

/// Steps through padded sequences, with gradients as in [`Mode::Eval`]. A layer
/// ([`Gru`](crate::Gru)) computes all steps at once and is faster.
impl RNN for GruCell {
    type State = Tensor;

    fn zero_state(&self, batch_dim: usize) -> candle_core::Result<Tensor> {
        zero_state(self, batch_dim)
    }

    fn step(&self, input: &Tensor, state: &Tensor) -> candle_core::Result<Tensor> {
        Ok(Cell::forward(self, input, Some(state), Mode::Eval)?)
    }

    fn states_to_tensor(&self, states: &[Tensor]) -> candle_core::Result<Tensor> {
        hidden_states(states)
    }
}

impl Sealed for GruCell {}

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
        let kind = match (config.layer_norm, config.reset_after) {
            (true, _) => CellKind::LayerNormGru,
            (false, true) => CellKind::Gru,
            (false, false) => CellKind::ResetBeforeGru,
        };
        let parameters = init(config, kind.gates(), None, input_size, suffix, vb)?;
        Ok(Self { kind, parameters })
    }

    fn weight_ih(&self) -> &Tensor {
        &self.parameters.weight_ih
    }

    fn state_sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("h_0", self.parameters.weight_hh.dims()[1])]
    }

    fn prepare(&self) -> Result<PreparedCell> {
        Ok(PreparedCell::new(self.kind, &self.parameters)?)
    }

    fn run(&self, x: &Tensor, state: Option<&Tensor>, pass: &Pass) -> Result<CellOutput<Tensor>> {
        let result = recurrent(self.kind, x, &self.parameters, state, None, pass)?;
        Ok(CellOutput { output: result.output, state: result.h_n, cell_states: None })
    }
}
