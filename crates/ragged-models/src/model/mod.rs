//! Models: a recurrent layer, a readout and a linear head.

pub(crate) mod attention;
pub(crate) mod config;
pub(crate) mod fixed_length;
pub(crate) mod linear;
pub(crate) mod model_dir;
pub(crate) mod prepared;
pub(crate) mod readout;
mod readout_state;
pub(crate) mod statics;
pub(crate) mod stream;
pub(crate) mod training_stream;
pub(crate) mod variable_length;

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::{Module, VarBuilder};
use ragged_sequence::{PackedSequence, PackedTokens};

use crate::crf::layer::Crf;
use crate::embedding::sparse_rows::SparseRows;
use crate::embedding::token_rows::TokenRows;
use crate::error::{Error, Result};
use crate::layer::dropout::dropout;
use crate::layer::kind::{Layer, layer};
use crate::layer::recurrent::pack_equal_lengths;
use crate::mode::Mode;
use crate::model::attention::Attention;
use crate::model::config::ModelConfig;
use crate::model::linear::Linear;
use crate::model::readout::Readout;
use crate::model::statics::StaticPart;
use crate::recompute::Recompute;

/// Embeddings of tokens if there are any, a recurrent layer of any kind, then a linear layer on the outputs that the
/// readout selects.
///
/// It serves the four usual tasks: one or several target values, or one label, per sequence or per
/// step. For labels the outputs are logits. The tasks differ in the loss, which is not part of a
/// model.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
/// use ragged_sequence::pack_sequence;
///
/// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
/// let parameters = Parameters::new(42);
/// let model = Model::new(&config, parameters.builder(DType::F32, &Device::Cpu))?;
/// let sequence = |length| Tensor::ones((length, 7), DType::F32, &Device::Cpu);
/// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
/// assert_eq!(model.forward(&packed, Mode::Inference)?.dims(), [2, 1]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Model {
    config: ModelConfig,
    tokens: Option<TokenRows>,
    layer: Arc<dyn Layer>,
    statics: Option<StaticPart>,
    attention: Option<Attention>,
    linear: Linear,
    crf: Option<Crf>,
}

impl Model {
    /// Takes the parameters from `vb`. Their names begin with the name of the layer (`lstm.`, `gru.`,
    /// `rnn.`) and with `linear.`, and for tokens with `embedding.` and
    /// `inner.`, for attention with `attention.`, for static values with `static.`, and for a CRF with `crf.`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a value that is not allowed, and errors from candle if `vb` does not have
    /// the parameters.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
    /// let parameters = Parameters::new(42);
    /// Model::new(&config, parameters.builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(parameters.named()[0].0, "linear.bias");
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let tokens = config.tokens.as_ref().map(|tokens| TokenRows::new(tokens, vb.clone()));
        let layer = layer(config.cell, &config.layer, vb.clone())?;
        let statics = config
            .statics
            .as_ref()
            .map(|statics| StaticPart::new(statics, &layer.initial_state(1)?, vb.pp("static")));
        let features = config.layer.output_features();
        let attention =
            config.attention.map(|sizes| Attention::new(sizes, features, vb.pp("attention")));
        let linear = Linear::new(config.head_features(), config.num_outputs, vb.pp("linear"))?;
        let crf = config.crf.as_ref().map(|options| {
            let tags = config.num_outputs;
            Crf::new(tags, vb.pp("crf"))?.with_constraints(options.constraints(tags))
        });
        Ok(Self {
            config: config.clone(),
            tokens: tokens.transpose()?,
            layer,
            statics: statics.transpose()?,
            attention: attention.transpose()?,
            linear,
            crf: crf.transpose()?,
        })
    }

    /// Returns the configuration of the model.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// assert_eq!(Model::new(&config, vb)?.config(), &config);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the same model, with the same parameters, whose recurrent layers compute their activations once more in
    /// the backward pass, for sequences that do not fit into memory; kept where `None`. It changes no result.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// use ragged_models::Recompute;
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let model = Model::new(&config, vb)?.with_recompute(Some(Recompute::Auto));
    /// let series = Tensor::ones((10_000, 3), DType::F32, &Device::Cpu)?;
    /// let prediction = model.forward(&pack_sequence(&[series], false)?, Mode::Eval)?;
    /// prediction.sum_all()?.backward()?;
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn with_recompute(self, recompute: Option<Recompute>) -> Self {
        let tokens = self.tokens.map(|tokens| tokens.with_recompute(recompute));
        Self { layer: self.layer.with_recompute(recompute), tokens, ..self }
    }

    /// Returns the CRF whose emissions the outputs are, if the model has one. It shares the parameters of the model;
    /// [`forward`](Self::forward) does not apply it.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{CrfConfig, Mode, Model, ModelConfig, ModelKind, Parameters, Readout, RecurrentConfig};
    /// # use ragged_sequence::{PackedSequence, pack_sequence};
    /// let config = ModelConfig {
    ///     readout: Readout::Steps,
    ///     crf: Some(CrfConfig::default()),
    ///     ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 3)
    /// };
    /// let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let input = pack_sequence(&[Tensor::ones((5, 7), DType::F32, &Device::Cpu)?], false)?;
    /// let emissions = model.forward(&input, Mode::Inference)?;
    /// let emissions = PackedSequence::from_layout(emissions, input.layout().clone())?;
    /// let paths = model.crf().expect("the configuration has one").decode(&emissions)?;
    /// assert_eq!(paths[0].0.len(), 5);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn crf(&self) -> Option<&Crf> {
        self.crf.as_ref()
    }

    /// Computes the predictions for a packed batch of B sequences and N steps: `[B, O]` in the
    /// caller's order, or `[N, O]` in the order of the packed rows if the readout is
    /// [`Readout::Steps`].
    ///
    /// Targets per step that are packed in the same order need no mask: the mean loss weighs every
    /// step equally.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong number of features, [`Error::DType`] for a wrong dtype.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// # use ragged_sequence::pack_sequence;
    /// # let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1);
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let model = Model::new(&config, vb)?;
    /// let sequence = |length| Tensor::ones((length, 7), DType::F32, &Device::Cpu);
    /// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
    /// assert_eq!(model.forward(&packed, Mode::Inference)?.dims(), [2, 1]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward(&self, input: &PackedSequence, mode: Mode) -> Result<Tensor> {
        self.forward_with(input, None, mode)
    }

    /// Computes the predictions as [`forward`](Self::forward), for a model of sequences with static values, whose
    /// features `[B, S]` are from [`embed_statics`](Self::embed_statics).
    ///
    /// # Errors
    ///
    /// The errors of [`forward`](Self::forward), and [`Error::StaticRows`] for another number of rows than sequences.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use ragged_models::{
    ///     EmbeddingSize, Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig, StaticConfig, StaticJoin,
    /// };
    /// use ragged_sequence::pack_sequence;
    ///
    /// let tables = vec![EmbeddingSize { num_embeddings: 5, embedding_dim: 4 }];
    /// let config = ModelConfig {
    ///     statics: Some(StaticConfig { num_values: 1, tables, join: StaticJoin::State }),
    ///     ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 1)
    /// };
    /// let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let sequence = |length| Tensor::ones((length, 7), DType::F32, &Device::Cpu);
    /// let packed = pack_sequence(&[sequence(2)?, sequence(5)?], false)?;
    /// let (mass, region) = (Tensor::new(&[[0.5f32], [1.5]], &Device::Cpu)?, Tensor::new(&[[3u32], [0]], &Device::Cpu)?);
    /// let statics = model.embed_statics(&mass, &region)?;
    /// assert_eq!(model.forward_static(&packed, &statics, Mode::Inference)?.dims(), [2, 1]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward_static(
        &self,
        input: &PackedSequence,
        statics: &Tensor,
        mode: Mode,
    ) -> Result<Tensor> {
        self.forward_with(input, Some(statics), mode)
    }

    /// Returns the features `[B, S]` of static values: numbers `[B, F]` and indices of categories `[B, K]`.
    ///
    /// # Errors
    ///
    /// [`Error::Statics`] for other numbers of columns, [`Error::TokenId`] for an index beyond a table.
    pub fn embed_statics(&self, numbers: &Tensor, categories: &Tensor) -> Result<Tensor> {
        match &self.statics {
            Some(part) => part.embed(numbers, categories),
            None => {
                let got = (numbers.dims2()?.1, categories.dims2()?.1);
                Err(Error::Statics { expected: (0, 0), got })
            }
        }
    }

    fn forward_with(
        &self,
        input: &PackedSequence,
        statics: Option<&Tensor>,
        mut mode: Mode,
    ) -> Result<Tensor> {
        let expected = self.statics.as_ref().map(|_| input.batch_size());
        let got = statics.map(|features| features.dim(0)).transpose()?;
        if got != expected {
            return Err(Error::StaticRows { expected, got });
        }
        let statics = self.statics.as_ref().zip(statics);
        let state = statics.map(|(part, features)| part.states(features)).transpose()?.flatten();
        let needed = self.config.readout.needs(input.layout(), self.config.layer.bidirectional);
        let outputs = self.layer.run(input, state, mode.reborrow(), needed)?;
        let mut read = match &self.attention {
            Some(attention) => attention.forward(&outputs.output()?)?,
            None => self.config.readout.read(&outputs)?,
        };
        if let Some((part, features)) = statics {
            let steps = (self.config.readout == Readout::Steps).then(|| input.layout());
            read = part.join(&read, features, steps)?;
        }
        self.head(&read, mode)
    }

    /// Computes the predictions for a packed batch of tokens, as [`forward`](Self::forward) does for features.
    ///
    /// # Errors
    ///
    /// The errors of [`embed`](Self::embed) and [`forward`](Self::forward).
    pub fn forward_tokens(&self, tokens: &PackedTokens, mut mode: Mode) -> Result<Tensor> {
        let rows = self.embed(tokens, mode.reborrow())?;
        self.forward(&rows, mode)
    }

    /// Returns the rows `[N, I]` that the recurrent layer reads for a packed batch of tokens; also what a
    /// [`ModelStream`](crate::ModelStream) takes.
    ///
    /// # Errors
    ///
    /// [`Error::NoEmbedding`] for a model of features, [`Error::Tokens`] for tokens with other parts,
    /// [`Error::TokenId`] for an id beyond a table.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use ragged_models::{
    ///     EmbeddingSize, Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig, TokenConfig,
    /// };
    /// use ragged_sequence::{PackedTokens, pack_sequence};
    ///
    /// let words = EmbeddingSize { num_embeddings: 10, embedding_dim: 7 };
    /// let config = ModelConfig {
    ///     tokens: Some(TokenConfig::new(vec![words])),
    ///     ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 2)
    /// };
    /// let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let text = |ids: &[u32]| Tensor::new(ids, &Device::Cpu)?.unsqueeze(1);
    /// let texts = [text(&[3, 1, 4])?, text(&[1])?];
    /// let tokens = PackedTokens::new(pack_sequence(&texts, false)?)?;
    /// assert_eq!(model.embed(&tokens, Mode::Inference)?.data().dims(), [4, 7]);
    /// assert_eq!(model.forward_tokens(&tokens, Mode::Inference)?.dims(), [2, 2]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn embed(&self, tokens: &PackedTokens, mode: Mode) -> Result<PackedSequence> {
        self.tokens.as_ref().ok_or(Error::NoEmbedding)?.forward(tokens, mode)
    }

    /// Returns the rows that the recurrent layer reads, as [`embed`](Self::embed) does, and the rows of the tables of
    /// which they are made, where the configuration makes the tables sparse: the gradient is then that of these rows,
    /// and the tables have none. Otherwise the list is empty.
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed).
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use ragged_models::{
    ///     EmbeddingSize, Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig, TokenConfig,
    /// };
    /// use ragged_sequence::{PackedTokens, pack_sequence};
    ///
    /// let words = EmbeddingSize { num_embeddings: 100_000, embedding_dim: 7 };
    /// let config = ModelConfig {
    ///     tokens: Some(TokenConfig { sparse: true, ..TokenConfig::new(vec![words]) }),
    ///     ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(7, 15), 2)
    /// };
    /// let model = Model::new(&config, Parameters::new(1).builder(DType::F32, &Device::Cpu))?;
    /// let text = Tensor::new(&[[5u32], [2], [5]], &Device::Cpu)?;
    /// let tokens = PackedTokens::new(pack_sequence(&[text], false)?)?;
    /// let (rows, sparse) = model.embed_sparse(&tokens, Mode::Eval)?;
    /// assert_eq!(sparse[0].ids, [2, 5]);
    /// let gradients = model.forward(&rows, Mode::Eval)?.sum_all()?.backward()?;
    /// assert_eq!(gradients.get(&sparse[0].rows).expect("a gradient").dims(), [2, 7]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn embed_sparse(
        &self,
        tokens: &PackedTokens,
        mode: Mode,
    ) -> Result<(PackedSequence, Vec<SparseRows>)> {
        self.tokens.as_ref().ok_or(Error::NoEmbedding)?.forward_sparse(tokens, mode)
    }

    /// Computes the predictions for sequences of one length, `[B, T, I]`: `[B, O]`, or `[B, T, O]` if
    /// the readout is [`Readout::Steps`].
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for a wrong shape, [`Error::NoSteps`] for T = 0 with a readout that needs a
    /// step, [`Error::DType`] for a wrong dtype.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use ragged_models::{Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
    /// let config = ModelConfig::new(ModelKind::Fixed, RecurrentConfig::new(7, 15), 1);
    /// # let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
    /// let model = Model::new(&config, vb)?;
    /// let input = Tensor::ones((8, 20, 7), DType::F32, &Device::Cpu)?;
    /// assert_eq!(model.forward_padded(&input, Mode::Inference)?.dims(), [8, 1]);
    /// # Ok::<(), ragged_models::Error>(())
    /// ```
    pub fn forward_padded(&self, input: &Tensor, mode: Mode) -> Result<Tensor> {
        let steps = input.dims().get(1).copied().unwrap_or(0);
        let needs_step = self.config.readout.pooling().is_some();
        if input.rank() != 3 || (steps == 0 && needs_step) {
            return Err(Error::NoSteps { got: input.dims().to_vec() });
        }
        let prediction = self.forward(&pack_equal_lengths(input)?, mode)?;
        if self.config.readout != Readout::Steps {
            return Ok(prediction);
        }
        let by_step = prediction.reshape((steps, input.dims()[0], self.config.num_outputs))?;
        Ok(by_step.transpose(0, 1)?.contiguous()?)
    }

    /// Applies the head to rows `[.., output_features]`.
    pub(crate) fn head(&self, rows: &Tensor, mode: Mode) -> Result<Tensor> {
        Ok(match mode {
            Mode::Train(rng) => {
                self.linear.forward(&dropout(rows, self.config.head_dropout, rng)?)?
            }
            Mode::Eval => self.linear.forward(rows)?,
            Mode::Inference => self.linear.forward(rows)?.detach(),
        })
    }

    /// Returns the recurrent layer.
    pub(crate) fn layer(&self) -> &dyn Layer {
        &*self.layer
    }
}
