//! Cells: the computation of one layer and direction.

pub(crate) mod gru;
pub(crate) mod lstm;
pub(crate) mod rnn;
mod sealed;
pub(crate) mod state;

use std::fmt;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_sequence::PackedLayout;

use crate::cell::sealed::Sealed;
use crate::cell::state::{State, check_like, check_type};
use crate::config::{RecurrentConfig, check};
use crate::error::{Error, Result};
use crate::mode::Mode;
use crate::op::pass::Pass;
use crate::op::prepared::PreparedCell;

/// The parameters of one layer and direction, and the computation over packed rows.
///
/// [`Recurrent`](crate::Recurrent) combines cells into layers and directions. A single cell is the
/// counterpart of `torch.nn.LSTMCell`, `GRUCell` or `RNNCell`: [`new`](Self::new) and
/// [`forward`](Self::forward), one step at a time.
///
/// The three cells have `new` and `forward` as methods of their own, so the trait need not be in
/// scope. It serves code that works with any cell:
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Cell, GruCell, LstmCell, Mode, Parameters, RecurrentConfig, Result, State};
///
/// /// The hidden state `[B, H]` after a single step of ones.
/// fn first_step<C: Cell>() -> Result<Tensor> {
///     let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
///     let cell = C::new(&RecurrentConfig::new(3, 4), vb)?;
///     let input = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
///     Ok(cell.forward(&input, None, Mode::Inference)?.parts()[0].clone())
/// }
/// assert_eq!(first_step::<LstmCell>()?.dims(), [2, 4]);
/// assert_eq!(first_step::<GruCell>()?.dims(), [2, 4]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
///
/// The trait is implemented by these three cells only.
pub trait Cell: Sized + Clone + fmt::Debug + Sealed {
    /// The state that a step passes on to the next step.
    type State: State;

    /// The name of its layer in parameters and configurations: `lstm`, `gru` or `rnn`.
    const NAME: &'static str;

    /// Takes the parameters from `vb`; their names end in `suffix` (`_l0`, `_l1_reverse`).
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for an option that this cell does not have, and errors from candle if `vb`
    /// does not have the parameters.
    fn build(
        config: &RecurrentConfig,
        input_size: usize,
        suffix: &str,
        vb: &VarBuilder,
    ) -> Result<Self>;

    /// Returns the parameter `weight_ih` `[G H, I]`. Inputs and states must have its dtype and
    /// device.
    fn weight_ih(&self) -> &Tensor;

    /// Returns the names of the tensors of a state, and their numbers of features.
    fn state_sizes(&self) -> Vec<(&'static str, usize)>;

    /// Packs the parameters as they are now, for streams and prepared models.
    ///
    /// # Errors
    ///
    /// Errors from candle for parameters that are not `f32` or `f64` on the CPU.
    fn prepare(&self) -> Result<PreparedCell>;

    /// Runs over packed rows `x` `[N, I]`, whose shape the caller has checked. The initial state
    /// `[B, ..]` is in the caller's order, and zero if `None`.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    fn run(
        &self,
        x: &Tensor,
        state: Option<&Self::State>,
        pass: &Pass,
    ) -> Result<CellOutput<Self::State>>;

    /// Creates a single cell. Its parameters are `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a value that is not allowed and for an option that concerns several
    /// cells or steps; errors from candle if `vb` does not have the parameters.
    fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let (layers, both) = (config.num_layers, config.bidirectional);
        check("num_layers", layers, layers == 1, "1, as a cell is one layer")?;
        check("bidirectional", both, !both, "false, as a cell has one direction")?;
        for (name, p) in [
            ("dropout", config.dropout),
            ("recurrent_dropout", config.recurrent_dropout),
            ("zoneout_hidden", config.zoneout_hidden),
            ("zoneout_cell", config.zoneout_cell),
        ] {
            check(name, p, p == 0.0, "0, as a cell runs step by step")?;
        }
        let trainable = config.trainable_state;
        check("trainable_state", trainable, !trainable, "false, as a cell is given its state")?;
        Self::build(config, config.input_size, "", &vb)
    }

    /// Runs one step.
    ///
    /// `input` is `[B, I]` or `[I]`; `state`, the state before the step, is `[B, ..]` or `[..]`, and
    /// zero if `None`. Returns the state after the step; its hidden part is the output of the step.
    ///
    /// # Errors
    ///
    /// [`Error::Input`], [`Error::Shape`], [`Error::DType`] and [`Error::Device`] name the argument
    /// that does not fit.
    fn forward(
        &self,
        input: &Tensor,
        state: Option<&Self::State>,
        mode: Mode,
    ) -> Result<Self::State> {
        if input.rank() == 1 {
            let state = state.map(|state| state.map(|t| t.unsqueeze(0))).transpose()?;
            let next = Cell::forward(self, &input.unsqueeze(0)?, state.as_ref(), mode)?;
            return next.map(|t| t.squeeze(0));
        }
        let input_size = self.weight_ih().dims()[1];
        let &[batch, features] = input.dims() else {
            return Err(wrong_input("[B, I] or [I]", input_size, input));
        };
        if features != input_size {
            return Err(wrong_input("[B, I] or [I]", input_size, input));
        }
        check_type("input", input, self.weight_ih())?;
        if let Some(state) = state {
            for ((name, size), part) in self.state_sizes().into_iter().zip(state.parts()) {
                check_like(name, part, &[batch, size], self.weight_ih())?;
            }
        }
        let layout = PackedLayout::from_lengths(&vec![1; batch]);
        let pass = Pass { record: mode.records_gradients(), ..Pass::new(&layout) };
        Ok(self.run(input, state, &pass)?.state)
    }
}

/// The output of a cell for packed rows; see [`Pass`] for an example.
#[derive(Debug, Clone)]
pub struct CellOutput<S> {
    /// The hidden states of all steps, `[N, P]`, packed; see [`Pass::final_states_only`] for where they are absent.
    pub output: Tensor,
    /// The state after the last step of each sequence, `[B, ..]` in the caller's order.
    pub state: S,
    /// The cell states of all steps, `[N, H]`, packed, if the pass asked for them and the cell has
    /// them.
    pub cell_states: Option<Tensor>,
}

/// Returns the error for an input with a wrong rank or number of features.
pub(crate) fn wrong_input(expected: &'static str, input_size: usize, input: &Tensor) -> Error {
    Error::Input { expected, input_size, got: input.dims().to_vec() }
}

/// The state `[batch, ..]` of zeros, for [`candle_nn::RNN`].
fn zero_state<C: Cell>(cell: &C, batch: usize) -> candle_core::Result<C::State> {
    let like = cell.weight_ih();
    let sizes = cell.state_sizes().into_iter();
    let parts = sizes.map(|(_, size)| Tensor::zeros((batch, size), like.dtype(), like.device()));
    Ok(C::State::from_parts(parts.collect::<candle_core::Result<_>>()?))
}

/// The hidden parts of the states of T steps as a tensor `[B, T, P]`, for [`candle_nn::RNN`].
fn hidden_states<S: State>(states: &[S]) -> candle_core::Result<Tensor> {
    let hidden: Vec<&Tensor> = states.iter().map(|state| state.parts()[0]).collect();
    Tensor::stack(&hidden, 1)
}
