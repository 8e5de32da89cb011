//! Models over sequences that arrive step by step or in chunks.

use candle_core::Tensor;
use ragged_sequence::{PackedSequence, pool};
use rand::RngCore;

use crate::cell::wrong_input;
use crate::config::check;
use crate::error::{Error, Result};
use crate::layer::recurrent::pack_equal_lengths;
use crate::layer::stream::{append, remove, reset, row_count};
use crate::mode::Mode;
use crate::model::Model;
use crate::model::readout::Readout;

/// A [`Model`] that keeps the state of each of its rows between calls, as
/// [`Stream`](crate::Stream) does for a layer.
///
/// Its predictions after some chunks are, bit for bit, the model's predictions for the steps so far.
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
pub struct ModelStream<'a> {
    model: &'a Model,
    /// The state of the layer, then the state of the readout: the pooled outputs so far,
    /// `[1, B, output_features]`, and the number of steps so far, `[1, B, 1]`.
    state: Vec<Tensor>,
}

impl Model {
    /// Creates a stream of `rows` sequences, which begin with the initial state.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a bidirectional layer, whose second direction begins at the end.
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
    pub fn stream(&self, rows: usize) -> Result<ModelStream<'_>> {
        let both = self.config().layer.bidirectional;
        check("bidirectional", both, !both, "false, to run step by step")?;
        Ok(ModelStream { model: self, state: initial_state(self, rows)? })
    }
}

/// Returns the state before the first step of `rows` sequences.
fn initial_state(model: &Model, rows: usize) -> Result<Vec<Tensor>> {
    let mut state = model.layer().initial_state(rows)?;
    let (dtype, device) = (state[0].dtype(), state[0].device().clone());
    for size in [model.config().layer.output_features(), 1] {
        state.push(Tensor::zeros((1, rows, size), dtype, &device)?);
    }
    Ok(state)
}

impl ModelStream<'_> {
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
        row_count(&self.state)
    }

    /// Runs one step of every row, `[B, I]`, and returns the predictions so far, `[B, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`], [`Error::Sequences`] and [`Error::DType`] for an input that does not fit; the
    /// state is unchanged then.
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
        if input.rank() != 2 {
            let features = self.model.config().layer.input_size;
            return Err(wrong_input("[B, I]", features, input));
        }
        self.chunk(&pack_equal_lengths(&input.unsqueeze(1)?)?)
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
        self.run(input, Mode::Inference)
    }

    /// Runs a [`chunk`](Self::chunk) in [`Mode::Train`], for truncated backpropagation through time
    /// (Williams and Peng 1990): gradients flow back to the first step of the chunk and end there,
    /// because the state before the chunk is a constant.
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
    /// use ragged_models::random::Generator;
    ///
    /// let mut stream = model.stream(2)?;
    /// let steps = |count| Tensor::ones((count, 3), DType::F32, &Device::Cpu);
    /// let chunk = pack_sequence(&[steps(0)?, steps(3)?], false)?;
    /// let prediction = stream.train_chunk(&chunk, &mut Generator::seed(1))?;
    /// prediction.sqr()?.mean_all()?.backward()?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn train_chunk(&mut self, input: &PackedSequence, rng: &mut dyn RngCore) -> Result<Tensor> {
        self.run(input, Mode::Train(rng))
    }

    /// Returns the state of all rows, tensors `[.., B, ..]`, for a later call of
    /// [`set_state`](Self::set_state).
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let mut stream = model.stream(2)?;
    /// let state = stream.state().to_vec();
    /// stream.set_state(state)?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn state(&self) -> &[Tensor] {
        &self.state
    }

    /// Sets the state, and with it the number of rows, to a state that [`state`](Self::state)
    /// returned.
    ///
    /// # Errors
    ///
    /// [`Error::State`] if the shapes are not those of this model's state.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let state = model.stream(3)?.state().to_vec();
    /// let mut stream = model.stream(2)?;
    /// stream.set_state(state)?;
    /// assert_eq!(stream.rows(), 3);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn set_state(&mut self, state: Vec<Tensor>) -> Result<()> {
        let count = state.first().map_or(0, |part| part.dims().get(1).copied().unwrap_or(0));
        let shapes = |parts: &[Tensor]| -> Vec<Vec<usize>> {
            parts.iter().map(|part| part.dims().to_vec()).collect()
        };
        let (expected, got) = (shapes(&initial_state(self.model, count)?), shapes(&state));
        if got != expected {
            return Err(Error::State { expected, got });
        }
        self.state = state;
        Ok(())
    }

    /// Runs a chunk and keeps the state after it.
    fn run(&mut self, input: &PackedSequence, mut mode: Mode) -> Result<Tensor> {
        let (rows, batch) = (self.rows(), input.batch_size());
        if rows != batch {
            return Err(Error::Sequences { expected: rows, got: batch });
        }
        let model = self.model;
        let (layer_state, readout_state) = self.state.split_at(self.state.len() - 2);
        let outputs = model.layer().run(input, Some(layer_state.to_vec()), mode.reborrow())?;
        let mut state = outputs.state()?;
        let readout = model.config().readout;
        let (row, steps) = update_readout(readout, &outputs.output()?, readout_state)?;
        let read = match readout {
            Readout::Final | Readout::Steps => readout.read(&outputs)?,
            Readout::Mean => row.broadcast_div(&steps.maximum(&steps.ones_like()?)?)?,
            _ => row.clone(),
        };
        let prediction = model.head(&read, mode)?;
        state.extend([row.unsqueeze(0)?, steps.unsqueeze(0)?]);
        self.state = state.iter().map(Tensor::detach).collect();
        Ok(prediction)
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
        self.state = reset(&self.state, &initial_state(self.model, rows.len())?, rows)?;
        Ok(())
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
        self.state = remove(&self.state, rows)?;
        Ok(())
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
        self.state = append(&self.state, &initial_state(self.model, count)?)?;
        Ok(())
    }
}

/// Adds a chunk of outputs to the state of the readout. Returns the pooled outputs of each row so
/// far, `[B, output_features]`, and the number of steps so far, `[B, 1]`.
fn update_readout(
    readout: Readout,
    output: &PackedSequence,
    readout_state: &[Tensor],
) -> Result<(Tensor, Tensor)> {
    let (row, before) = (readout_state[0].squeeze(0)?, readout_state[1].squeeze(0)?);
    let lengths: Vec<f64> = output.lengths().iter().map(|&length| length as f64).collect();
    let lengths = Tensor::from_vec(lengths, before.dims(), before.device())?;
    let lengths = lengths.to_dtype(before.dtype())?;
    let steps = (&before + &lengths)?;
    let (Some(pooling), true) = (readout.pooling(), output.layout().rows() > 0) else {
        return Ok((row, steps));
    };
    let (had_steps, has_steps) = (before.gt(0f64)?, lengths.gt(0f64)?);
    let choose =
        |when: &Tensor, a: &Tensor, b: &Tensor| when.broadcast_as(a.shape())?.where_cond(a, b);
    let row = match readout {
        Readout::Sum | Readout::Mean => {
            // Step by step, in the order in which the outputs of a whole sequence are added.
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
            choose(&has_steps, &choose(&had_steps, &both, &chunk)?, &row)?
        }
    };
    Ok((row, steps))
}
