//! The lecture's second model, for sequences of any lengths.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_sequence::PackedSequence;

use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::mode::Mode;
use crate::model::Model;
use crate::model::config::{ModelConfig, ModelKind};

/// An LSTM over a packed batch, then a linear layer on the last hidden state of each sequence.
///
/// With a bidirectional LSTM, the head receives the last states of both directions. It is the
/// [`Model`] of [`ModelConfig::new`] with [`ModelKind::Variable`].
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Mode, Parameters, RecurrentConfig, VariableLengthLstm};
/// use ragged_sequence::pack_sequence;
///
/// let vb = Parameters::new(42).builder(DType::F32, &Device::Cpu);
/// let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
/// let sequence = |length| Tensor::ones((length, 7), DType::F32, &Device::Cpu);
/// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
/// assert_eq!(model.forward(&packed, Mode::Inference)?.dims(), [2, 1]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct VariableLengthLstm(Model);

impl VariableLengthLstm {
    /// Takes the parameters `lstm.*` and `linear.*` from `vb`.
    ///
    /// # Errors
    ///
    /// The errors of [`Model::new`].
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Parameters, RecurrentConfig, VariableLengthLstm};
    /// # let vb = Parameters::new(42).builder(DType::F32, &Device::Cpu);
    /// let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn new(config: &RecurrentConfig, num_outputs: usize, vb: VarBuilder) -> Result<Self> {
        let config = ModelConfig::new(ModelKind::Variable, config.clone(), num_outputs);
        Ok(Self(Model::new(&config, vb)?))
    }

    /// Computes the predictions `[B, O]`, in the caller's order, for a packed batch of B sequences.
    ///
    /// # Errors
    ///
    /// The errors of [`Model::forward`].
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Mode, Parameters, RecurrentConfig, VariableLengthLstm};
    /// # use ragged_sequence::pack_sequence;
    /// # let vb = Parameters::new(42).builder(DType::F32, &Device::Cpu);
    /// let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    /// let sequence = |length| Tensor::ones((length, 7), DType::F32, &Device::Cpu);
    /// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
    /// assert_eq!(model.forward(&packed, Mode::Inference)?.dims(), [2, 1]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward(&self, input: &PackedSequence, mode: Mode) -> Result<Tensor> {
        self.0.forward(input, mode)
    }
}
