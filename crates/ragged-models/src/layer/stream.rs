//! Layers over sequences that arrive step by step or in chunks, each row with its own state.

use candle_core::Tensor;
use ragged_sequence::PackedSequence;

use crate::cell::Cell;
use crate::cell::state::{State, select};
use crate::error::{Error, Result};
use crate::layer::recurrent::{Recurrent, check_sequences};
use crate::layer::step_states::StepStates;
use crate::mode::Mode;

/// A layer in one direction that keeps the state of each of its rows between calls.
///
/// Feeding a sequence in pieces gives the same results as feeding the whole sequence, bit for bit.
/// Rows are counted from 0. They can be reset, removed and added at any time, without an effect on
/// the other rows.
///
/// A stream runs in [`Mode::Inference`] with the parameters that the layer had when the stream was created. It packs
/// them once, so that a step costs little more than its arithmetic; later changes of the parameters do not reach it.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Lstm, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?;
/// let mut stream = lstm.stream(2)?;
/// let step = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// stream.step(&step)?;
/// stream.reset(&[1])?;
/// assert_eq!(stream.step(&step)?.dims(), [2, 4]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stream<C: Cell> {
    layer: Recurrent<C>,
    states: Box<dyn StepStates>,
}

impl<C: Cell> Recurrent<C> {
    /// Creates a stream of `rows` sequences, which begin with the initial state.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a bidirectional layer, whose second direction begins at the end.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// assert_eq!(gru.stream(2)?.rows(), 2);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn stream(&self, rows: usize) -> Result<Stream<C>> {
        self.check_one_direction()?;
        let layer = self.prepare()?;
        let states = layer.step_states(&layer.initial_state(rows)?)?;
        Ok(Stream { layer, states })
    }
}

impl<C: Cell> Stream<C> {
    /// Returns B, the number of rows.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// # let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// assert_eq!(gru.stream(2)?.rows(), 2);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn rows(&self) -> usize {
        self.states.rows()
    }

    /// Returns the state of all rows, `[L, B, ..]`.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// # let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// assert_eq!(gru.stream(2)?.state()?.dims(), [1, 2, 4]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn state(&self) -> Result<C::State> {
        Ok(C::State::from_parts(self.states.parts()?))
    }

    /// Runs one step of every row: `[B, I]` to `[B, output_features]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`], [`Error::Sequences`], [`Error::DType`] and [`Error::Device`] for an input that does not fit;
    /// the state is unchanged then.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// # let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let mut stream = gru.stream(2)?;
    /// let output = stream.step(&Tensor::ones((2, 3), DType::F32, &Device::Cpu)?)?;
    /// assert_eq!(output.dims(), [2, 4]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn step(&mut self, input: &Tensor) -> Result<Tensor> {
        self.layer.check_step(input, self.rows())?;
        Ok(self.states.step(input)?)
    }

    /// Runs several steps, whose number may differ between rows; a row without steps keeps its state.
    ///
    /// # Errors
    ///
    /// The errors of [`step`](Self::step); the state is unchanged then.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// # let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let mut stream = gru.stream(2)?;
    /// let steps = |count| Tensor::ones((count, 3), DType::F32, &Device::Cpu);
    /// let output = stream.chunk(&pack_sequence(&[steps(0)?, steps(3)?], false)?)?;
    /// assert_eq!(output.lengths(), [0, 3]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn chunk(&mut self, input: &PackedSequence) -> Result<PackedSequence> {
        check_sequences(self.rows(), input.batch_size())?;
        let state = self.state()?;
        let (output, state) = self.layer.forward_packed(input, Some(&state), Mode::Inference)?;
        self.set(&state)?;
        Ok(output)
    }

    /// Resets rows to the initial state, so that new sequences can take their place.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] for a row that does not exist.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// # let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let mut stream = gru.stream(2)?;
    /// stream.reset(&[0])?;
    /// assert!(stream.reset(&[2]).is_err());
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn reset(&mut self, rows: &[usize]) -> Result<()> {
        let initial = self.layer.initial_state(rows.len())?;
        self.set(&reset(&self.state()?, &initial, rows)?)
    }

    /// Removes rows; the rows after them move up.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] for a row that does not exist.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// # let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let mut stream = gru.stream(3)?;
    /// stream.remove(&[0, 2])?;
    /// assert_eq!(stream.rows(), 1);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn remove(&mut self, rows: &[usize]) -> Result<()> {
        self.set(&remove(&self.state()?, rows)?)
    }

    /// Appends `count` rows in the initial state.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Gru, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// # let gru = Gru::new(&RecurrentConfig::new(3, 4), vb)?;
    /// let mut stream = gru.stream(2)?;
    /// stream.add(3)?;
    /// assert_eq!(stream.rows(), 5);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn add(&mut self, count: usize) -> Result<()> {
        self.set(&append(&self.state()?, &self.layer.initial_state(count)?)?)
    }

    fn set(&mut self, state: &C::State) -> Result<()> {
        self.states = self.layer.step_states(state)?;
        Ok(())
    }
}

/// Returns the number of rows of a state `[.., B, ..]`.
pub(crate) fn row_count(state: &impl State) -> usize {
    state.parts().first().map_or(0, |part| part.dims()[1])
}

/// Replaces rows of a state by the rows of `initial`.
pub(crate) fn reset<S: State>(state: &S, initial: &S, replaced: &[usize]) -> Result<S> {
    let count = check_rows(state, replaced)?;
    let mut sources: Vec<usize> = (0..count).collect();
    replaced.iter().enumerate().for_each(|(k, &row)| sources[row] = count + k);
    append(state, initial)?.map(|part| select(part, &sources))
}

/// Removes rows of a state.
pub(crate) fn remove<S: State>(state: &S, removed: &[usize]) -> Result<S> {
    let count = check_rows(state, removed)?;
    let kept: Vec<usize> = (0..count).filter(|row| !removed.contains(row)).collect();
    state.map(|part| select(part, &kept))
}

/// Appends the rows of `more` to a state.
pub(crate) fn append<S: State>(state: &S, more: &S) -> Result<S> {
    let pairs = state.parts().into_iter().zip(more.parts());
    let parts = pairs.map(|(part, more)| Tensor::cat(&[part, more], 1));
    Ok(S::from_parts(parts.collect::<candle_core::Result<_>>()?))
}

/// Checks that all of `rows` exist, and returns the number of rows.
fn check_rows(state: &impl State, rows: &[usize]) -> Result<usize> {
    let count = row_count(state);
    match rows.iter().find(|&&row| row >= count) {
        None => Ok(count),
        Some(&got) => Err(Error::Row { rows: count, got }),
    }
}
