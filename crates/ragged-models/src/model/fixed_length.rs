//! The lecture's first model, for sequences of one length.

use candle_core::Tensor;
use candle_nn::{Module, VarBuilder};

use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::mode::Mode;
use crate::model::Model;
use crate::model::config::{ModelConfig, ModelKind};

/// An LSTM, then a linear layer on the output of the last time step.
///
/// One output is a regression; several are target values, or the logits of classes. It is the
/// [`Model`] of [`ModelConfig::new`] with [`ModelKind::Fixed`]. As a candle [`Module`], it maps
/// `[B, T, I]` to `[B, O]` in [`Mode::Eval`].
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{FixedLengthLstm, Mode, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(42).builder(DType::F32, &Device::Cpu);
/// let model = FixedLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
/// let input = Tensor::ones((8, 20, 7), DType::F32, &Device::Cpu)?;
/// assert_eq!(model.forward(&input, Mode::Inference)?.dims(), [8, 1]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FixedLengthLstm(Model);

impl FixedLengthLstm {
    /// Takes the parameters `lstm.*` and `linear.*` from `vb`.
    ///
    /// # Errors
    ///
    /// The errors of [`Model::new`].
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{FixedLengthLstm, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(42).builder(DType::F32, &Device::Cpu);
    /// let model = FixedLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn new(config: &RecurrentConfig, num_outputs: usize, vb: VarBuilder) -> Result<Self> {
        let config = ModelConfig::new(ModelKind::Fixed, config.clone(), num_outputs);
        Ok(Self(Model::new(&config, vb)?))
    }

    /// Computes the predictions `[B, O]` for a batch `[B, T, I]`.
    ///
    /// # Errors
    ///
    /// The errors of [`Model::forward_padded`].
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{FixedLengthLstm, Mode, Parameters, RecurrentConfig};
    /// # let vb = Parameters::new(42).builder(DType::F32, &Device::Cpu);
    /// let model = FixedLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
    /// let input = Tensor::ones((8, 20, 7), DType::F32, &Device::Cpu)?;
    /// assert_eq!(model.forward(&input, Mode::Inference)?.dims(), [8, 1]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor> {
        self.0.forward_padded(input, mode)
    }
}

impl Module for FixedLengthLstm {
    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        Ok(self.0.forward_padded(input, Mode::Eval)?)
    }
}
