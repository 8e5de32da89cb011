//! A model for inference, with parameters that are packed once.

use candle_core::Tensor;
use ragged_sequence::{PackedSequence, PackedTokens};

use crate::crf::layer::Crf;
use crate::embedding::token_rows::TokenRows;
use crate::error::Result;
use crate::mode::Mode;
use crate::model::Model;
use crate::model::attention::Attention;
use crate::model::config::ModelConfig;
use crate::model::statics::StaticPart;

/// A copy of a [`Model`] for inference. Its parameters are those that the model had when it was prepared, packed for
/// the kernels; later changes of the model's variables do not reach it.
///
/// Its predictions are, bit for bit, those of the model in [`Mode::Inference`], which packs the parameters at each
/// call. The shorter the sequences and the smaller the batches, the more it gains.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
/// use ragged_sequence::pack_sequence;
///
/// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
/// let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
/// let prepared = model.prepare()?;
/// let sequence = |length| Tensor::ones((length, 7), DType::F32, &Device::Cpu);
/// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
/// let want = model.forward(&packed, Mode::Inference)?;
/// assert_eq!(prepared.forward(&packed)?.to_vec2::<f32>()?, want.to_vec2::<f32>()?);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedModel(Model);

impl Model {
    /// Returns a copy for inference, with its parameters packed once.
    ///
    /// # Errors
    ///
    /// Errors from candle for parameters that are not `f32` or `f64` on the CPU.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
    /// # let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(model.prepare()?.config(), model.config());
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn prepare(&self) -> Result<PreparedModel> {
        let tokens = self.tokens.as_ref().map(TokenRows::prepare).transpose()?;
        let (layer, linear) = (self.layer.prepare()?, self.linear.copy()?);
        let attention = self.attention.as_ref().map(Attention::copy).transpose()?;
        let statics = self.statics.as_ref().map(StaticPart::copy).transpose()?;
        let crf = self.crf.as_ref().map(Crf::copy).transpose()?;
        let config = self.config.clone();
        Ok(PreparedModel(Self { config, tokens, layer, statics, attention, linear, crf }))
    }
}

impl PreparedModel {
    /// Returns the configuration of the model.
    pub fn config(&self) -> &ModelConfig {
        self.0.config()
    }

    /// Returns the CRF whose emissions the outputs are, as [`Model::crf`], with parameters of its own.
    pub fn crf(&self) -> Option<&Crf> {
        self.0.crf()
    }

    /// Computes the predictions for a packed batch, as [`Model::forward`].
    ///
    /// # Errors
    ///
    /// As [`Model::forward`].
    pub fn forward(&self, input: &PackedSequence) -> Result<Tensor> {
        self.0.forward(input, Mode::Inference)
    }

    /// Computes the predictions for a packed batch of tokens, as [`Model::forward_tokens`].
    ///
    /// # Errors
    ///
    /// As [`Model::forward_tokens`].
    pub fn forward_tokens(&self, tokens: &PackedTokens) -> Result<Tensor> {
        self.0.forward_tokens(tokens, Mode::Inference)
    }

    /// Returns the rows that the recurrent layer reads for a packed batch of tokens, as [`Model::embed`].
    ///
    /// # Errors
    ///
    /// As [`Model::embed`].
    pub fn embed(&self, tokens: &PackedTokens) -> Result<PackedSequence> {
        self.0.embed(tokens, Mode::Inference)
    }

    /// Computes the predictions for sequences with static values, as [`Model::forward_static`].
    ///
    /// # Errors
    ///
    /// As [`Model::forward_static`].
    pub fn forward_static(&self, input: &PackedSequence, statics: &Tensor) -> Result<Tensor> {
        self.0.forward_static(input, statics, Mode::Inference)
    }

    /// Returns the features of static values, as [`Model::embed_statics`].
    ///
    /// # Errors
    ///
    /// As [`Model::embed_statics`].
    pub fn embed_statics(&self, numbers: &Tensor, categories: &Tensor) -> Result<Tensor> {
        Ok(self.0.embed_statics(numbers, categories)?.detach())
    }

    /// Computes the predictions for sequences of one length, as [`Model::forward_padded`].
    ///
    /// # Errors
    ///
    /// As [`Model::forward_padded`].
    pub fn forward_padded(&self, input: &Tensor) -> Result<Tensor> {
        self.0.forward_padded(input, Mode::Inference)
    }

    pub(crate) fn model(&self) -> &Model {
        &self.0
    }
}
