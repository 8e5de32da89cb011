//! Models that are trained on long series, chunk by chunk.

use candle_core::Tensor;
use ragged_sequence::PackedSequence;
use rand::RngCore;

use crate::cell::state::State;
use crate::error::Result;
use crate::layer::outputs::NeededOutputs;
use crate::layer::recurrent::check_sequences;
use crate::layer::stream::{reset, row_count};
use crate::mode::Mode;
use crate::model::Model;
use crate::model::readout_state::read_chunk;
use crate::model::stream::{all_states, check_state};

/// A [`Model`] that is trained on series chunk by chunk, and keeps the state of each of its rows in between, for
/// truncated backpropagation through time (Williams and Peng 1990). Gradients flow back to the first step of a chunk
/// and end there, because the state before the chunk is a constant.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::random::Generator;
/// use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
/// use ragged_sequence::pack_sequence;
///
/// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
/// let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
/// let mut stream = model.training_stream(2)?;
/// let steps = |count| Tensor::ones((count, 3), DType::F32, &Device::Cpu);
/// let chunk = pack_sequence(&[steps(0)?, steps(3)?], false)?;
/// let prediction = stream.chunk(&chunk, &mut Generator::seed(1))?;
/// prediction.sqr()?.mean_all()?.backward()?;
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrainingStream<'a> {
    model: &'a Model,
    /// The states of the layers, then the two tensors of the state of the readout.
    state: Vec<Tensor>,
}

impl Model {
    /// Creates a stream of `rows` series for training, which begin with the initial state.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a bidirectional layer, whose second direction begins at the end, and for attention.
    pub fn training_stream(&self, rows: usize) -> Result<TrainingStream<'_>> {
        self.check_stepwise()?;
        Ok(TrainingStream { model: self, state: all_states(self, rows)? })
    }
}

impl TrainingStream<'_> {
    /// Returns B, the number of rows.
    pub fn rows(&self) -> usize {
        row_count(&self.state)
    }

    /// Runs a chunk of steps, whose number may differ between rows, in [`Mode::Train`]. Returns the predictions so
    /// far, `[B, O]`; with [`Readout::Steps`](crate::Readout::Steps), those for the N steps of the chunk, `[N, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`](crate::Error::Input), [`Error::Sequences`](crate::Error::Sequences) and
    /// [`Error::DType`](crate::Error::DType) for an input that does not fit; the state is unchanged then.
    pub fn chunk(&mut self, input: &PackedSequence, rng: &mut dyn RngCore) -> Result<Tensor> {
        check_sequences(self.rows(), input.batch_size())?;
        let (model, mut mode) = (self.model, Mode::Train(rng));
        let (layer_state, readout_state) = self.state.split_at(self.state.len() - 2);
        let outputs = model.layer().run(
            input,
            Some(layer_state.to_vec()),
            mode.reborrow(),
            NeededOutputs::ROWS,
        )?;
        let mut state = outputs.state()?;
        let (read, readout) = read_chunk(model.config().readout, &outputs, readout_state)?;
        let prediction = model.head(&read, mode)?;
        state.extend(readout);
        self.state = state.map(|part| Ok(part.detach()))?;
        Ok(prediction)
    }

    /// Resets rows to the initial state, so that new series can take their place.
    ///
    /// # Errors
    ///
    /// [`Error::Row`](crate::Error::Row) for a row that does not exist.
    pub fn reset(&mut self, rows: &[usize]) -> Result<()> {
        self.state = reset(&self.state, &all_states(self.model, rows.len())?, rows)?;
        Ok(())
    }

    /// Returns the state of all rows, tensors `[.., B, ..]`, for a later call of [`set_state`](Self::set_state).
    pub fn state(&self) -> &[Tensor] {
        &self.state
    }

    /// Sets the state, and with it the number of rows, to a state that [`state`](Self::state) returned.
    ///
    /// # Errors
    ///
    /// [`Error::State`](crate::Error::State) if the shapes are not those of this model's state,
    /// [`Error::DType`](crate::Error::DType) for another dtype.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let state = model.training_stream(3)?.state().to_vec();
    /// let mut stream = model.training_stream(2)?;
    /// stream.set_state(state)?;
    /// assert_eq!(stream.rows(), 3);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn set_state(&mut self, state: Vec<Tensor>) -> Result<()> {
        check_state(self.model, &state)?;
        self.state = state;
        Ok(())
    }
}
