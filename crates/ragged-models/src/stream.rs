//! Sequences that arrive while they run: a step or a chunk at a time, each row with its own state.

use candle_core::Tensor;
use ragged_sequence::{PackedSequence, pool};
use rand::RngCore;

use crate::recurrent::rectangle;
use crate::state::select;
use crate::{Cell, Error, Mode, Model, Readout, Recurrent, Result, State};

/// A layer in one direction that keeps the state of each of its rows between calls.
///
/// Feeding a sequence in pieces gives, bit for bit, what the layer gives for the whole. Rows are
/// counted from 0 and can be reset, removed and added at any time; the others do not notice.
pub struct Stream<'a, C: Cell> {
    layer: &'a Recurrent<C>,
    state: C::State,
}

impl<C: Cell> Recurrent<C> {
    /// Begins to stream `rows` sequences, from the initial state.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a bidirectional layer, whose second direction begins at the end.
    pub fn stream(&self, rows: usize) -> Result<Stream<'_, C>> {
        self.check_one_direction()?;
        Ok(Stream { layer: self, state: self.initial_state(rows)? })
    }
}

impl<C: Cell> Stream<'_, C> {
    /// B, the number of rows.
    pub fn rows(&self) -> usize {
        rows(&self.state)
    }

    /// The state of all rows, `[L, B, ..]`.
    pub fn state(&self) -> &C::State {
        &self.state
    }

    /// One step of every row: `[B, I]` to `[B, output_size]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong shape or dtype; no state has changed then.
    pub fn step(&mut self, input: &Tensor) -> Result<Tensor> {
        let (output, state) = self.layer.step(input, Some(&self.state), Mode::Eval)?;
        self.state = state;
        Ok(output)
    }

    /// Several steps, in number as each row has them; a row without any keeps its state.
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step).
    pub fn chunk(&mut self, input: &PackedSequence) -> Result<PackedSequence> {
        let (output, state) = self.layer.forward_packed(input, Some(&self.state), Mode::Eval)?;
        self.state = state;
        Ok(output)
    }

    /// Takes these rows back to the initial state, for new sequences in their place.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a row that there is not.
    pub fn reset(&mut self, rows: &[usize]) -> Result<()> {
        self.state = reset(&self.state, &self.layer.initial_state(rows.len())?, rows)?;
        Ok(())
    }

    /// Drops these rows; those behind them move up.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a row that there is not.
    pub fn remove(&mut self, rows: &[usize]) -> Result<()> {
        self.state = remove(&self.state, rows)?;
        Ok(())
    }

    /// Appends `count` rows in the initial state.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn add(&mut self, count: usize) -> Result<()> {
        self.state = append(&self.state, &self.layer.initial_state(count)?)?;
        Ok(())
    }
}

/// A [`Model`] over sequences that arrive while they run, as [`Stream`] is for a layer.
///
/// What it predicts after some chunks is what the model predicts for the steps so far: bit for bit,
/// where the head has at most 16,384 weights; the sums of a larger one depend on the number of rows.
pub struct ModelStream<'a> {
    model: &'a Model,
    /// The layer's tensors, then what the readout remembers: a row `[1, B, output_size]`, and the
    /// number of steps so far `[1, B, 1]`.
    state: Vec<Tensor>,
}

impl Model {
    /// Begins to stream `rows` sequences, from the initial state.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a bidirectional layer, whose second direction begins at the end.
    pub fn stream(&self, rows: usize) -> Result<ModelStream<'_>> {
        let both = self.config().layer.bidirectional;
        crate::config::check("bidirectional", both, !both, "false, to run step by step")?;
        Ok(ModelStream { model: self, state: initial(self, rows)? })
    }
}

/// The state before the first step of some rows.
fn initial(model: &Model, rows: usize) -> Result<Vec<Tensor>> {
    let mut state = model.layer().initial_state(rows)?;
    let (dtype, device) = (state[0].dtype(), state[0].device().clone());
    for size in [model.config().layer.output_size(), 1] {
        state.push(Tensor::zeros((1, rows, size), dtype, &device)?);
    }
    Ok(state)
}

impl ModelStream<'_> {
    /// B, the number of rows.
    pub fn rows(&self) -> usize {
        rows(&self.state)
    }

    /// One step of every row, `[B, I]`, to the predictions so far, `[B, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong shape or dtype; no state has changed then.
    pub fn step(&mut self, input: &Tensor) -> Result<Tensor> {
        if input.rank() != 2 {
            let features = self.model.config().layer.input_size;
            return Err(crate::cell::wrong_input("[B, I]", features, input));
        }
        self.chunk(&rectangle(&input.unsqueeze(1)?)?)
    }

    /// Several steps, in number as each row has them, to the predictions so far `[B, O]`; for a
    /// readout of every step, to those of the chunk's N steps, `[N, O]`.
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step).
    pub fn chunk(&mut self, input: &PackedSequence) -> Result<Tensor> {
        self.run(input, Mode::Eval)
    }

    /// [`chunk`](Self::chunk) in training: the predictions can be differentiated back to the chunk's
    /// first step, and no further, since the state from before is a constant. This is truncated
    /// backpropagation through time (Williams and Peng 1990).
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step).
    pub fn train_chunk(&mut self, input: &PackedSequence, rng: &mut dyn RngCore) -> Result<Tensor> {
        self.run(input, Mode::Train(rng))
    }

    /// The state of all rows: tensors `[.., B, ..]` to be given back to
    /// [`set_state`](Self::set_state) some day.
    pub fn state(&self) -> &[Tensor] {
        &self.state
    }

    /// Goes on from a state that [`state`](Self::state) gave, for as many rows as it has.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for tensors of other shapes than this model's.
    pub fn set_state(&mut self, state: Vec<Tensor>) -> Result<()> {
        let count = state.first().map_or(0, |part| part.dims().get(1).copied().unwrap_or(0));
        let shapes = |parts: &[Tensor]| -> Vec<Vec<usize>> {
            parts.iter().map(|part| part.dims().to_vec()).collect()
        };
        let (expected, got) = (shapes(&initial(self.model, count)?), shapes(&state));
        if got != expected {
            let (expected, got) = (format!("shapes {expected:?}"), format!("shapes {got:?}"));
            return Err(Error::Input { name: "state", expected, got });
        }
        self.state = state;
        Ok(())
    }

    fn run(&mut self, input: &PackedSequence, mut mode: Mode) -> Result<Tensor> {
        let (rows, batch) = (self.rows(), input.batch_size());
        if rows != batch {
            let (expected, got) = (format!("{rows} sequences"), batch.to_string());
            return Err(Error::Input { name: "input", expected, got });
        }
        let model = self.model;
        let (layer, memory) = self.state.split_at(self.state.len() - 2);
        let run = model.layer().run(input, Some(layer.to_vec()), mode.reborrow())?;
        let mut state = run.state()?;
        let readout = model.config().readout;
        let (row, steps) = remember(readout, &run.output()?, memory)?;
        let read = match readout {
            Readout::Final | Readout::Steps => readout.read(&run)?,
            Readout::Mean => row.broadcast_div(&steps.maximum(&steps.ones_like()?)?)?,
            _ => row.clone(),
        };
        let prediction = model.head(&read, mode)?;
        state.extend([row.unsqueeze(0)?, steps.unsqueeze(0)?]);
        self.state = state.iter().map(Tensor::detach).collect();
        Ok(prediction)
    }

    /// Takes these rows back to the initial state, for new sequences in their place.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a row that there is not.
    pub fn reset(&mut self, rows: &[usize]) -> Result<()> {
        self.state = reset(&self.state, &initial(self.model, rows.len())?, rows)?;
        Ok(())
    }

    /// Drops these rows; those behind them move up.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a row that there is not.
    pub fn remove(&mut self, rows: &[usize]) -> Result<()> {
        self.state = remove(&self.state, rows)?;
        Ok(())
    }

    /// Appends `count` rows in the initial state.
    ///
    /// # Errors
    ///
    /// Candle's alone.
    pub fn add(&mut self, count: usize) -> Result<()> {
        self.state = append(&self.state, &initial(self.model, count)?)?;
        Ok(())
    }
}

/// What the readout has seen of each row, `[B, output_size]`, and the steps so far, `[B, 1]`, after
/// a chunk of outputs.
fn remember(
    readout: Readout,
    output: &PackedSequence,
    memory: &[Tensor],
) -> Result<(Tensor, Tensor)> {
    let (row, before) = (memory[0].squeeze(0)?, memory[1].squeeze(0)?);
    let lengths: Vec<f64> = output.lengths().iter().map(|&length| length as f64).collect();
    let lengths = Tensor::from_vec(lengths, before.dims(), before.device())?;
    let lengths = lengths.to_dtype(before.dtype())?;
    let steps = (&before + &lengths)?;
    let (Some(pooling), true) = (readout.pooling(), output.layout().rows() > 0) else {
        return Ok((row, steps));
    };
    let (begun, goes_on) = (before.gt(0f64)?, lengths.gt(0f64)?);
    let choose =
        |when: &Tensor, a: &Tensor, b: &Tensor| when.broadcast_as(a.shape())?.where_cond(a, b);
    let row = match readout {
        Readout::Sum | Readout::Mean => {
            // Onto what there is, step by step: the order in which the whole is added.
            let layout = output.layout();
            let sequences: Vec<i64> = layout.positions().map(|(b, _)| b as i64).collect();
            let sequences = Tensor::from_vec(sequences, layout.rows(), row.device())?;
            row.index_add(&sequences, &output.data().contiguous()?, 0)?
        }
        _ => {
            let chunk = pool(output, pooling)?;
            let both = match readout {
                Readout::First => row.clone(),
                Readout::Max => row.maximum(&chunk)?,
                _ => chunk.clone(),
            };
            choose(&goes_on, &choose(&begun, &both, &chunk)?, &row)?
        }
    };
    Ok((row, steps))
}

fn rows(state: &impl State) -> usize {
    state.parts().first().map_or(0, |part| part.dims()[1])
}

/// Replaces some rows of a state by those of another.
fn reset<S: State>(state: &S, fresh: &S, replaced: &[usize]) -> Result<S> {
    let count = check_rows(state, replaced)?;
    let mut places: Vec<usize> = (0..count).collect();
    replaced.iter().enumerate().for_each(|(k, &row)| places[row] = count + k);
    append(state, fresh)?.map(|part| select(part, &places))
}

fn remove<S: State>(state: &S, removed: &[usize]) -> Result<S> {
    let count = check_rows(state, removed)?;
    let places: Vec<usize> = (0..count).filter(|row| !removed.contains(row)).collect();
    state.map(|part| select(part, &places))
}

fn append<S: State>(state: &S, more: &S) -> Result<S> {
    let pairs = state.parts().into_iter().zip(more.parts());
    let parts = pairs.map(|(part, more)| Tensor::cat(&[part, more], 1));
    Ok(S::from_parts(parts.collect::<candle_core::Result<_>>()?))
}

/// The number of rows; every named one must be among them.
fn check_rows(state: &impl State, named: &[usize]) -> Result<usize> {
    let count = rows(state);
    match named.iter().find(|&&row| row >= count) {
        None => Ok(count),
        Some(row) => Err(Error::Input {
            name: "rows",
            expected: format!("rows below {count}"),
            got: row.to_string(),
        }),
    }
}
