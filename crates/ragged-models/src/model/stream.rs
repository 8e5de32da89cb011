//! Models over sequences that arrive step by step or in chunks.

use candle_core::Tensor;
use ragged_sequence::{PackedLayout, PackedSequence};

use crate::cell::CellOutput;
use crate::cell::state::check_type;
use crate::config::{Merge, check};
use crate::error::{Error, Result};
use crate::layer::outputs::LayerOutputs;
use crate::layer::outputs::NeededOutputs;
use crate::layer::recurrent::check_sequences;
use crate::layer::step_states::StepStates;
use crate::layer::stream::{append, remove, reset};
use crate::mode::Mode;
use crate::model::Model;
use crate::model::prepared::PreparedModel;
use crate::model::readout::Readout;
use crate::model::readout_state::{initial_readout, read_chunk};

/// A [`Model`] that keeps the state of each of its rows between calls, as [`Stream`](crate::Stream) does for a layer.
///
/// Its predictions after some chunks are, bit for bit, the model's predictions for the steps so far. It has the
/// parameters that the model had when the stream was created, packed once; later changes do not reach it.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
///
/// let config = ModelConfig::new(ModelKind::Fixed, RecurrentConfig::new(3, 4), 1);
/// let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
/// let mut stream = model.stream(2)?;
/// let step = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// stream.step(&step)?;
/// let prediction = stream.step(&step)?;
///
/// let whole = Tensor::ones((2, 2, 3), DType::F32, &Device::Cpu)?;
/// let want = model.forward_padded(&whole, Mode::Inference)?;
/// assert_eq!(prediction.to_vec2::<f32>()?, want.to_vec2::<f32>()?);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ModelStream {
    model: PreparedModel,
    /// The states of the layers.
    states: Box<dyn StepStates>,
    /// The state of the readout.
    readout: Vec<Tensor>,
}

impl Model {
    /// Creates a stream of `rows` sequences, which begin with the initial state.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a bidirectional layer, whose second direction begins at the end, and for attention.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(model.stream(2)?.rows(), 2);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn stream(&self, rows: usize) -> Result<ModelStream> {
        self.check_stepwise()?;
        self.prepare()?.stream(rows)
    }

    /// Returns an error for a bidirectional layer and for attention, which cannot run step by step.
    pub(crate) fn check_stepwise(&self) -> Result<()> {
        let both = self.config().layer.bidirectional;
        check("bidirectional", both, !both, "false, to run step by step")?;
        let statics = if self.config().statics.is_some() { "given" } else { "none" };
        check("statics", statics, statics == "none", "none, to run step by step")?;
        let attends = self.config().readout == Readout::Attention;
        check("readout", "attention", !attends, "another one, to run step by step")
    }
}

impl PreparedModel {
    /// Creates a stream of `rows` sequences, which begin with the initial state. It shares the packed parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a bidirectional layer, whose second direction begins at the end, and for attention.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let prepared = model.prepare()?;
    /// let (first, second) = (prepared.stream(1)?, prepared.stream(2)?);
    /// assert_eq!((first.rows(), second.rows()), (1, 2));
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn stream(&self, rows: usize) -> Result<ModelStream> {
        self.model().check_stepwise()?;
        let (states, readout) = initial_state(self.model(), rows)?;
        let states = self.model().layer().step_states(states)?;
        Ok(ModelStream { model: self.clone(), states, readout })
    }
}

/// Returns the states of the layers and of the readout before the first step of `rows` sequences.
pub(crate) fn initial_state(model: &Model, rows: usize) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
    let states = model.layer().initial_state(rows)?;
    let (dtype, device) = (states[0].dtype(), states[0].device());
    let features = model.config().layer.output_features();
    let readout = initial_readout(rows, features, dtype, device)?;
    Ok((states, readout))
}

/// Returns the states of the layers, then those of the readout, before the first step of `rows` sequences.
pub(crate) fn all_states(model: &Model, rows: usize) -> Result<Vec<Tensor>> {
    let (mut states, readout) = initial_state(model, rows)?;
    states.extend(readout);
    Ok(states)
}

/// Checks the shapes and dtypes of all states of some rows.
pub(crate) fn check_state(model: &Model, state: &[Tensor]) -> Result<()> {
    let count = state.first().map_or(0, |part| part.dims().get(1).copied().unwrap_or(0));
    let initial = all_states(model, count)?;
    let shapes = |parts: &[Tensor]| -> Vec<Vec<usize>> {
        parts.iter().map(|part| part.dims().to_vec()).collect()
    };
    let (expected, got) = (shapes(&initial), shapes(state));
    if got != expected {
        return Err(Error::State { expected, got });
    }
    state.iter().zip(&initial).try_for_each(|(part, like)| check_type("state", part, like))
}

impl ModelStream {
    /// Returns B, the number of rows.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(model.stream(2)?.rows(), 2);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn rows(&self) -> usize {
        self.states.rows()
    }

    /// Runs one step of every row, `[B, I]`, and returns the predictions so far, `[B, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`], [`Error::Sequences`] and
    /// [`Error::DType`] for an input that does not fit; the state is unchanged then.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let mut stream = model.stream(2)?;
    /// let step = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
    /// assert_eq!(stream.step(&step)?.dims(), [2, 1]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn step(&mut self, input: &Tensor) -> Result<Tensor> {
        let model = self.model.model();
        model.layer().check_step(input, self.rows())?;
        let hidden = self.states.step(input)?;
        let readout = model.config().readout;
        if matches!(readout, Readout::Final | Readout::Steps) {
            return model.head(&hidden, Mode::Inference);
        }
        let layout = PackedLayout::from_lengths(&vec![1; self.rows()]);
        let cell = CellOutput { output: hidden.clone(), state: vec![hidden], cell_states: None };
        let outputs =
            LayerOutputs { cells: vec![cell], layout, num_directions: 1, merge: Merge::Concat };
        let (read, state) = read_chunk(readout, &outputs, &self.readout)?;
        self.readout = state;
        model.head(&read, Mode::Inference)
    }

    /// Runs several steps, whose number may differ between rows, and returns the predictions so far,
    /// `[B, O]`; with [`Readout::Steps`], the predictions for the N steps of the chunk, `[N, O]`.
    ///
    /// # Errors
    ///
    /// The errors of [`step`](Self::step).
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let mut stream = model.stream(2)?;
    /// let steps = |count| Tensor::ones((count, 3), DType::F32, &Device::Cpu);
    /// let chunk = pack_sequence(&[steps(0)?, steps(3)?], false)?;
    /// assert_eq!(stream.chunk(&chunk)?.dims(), [2, 1]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn chunk(&mut self, input: &PackedSequence) -> Result<Tensor> {
        check_sequences(self.rows(), input.batch_size())?;
        let model = self.model.model();
        let outputs = model.layer().run(
            input,
            Some(self.states.parts()?),
            Mode::Inference,
            NeededOutputs::ROWS,
        )?;
        let (read, readout) = read_chunk(model.config().readout, &outputs, &self.readout)?;
        let prediction = model.head(&read, Mode::Inference)?;
        self.set(outputs.state()?, readout)?;
        Ok(prediction)
    }

    /// Returns the state of all rows, tensors `[.., B, ..]`, for a later call of [`set_state`](Self::set_state), also
    /// in another process.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let step = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
    /// let mut stream = model.stream(2)?;
    /// stream.step(&step)?;
    /// let state = stream.state()?;
    /// let want = stream.step(&step)?.to_vec2::<f32>()?;
    ///
    /// let mut other = model.stream(1)?;
    /// other.set_state(state)?;
    /// assert_eq!(other.step(&step)?.to_vec2::<f32>()?, want);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn state(&self) -> Result<Vec<Tensor>> {
        let mut state = self.states.parts()?;
        state.extend(self.readout.iter().cloned());
        Ok(state)
    }

    /// Sets the state, and with it the number of rows, to a state that [`state`](Self::state) returned.
    ///
    /// # Errors
    ///
    /// [`Error::State`] if the shapes are not those of this model's state,
    /// [`Error::DType`] for another dtype.
    pub fn set_state(&mut self, mut state: Vec<Tensor>) -> Result<()> {
        check_state(self.model.model(), &state)?;
        let readout = state.split_off(state.len() - 2);
        self.set(state, readout)
    }

    /// Resets rows to the initial state, so that new sequences can take their place.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] for a row that does not exist.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let mut stream = model.stream(2)?;
    /// stream.reset(&[0])?;
    /// assert!(stream.reset(&[2]).is_err());
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn reset(&mut self, rows: &[usize]) -> Result<()> {
        let (states, readout) = initial_state(self.model.model(), rows.len())?;
        let readout = reset(&self.readout, &readout, rows)?;
        self.set(reset(&self.states.parts()?, &states, rows)?, readout)
    }

    /// Removes rows; the rows after them move up.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] for a row that does not exist.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let mut stream = model.stream(3)?;
    /// stream.remove(&[0, 2])?;
    /// assert_eq!(stream.rows(), 1);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn remove(&mut self, rows: &[usize]) -> Result<()> {
        let readout = remove(&self.readout, rows)?;
        self.set(remove(&self.states.parts()?, rows)?, readout)
    }

    /// Appends `count` rows in the initial state.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let mut stream = model.stream(2)?;
    /// stream.add(3)?;
    /// assert_eq!(stream.rows(), 5);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn add(&mut self, count: usize) -> Result<()> {
        let (states, readout) = initial_state(self.model.model(), count)?;
        let readout = append(&self.readout, &readout)?;
        self.set(append(&self.states.parts()?, &states)?, readout)
    }

    fn set(&mut self, states: Vec<Tensor>, readout: Vec<Tensor>) -> Result<()> {
        self.states = self.model.model().layer().step_states(states)?;
        self.readout = readout;
        Ok(())
    }
}
