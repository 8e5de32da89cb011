//! The recurrent layer for all cells: stacking, directions, packing and states.

use candle_core::Tensor;
use candle_nn::{Init, Module, VarBuilder};
use ragged_kernels::Direction;
use ragged_sequence::{PackedSequence, pack_padded_sequence};

use crate::cell::state::{State, check_like, check_type};
use crate::cell::{Cell, wrong_input};
use crate::config::{RecurrentConfig, check};
use crate::error::{Error, Result};
use crate::layer::dropout::{dropout, recurrent_mask, zoneout};
use crate::layer::outputs::{LayerOutputs, NeededOutputs};
use crate::layer::step_states::{StepStates, step_states};
use crate::mode::Mode;
use crate::op::pass::Pass;
use crate::op::prepared::PreparedCell;
use crate::op::zoneout::Zoneout;
use crate::recompute::Recompute;

/// A recurrent layer of one kind of cell: [`Lstm`](crate::Lstm), [`Gru`](crate::Gru) or
/// [`Rnn`](crate::Rnn).
///
/// For layer k and G gates, the parameters are
///
/// | parameter      | shape                                                              |
/// |----------------|--------------------------------------------------------------------|
/// | `weight_ih_lk` | `[G * H, I]`; in the layers after the first, I is `output_features` |
/// | `weight_hh_lk` | `[G * H, P]`; P is H unless the layer has a projection             |
/// | `weight_hr_lk` | `[P, H]`, only with a projection                                   |
/// | `weight_ci_lk` | `[H]`, only with peepholes; likewise `weight_cf_lk`, `weight_co_lk` |
/// | `ln_ih_weight_lk` | `[G * H]`, only with layer normalisation; likewise `ln_hh_weight_lk` |
/// | `ln_c_weight_lk` | `[H]`, only for an LSTM with layer normalisation; likewise `ln_c_bias_lk` |
/// | `bias_ih_lk`   | `[G * H]`, unless `bias` is false                                  |
/// | `bias_hh_lk`   | `[G * H]`, unless `bias` is false                                  |
///
/// and the same with the suffix `_reverse` for the second direction: a PyTorch state dict loads as it
/// is. New parameters are drawn from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch. With layer
/// normalisation, `bias_ih` and `bias_hh` are added after it and start at zero, and the weights `ln_.._weight` start at
/// one.
///
/// Padded, packed and unbatched input run through the same kernels over packed rows; equal lengths
/// are the case of constant batch sizes. All results are in the caller's order.
///
/// As a candle [`Module`], a layer maps `[B, T, I]` to `[B, T, output_features]` in
/// [`Mode::Eval`].
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ragged_models::{Gru, Mode, RecurrentConfig};
/// use ragged_sequence::pack_sequence;
///
/// // Candle's own parameters work as well as `Parameters`.
/// let varmap = VarMap::new();
/// let vb = VarBuilder::from_varmap(&varmap, DType::F32, &Device::Cpu);
/// let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
///
/// let sequence = |length| Tensor::ones((length, 3), DType::F32, &Device::Cpu);
/// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
/// let (output, h_n) = gru.forward_packed(&packed, None, Mode::Inference)?;
/// assert_eq!(output.lengths(), [2, 5]);
/// assert_eq!(h_n.dims(), [1, 2, 4]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recurrent<C: Cell> {
    config: RecurrentConfig,
    /// Layer by layer, the forward direction before the reverse direction.
    cells: Vec<C>,
    /// `[L * D, ..]`, if the initial states are parameters.
    initial: Option<C::State>,
    /// The packed weights of the cells, in a [prepared](Self::prepare) layer.
    prepared: Option<Vec<PreparedCell>>,
    recompute: Option<Recompute>,
}

impl<C: Cell> Recurrent<C> {
    /// Takes the parameters from `vb`, which creates or loads them.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a value that is not allowed, and errors from candle
    /// if `vb` does not have the parameters.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Lstm, Parameters, RecurrentConfig};
    /// let parameters = Parameters::new(1);
    /// Lstm::new(&RecurrentConfig::new(7, 15), parameters.builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(parameters.state_dict()["weight_ih_l0"].dims(), [4 * 15, 7]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let mut cells = vec![];
        for layer in 0..config.num_layers {
            let input_size = if layer == 0 { config.input_size } else { config.output_features() };
            for direction in &["", "_reverse"][..config.num_directions()] {
                cells.push(C::build(config, input_size, &format!("_l{layer}{direction}"), &vb)?);
            }
        }
        let initial = match config.trainable_state {
            true => {
                let part =
                    |(name, size)| vb.get_with_hints((cells.len(), size), name, Init::Const(0.0));
                let parts = cells[0].state_sizes().into_iter().map(part);
                Some(C::State::from_parts(parts.collect::<candle_core::Result<_>>()?))
            }
            false => None,
        };
        Ok(Self { config: config.clone(), cells, initial, prepared: None, recompute: None })
    }

    /// Returns the same layer, with the same parameters, whose activations are computed once more in the backward
    /// pass; kept where `None`. See [`Recompute`] for an example.
    pub fn with_recompute(self, recompute: Option<Recompute>) -> Self {
        Self { recompute, ..self }
    }

    /// Returns a copy for inference, with the parameters as they are now: later changes of the variables do not
    /// reach it.
    pub(crate) fn prepare(&self) -> Result<Self> {
        let RecurrentConfig { zoneout_hidden, zoneout_cell, .. } = self.config;
        let prepare = |cell: &C| match Zoneout::expected(&self.config) {
            None => cell.prepare(),
            Some(_) => Ok(cell.prepare()?.with_zoneout(zoneout_hidden, zoneout_cell)?),
        };
        let prepared = self.cells.iter().map(prepare).collect::<Result<_>>()?;
        let copy = |initial: &C::State| initial.map(|part| Ok(part.copy()?.detach()));
        let initial = self.initial.as_ref().map(copy).transpose()?;
        Ok(Self { initial, prepared: Some(prepared), ..self.clone() })
    }

    /// Returns the states of some rows, `[L, B, ..]`, for single steps of a prepared layer.
    pub(crate) fn step_states(&self, state: &C::State) -> Result<Box<dyn StepStates>> {
        let prepared = self.prepared.as_deref().unwrap_or_default();
        Ok(step_states(prepared, &state.parts())?)
    }

    /// Returns the options of the layer.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Lstm, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let lstm = Lstm::new(&RecurrentConfig::new(7, 15), vb)?;
    /// assert_eq!(lstm.config().hidden_size, 15);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    /// Runs a batch `[B, T, I]` of sequences that all have T steps, or one sequence `[T, I]`.
    ///
    /// Returns the outputs of the last layer, `[B, T, output_features]` (`[T, output_features]`), and
    /// the state after the last step. `state` is the state before the first step; if `None`, it is the
    /// trained initial state, or zero.
    ///
    /// # Errors
    ///
    /// [`Error::Input`](crate::Error::Input), [`Error::Shape`](crate::Error::Shape),
    /// [`Error::DType`](crate::Error::DType) and [`Error::Device`](crate::Error::Device) name the
    /// argument that does not fit.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Lstm, Mode, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let input = Tensor::ones((2, 5, 3), DType::F32, &Device::Cpu)?;
    /// let (output, state) = lstm.forward(&input, None, Mode::Inference)?;
    /// assert_eq!(output.dims(), [2, 5, 4]);
    /// let (output, _) = lstm.forward(&input, Some(&state), Mode::Inference)?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&C::State>,
        mode: Mode,
    ) -> Result<(Tensor, C::State)> {
        if input.rank() == 2 {
            let state = state.map(|state| state.map(|t| t.unsqueeze(1))).transpose()?;
            let (output, state) = self.forward(&input.unsqueeze(0)?, state.as_ref(), mode)?;
            return Ok((output.squeeze(0)?, state.map(|t| t.squeeze(1))?));
        }
        let (&[batch, steps, features], input_size) = (input.dims(), self.config.input_size) else {
            return Err(wrong_input("[B, T, I] or [T, I]", self.config.input_size, input));
        };
        if features != input_size {
            return Err(wrong_input("[B, T, I] or [T, I]", input_size, input));
        }
        let outputs = self.run(&pack_equal_lengths(input)?, state, mode, NeededOutputs::ROWS)?;
        let output = outputs.rows()?.reshape((steps, batch, self.config.output_features()))?;
        Ok((output.transpose(0, 1)?, outputs.state()?))
    }

    /// Runs a packed batch of sequences of any lengths.
    ///
    /// Returns the packed outputs of the last layer and, in the caller's order, the state after the
    /// last step of each sequence. A sequence of length zero keeps its initial state.
    ///
    /// # Errors
    ///
    /// The errors of [`forward`](Self::forward).
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Lstm, Mode, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let sequence = |length| Tensor::ones((length, 3), DType::F32, &Device::Cpu);
    /// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
    /// let (output, state) = lstm.forward_packed(&packed, None, Mode::Inference)?;
    /// assert_eq!(output.data().dims(), [7, 4]);
    /// assert_eq!(state.h.dims(), [1, 2, 4]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward_packed(
        &self,
        input: &PackedSequence,
        state: Option<&C::State>,
        mode: Mode,
    ) -> Result<(PackedSequence, C::State)> {
        let outputs = self.run(input, state, mode, NeededOutputs::ROWS)?;
        Ok((outputs.output()?, outputs.state()?))
    }

    /// Runs one time step `[B, I]`, for sequences that arrive step by step.
    ///
    /// Returns the output `[B, output_features]` and the state for the next step. Stepping through a
    /// sequence gives the same results as [`forward`](Self::forward) for the whole sequence, bit for
    /// bit.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a bidirectional layer, whose second direction
    /// begins at the end; otherwise the errors of `forward`.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Lstm, Mode, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let input = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
    /// let (output, state) = lstm.step(&input, None, Mode::Inference)?;
    /// let (output, state) = lstm.step(&input, Some(&state), Mode::Inference)?;
    /// assert_eq!(output.dims(), [2, 4]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn step(
        &self,
        input: &Tensor,
        state: Option<&C::State>,
        mode: Mode,
    ) -> Result<(Tensor, C::State)> {
        self.check_one_direction()?;
        if input.rank() != 2 {
            return Err(wrong_input("[B, I]", self.config.input_size, input));
        }
        let (output, state) = self.forward(&input.unsqueeze(1)?, state, mode)?;
        Ok((output.squeeze(1)?, state))
    }

    /// Returns the state before the first step of `batch` sequences, `[L * D, B, ..]`: the trained
    /// initial state, or zero.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Lstm, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?;
    /// assert_eq!(lstm.initial_state(2)?.h.to_vec3::<f32>()?, [[[0.0; 4]; 2]]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn initial_state(&self, batch: usize) -> Result<C::State> {
        match &self.initial {
            Some(initial) => initial.map(|part| {
                let (count, size) = part.dims2()?;
                part.unsqueeze(1)?.broadcast_as((count, batch, size))?.contiguous()
            }),
            None => {
                let (count, like) = (self.cells.len(), self.cells[0].weight_ih());
                let sizes = self.cells[0].state_sizes().into_iter();
                let zeros = sizes.map(|(_, size)| {
                    Tensor::zeros((count, batch, size), like.dtype(), like.device())
                });
                Ok(C::State::from_parts(zeros.collect::<candle_core::Result<_>>()?))
            }
        }
    }

    /// Returns an error for a bidirectional layer, which cannot run step by step.
    pub(crate) fn check_one_direction(&self) -> Result<()> {
        let both = self.config.bidirectional;
        check("bidirectional", both, !both, "false, to run step by step")
    }

    /// Runs all layers and directions over a packed batch, for the outputs that are needed.
    pub(crate) fn run(
        &self,
        input: &PackedSequence,
        state: Option<&C::State>,
        mut mode: Mode,
        needed: NeededOutputs,
    ) -> Result<LayerOutputs<C::State>> {
        let (layout, batch) = (input.layout(), input.batch_size());
        self.check_rows(input.data())?;
        let trained = self.initial.as_ref().map(|_| self.initial_state(batch)).transpose()?;
        let state = state.or(trained.as_ref());
        self.check_state(batch, state)?;
        let directions = &[Direction::Forward, Direction::Reverse][..self.config.num_directions()];
        let mut outputs = LayerOutputs {
            cells: vec![],
            layout: layout.clone(),
            num_directions: directions.len(),
            merge: self.config.merge,
        };
        let mut rows = input.data().clone();
        for (layer, pair) in self.cells.chunks(directions.len()).enumerate() {
            if layer > 0 {
                rows = outputs.rows()?;
                if let Mode::Train(rng) = &mut mode {
                    rows = dropout(&rows, self.config.dropout, *rng)?;
                }
            }
            for (cell, &direction) in pair.iter().zip(directions) {
                let index = outputs.cells.len();
                let state = state.map(|state| state.map(|part| part.get(index))).transpose()?;
                let shape = (batch, self.config.output_size());
                let p = self.config.recurrent_dropout;
                let mask = recurrent_mask(shape, p, &rows, &mut mode)?;
                let zoneout = zoneout(&self.config, layout.rows(), &rows, &mut mode)?;
                let (record, recurrent_mask) = (mode.records_gradients(), mask.as_ref());
                let prepared = self.prepared.as_ref().map(|prepared| &prepared[index]);
                let zoneout = zoneout.as_ref();
                let is_last = (layer + 1) * directions.len() == self.cells.len();
                let pass = Pass {
                    layout,
                    direction,
                    record,
                    recurrent_mask,
                    zoneout,
                    prepared,
                    cell_states: needed.cell_states,
                    recompute: self.recompute,
                    final_states_only: is_last && !needed.rows,
                };
                outputs.cells.push(cell.run(&rows, state.as_ref(), &pass)?);
            }
        }
        Ok(outputs)
    }

    /// Checks the input `[B, I]` of one step of B rows.
    pub(crate) fn check_step(&self, input: &Tensor, rows: usize) -> Result<()> {
        let (&[batch, features], input_size) = (input.dims(), self.config.input_size) else {
            return Err(wrong_input("[B, I]", self.config.input_size, input));
        };
        if features != input_size {
            return Err(wrong_input("[B, I]", input_size, input));
        }
        check_type("input", input, self.cells[0].weight_ih())?;
        check_sequences(rows, batch)
    }

    /// Checks rows `[N, I]` against the parameters of the first layer.
    fn check_rows(&self, rows: &Tensor) -> Result<()> {
        if rows.rank() != 2 || rows.dims()[1] != self.config.input_size {
            return Err(wrong_input("[N, I]", self.config.input_size, rows));
        }
        check_type("input", rows, self.cells[0].weight_ih())
    }

    /// Checks a state of all layers and directions against the batch and the parameters.
    fn check_state(&self, batch: usize, state: Option<&C::State>) -> Result<()> {
        let Some(state) = state else { return Ok(()) };
        for ((name, size), part) in self.cells[0].state_sizes().into_iter().zip(state.parts()) {
            let dims = [self.cells.len(), batch, size];
            check_like(name, part, &dims, self.cells[0].weight_ih())?;
        }
        Ok(())
    }
}

/// Maps `[B, T, I]` to `[B, T, output_features]`, from the initial state and in [`Mode::Eval`]:
/// gradients are recorded, and dropout, which needs a generator, is off.
impl<C: Cell> Module for Recurrent<C> {
    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        Ok(Recurrent::forward(self, input, None, Mode::Eval)?.0)
    }
}

/// Checks that an input has one sequence per row.
pub(crate) fn check_sequences(expected: usize, got: usize) -> Result<()> {
    if expected == got { Ok(()) } else { Err(Error::Sequences { expected, got }) }
}

/// Packs a batch `[B, T, I]` of equal lengths.
pub(crate) fn pack_equal_lengths(input: &Tensor) -> Result<PackedSequence> {
    let (batch, steps, _) = input.dims3()?;
    Ok(pack_padded_sequence(input, &vec![steps; batch], false)?)
}
