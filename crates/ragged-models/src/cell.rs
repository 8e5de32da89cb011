//! One layer and direction: what differs between an LSTM, a GRU and an RNN.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_kernels::Direction;
use ragged_sequence::PackedLayout;

use crate::config::check;
use crate::state::{check_kind, check_like};
use crate::{Error, Mode, RecurrentConfig, Result, State};

/// The parameters of one layer and direction, and how they run over packed rows.
///
/// [`Recurrent`](crate::Recurrent) stacks cells into layers and directions. Alone, a cell is the
/// counterpart of `torch.nn.LSTMCell`, `GRUCell` or `RNNCell`: [`new`](Self::new) and
/// [`forward`](Self::forward), one step at a time.
pub trait Cell: Sized {
    /// What it carries from one step to the next.
    type State: State;

    /// What its layer is called, in parameters and configurations.
    const NAME: &'static str;

    /// Takes the parameters from `vb`, their names ending in `suffix` (`_l0`, `_l1_reverse`).
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for an option that this kind does not have, and candle's where `vb` does
    /// not have the parameters.
    fn build(
        config: &RecurrentConfig,
        input_size: usize,
        suffix: &str,
        vb: &VarBuilder,
    ) -> Result<Self>;

    /// A parameter `[.., I]`: inputs and states must have its dtype and device.
    fn weight_ih(&self) -> &Tensor;

    /// The names and features of the tensors of a state.
    fn state_sizes(&self) -> Vec<(&'static str, usize)>;

    /// Runs over packed rows `x` `[N, I]`, from a state `[B, ..]` in the caller's order, zero where
    /// `None`. Shapes are right already.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    fn run(
        &self,
        x: &Tensor,
        state: Option<&Self::State>,
        pass: &Pass,
    ) -> Result<Outcome<Self::State>>;

    /// A cell on its own; parameters are `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for an impossible value, and for an option that makes several cells of
    /// one; candle's where `vb` does not have the parameters.
    fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let (layers, both) = (config.num_layers, config.bidirectional);
        check("num_layers", layers, layers == 1, "1, as a cell is one layer")?;
        check("bidirectional", both, !both, "false, as a cell has one direction")?;
        for (name, p) in
            [("dropout", config.dropout), ("recurrent_dropout", config.recurrent_dropout)]
        {
            check(name, p, p == 0.0, "0, as a cell runs step by step")?;
        }
        let trainable = config.trainable_state;
        check("trainable_state", trainable, !trainable, "false, as a cell is given its state")?;
        Self::build(config, config.input_size, "", &vb)
    }

    /// One step: `[B, I]` (or `[I]`) and the state `[B, ..]` (or `[..]`) before it, zero where
    /// `None`, to the state behind it. The output of the step is that state's hidden part.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] names the argument whose shape, dtype or device does not fit.
    fn forward(
        &self,
        input: &Tensor,
        state: Option<&Self::State>,
        mode: Mode,
    ) -> Result<Self::State> {
        if input.rank() == 1 {
            let state = state.map(|state| state.map(|t| t.unsqueeze(0))).transpose()?;
            return self.forward(&input.unsqueeze(0)?, state.as_ref(), mode)?.map(|t| t.squeeze(0));
        }
        let features = self.weight_ih().dims()[1];
        let &[batch, got] = input.dims() else {
            return Err(wrong_input("[B, I] or [I]", features, input));
        };
        if got != features {
            return Err(wrong_input("[B, I] or [I]", features, input));
        }
        check_kind("input", input, self.weight_ih())?;
        if let Some(state) = state {
            for ((name, size), part) in self.state_sizes().into_iter().zip(state.parts()) {
                check_like(name, part, &[batch, size], self.weight_ih())?;
            }
        }
        let layout = PackedLayout::from_lengths(&vec![1; batch]);
        let (direction, record) = (Direction::Forward, mode.is_train());
        let pass = Pass { layout: &layout, direction, record, recurrent_mask: None, cells: false };
        Ok(self.run(input, state, &pass)?.state)
    }
}

/// How a cell runs over its rows.
pub struct Pass<'a> {
    /// Which row is which step of which sequence.
    pub layout: &'a PackedLayout,
    /// From which end.
    pub direction: Direction,
    /// Whether the result is to be differentiated.
    pub record: bool,
    /// `[B, ..]` in the caller's order: what the hidden state is multiplied with on its way into the
    /// next step.
    pub recurrent_mask: Option<&'a Tensor>,
    /// Whether the cell states of all steps are wanted, by a kind that has some.
    pub cells: bool,
}

/// What a cell makes of its rows.
pub struct Outcome<S> {
    /// The hidden state of every step, `[N, ..]`.
    pub output: Tensor,
    /// The state behind each sequence's last step, `[B, ..]` in the caller's order.
    pub state: S,
    /// The cell state of every step, `[N, H]`, where it was asked for.
    pub cells: Option<Tensor>,
}

/// The error for an input that does not have the shape and features it should.
pub(crate) fn wrong_input(shape: &str, features: usize, got: &Tensor) -> Error {
    Error::Input {
        name: "input",
        expected: format!("a tensor {shape} with I = {features}"),
        got: format!("shape {:?}", got.dims()),
    }
}
