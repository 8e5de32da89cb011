//! The skeleton of all recurrent layers: stacking, directions, packing, states and orders.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use ragged_kernels::Direction;
use ragged_sequence::{PackedSequence, pack_padded_sequence};

use crate::cell::wrong_input;
use crate::config::check;
use crate::dropout::{dropout, recurrent_mask};
use crate::run::Run;
use crate::state::{check_kind, check_like};
use crate::{Cell, Mode, Pass, RecurrentConfig, Result, State};

/// A recurrent layer of one kind of cell: [`Lstm`](crate::Lstm), [`Gru`](crate::Gru) or
/// [`Rnn`](crate::Rnn).
///
/// Parameters are `weight_ih_l{k}` `[G * H, I]`, `weight_hh_l{k}` `[G * H, H]`, `bias_ih_l{k}` and
/// `bias_hh_l{k}` `[G * H]` for layer k and G gates, with `_reverse` for the second direction: a
/// PyTorch state dict loads as it is. Fresh ones are drawn from U(-1/sqrt(H), 1/sqrt(H)), as in
/// PyTorch.
///
/// Padded, packed and unbatched input run through the same kernels over packed rows; equal lengths
/// are the case of constant batch sizes. What comes out is in the caller's order.
pub struct Recurrent<C: Cell> {
    config: RecurrentConfig,
    /// Layer by layer, the forward direction before the reverse one.
    cells: Vec<C>,
    /// `[L * D, ..]`, where initial states are parameters.
    initial: Option<C::State>,
}

impl<C: Cell> Recurrent<C> {
    /// Takes the parameters from `vb`, which creates or loads them.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config), and candle's where `vb` does not have the
    /// parameters.
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let mut cells = vec![];
        for layer in 0..config.num_layers {
            let input_size = if layer == 0 { config.input_size } else { config.output_size() };
            for direction in &["", "_reverse"][..config.directions()] {
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
        Ok(Self { config: config.clone(), cells, initial })
    }

    /// The options it was built with.
    pub fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    /// Runs a padded batch `[B, T, I]` whose sequences all have T steps, or one sequence `[T, I]`.
    ///
    /// Returns the outputs of the last layer `[B, T, output_size]` (`[T, output_size]`) and the state
    /// behind the last step. `state` is the state before the first step; where `None`, the trained
    /// initial one, or zero.
    ///
    /// # Errors
    ///
    /// [`Error::Input`](crate::Error::Input) names the argument whose shape, dtype or device does not
    /// fit.
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
        let &[batch, steps, _] = input.dims() else {
            return Err(wrong_input("[B, T, I] or [T, I]", self.config.input_size, input));
        };
        let run = self.run(&rectangle(input)?, state, mode, false)?;
        let output = run.rows()?.reshape((steps, batch, self.config.output_size()))?;
        Ok((output.transpose(0, 1)?, run.state()?))
    }

    /// Runs a packed batch: the real steps of sequences of any lengths, and nothing else.
    ///
    /// Returns the packed outputs of the last layer and, in the caller's order, the state behind
    /// each sequence's own last step; a sequence of length zero keeps the state it came with.
    ///
    /// # Errors
    ///
    /// [`Error::Input`](crate::Error::Input) names the argument whose shape, dtype or device does not
    /// fit.
    pub fn forward_packed(
        &self,
        input: &PackedSequence,
        state: Option<&C::State>,
        mode: Mode,
    ) -> Result<(PackedSequence, C::State)> {
        let run = self.run(input, state, mode, false)?;
        Ok((run.output()?, run.state()?))
    }

    /// Runs one time step `[B, I]`, for sequences that arrive while they grow.
    ///
    /// Returns the output `[B, output_size]` and the state for the next step. Stepping through a
    /// sequence gives what [`forward`](Self::forward) gives for the whole, bit for bit.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a bidirectional layer, whose second direction
    /// begins at the end; [`Error::Input`](crate::Error::Input) as in `forward`.
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

    /// The state before the first step of `batch` sequences, `[L * D, B, ..]`: zero, or the trained
    /// one.
    ///
    /// # Errors
    ///
    /// Candle's alone.
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

    /// Refuses to run in pieces what needs the end of the sequences first.
    pub(crate) fn check_one_direction(&self) -> Result<()> {
        let both = self.config.bidirectional;
        check("bidirectional", both, !both, "false, to run step by step")
    }

    /// Runs all layers and directions over a packed batch, keeping the cell states of all steps
    /// where `cells` are asked for.
    pub(crate) fn run(
        &self,
        input: &PackedSequence,
        state: Option<&C::State>,
        mut mode: Mode,
        cells: bool,
    ) -> Result<Run<C::State>> {
        let (layout, batch) = (input.layout(), input.batch_size());
        self.check_rows(input.data())?;
        let trained = self.initial.as_ref().map(|_| self.initial_state(batch)).transpose()?;
        let state = state.or(trained.as_ref());
        self.check_state(batch, state)?;
        let directions = &[Direction::Forward, Direction::Reverse][..self.config.directions()];
        let mut run = Run {
            outcomes: vec![],
            layout: layout.clone(),
            directions: directions.len(),
            merge: self.config.merge,
        };
        let mut rows = input.data().clone();
        for (layer, pair) in self.cells.chunks(directions.len()).enumerate() {
            if layer > 0 {
                rows = run.rows()?;
                if let Mode::Train(rng) = &mut mode {
                    rows = dropout(&rows, self.config.dropout, *rng)?;
                }
            }
            for (cell, &direction) in pair.iter().zip(directions) {
                let at = run.outcomes.len();
                let state = state.map(|state| state.map(|part| part.get(at))).transpose()?;
                let shape = (batch, self.config.state_size());
                let p = self.config.recurrent_dropout;
                let mask = recurrent_mask(shape, p, &rows, &mut mode)?;
                let (record, recurrent_mask) = (mode.is_train(), mask.as_ref());
                let pass = Pass { layout, direction, record, recurrent_mask, cells };
                run.outcomes.push(cell.run(&rows, state.as_ref(), &pass)?);
            }
        }
        Ok(run)
    }

    /// Checks rows `[N, I]` against the first layer's parameters.
    fn check_rows(&self, rows: &Tensor) -> Result<()> {
        if rows.rank() != 2 || rows.dims()[1] != self.config.input_size {
            return Err(wrong_input("[.., I] of packed rank 2", self.config.input_size, rows));
        }
        check_kind("input", rows, self.cells[0].weight_ih())
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

/// A batch `[B, T, I]` of equal lengths, packed: time step by time step.
pub(crate) fn rectangle(input: &Tensor) -> Result<PackedSequence> {
    let (batch, steps, _) = input.dims3()?;
    Ok(pack_padded_sequence(input, &vec![steps; batch], false)?)
}
