//! The sections of a configuration other than `[train]`.

use std::path::PathBuf;

use ragged_datasets::formats::ReadOptions;
use ragged_datasets::tokens::{TokenEncoder, VocabularyConfig};
use ragged_datasets::transforms::TransformConfig;
use ragged_datasets::{AugmentConfig, ForecastConfig, TargetKind};
use ragged_models::{
    AttentionConfig, CrfConfig, EmbeddingSize, LayerKind, Merge, ModelConfig, ModelKind,
    Nonlinearity, Readout, RecurrentConfig, StaticConfig, StaticJoin, TokenConfig,
};
use serde::{Deserialize, Serialize};

use crate::config::synthetic_sections::{SumsSection, SyntheticSection};
use crate::config::token_sections::{CharactersSection, EmbeddingSection, token_config};

/// The model, except for the sizes that follow from the data. The defaults are those of the lecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// `variable` (packed sequences) or `fixed` (sequences of one length). Default variable.
    pub kind: ModelKind,
    /// `lstm`, `gru` or `rnn`. Default lstm.
    pub cell: LayerKind,
    /// The output of the layer that the head reads. Default the last hidden state for `variable`, the
    /// last time step for `fixed`, and every time step where there is one target per step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readout: Option<Readout>,
    /// The sizes of the attention, for the readout `attention`: `size`, default 64, and `heads`, default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<AttentionConfig>,
    /// Whether a CRF scores the labels of all steps of a sequence together, for one class per step. Default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub crf: bool,
    /// The transitions that the CRF forbids. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crf_constraints: Option<CrfScheme>,
    /// The number of hidden units H, 1 to 16384. Default 15.
    pub hidden_size: usize,
    /// The number of layers L, 1 to 64. Default 1.
    pub num_layers: usize,
    /// Whether the gates have biases. Default true.
    pub bias: bool,
    /// Whether a second direction runs from the last time step to the first. Default false.
    pub bidirectional: bool,
    /// Dropout between layers, 0 to 1. Default 0.
    pub dropout: f64,
    /// Dropout between the layer and the head, 0 to 1. Default 0.
    pub head_dropout: f64,
    /// The size to which the hidden state of an LSTM is projected. Default: no projection.
    pub proj_size: Option<usize>,
    /// Whether the gates of an LSTM see its cell states. Default false.
    #[serde(skip_serializing_if = "is_default")]
    pub peepholes: bool,
    /// Whether the reset gate of a GRU multiplies the product with the hidden state, or else the hidden state before
    /// it. Default true.
    #[serde(skip_serializing_if = "is_true")]
    pub reset_after: bool,
    /// Layer normalisation inside an LSTM or a GRU. Default false.
    #[serde(skip_serializing_if = "is_default")]
    pub layer_norm: bool,
    /// `tanh` or `relu`, for an RNN. Default tanh.
    pub nonlinearity: Nonlinearity,
    /// How the outputs of two directions are combined: `concat`, `sum` or `mean`. Default concat.
    pub merge: Merge,
    /// Dropout of the hidden state between time steps, 0 to 1. Default 0.
    pub recurrent_dropout: f64,
    /// Zoneout: the probability, 0 to 1, that a unit keeps its hidden state in a step of training. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub zoneout_hidden: f64,
    /// The same for the cell states of an LSTM. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub zoneout_cell: f64,
    /// Whether the recurrent weights are initialised to orthogonal matrices. Default false.
    pub orthogonal: bool,
    /// The initial bias of the forget gates of an LSTM. Default a random one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_bias: Option<f64>,
    /// Whether the initial states are parameters. Default false.
    pub trainable_state: bool,
    /// The embedding of tokens; only for data with tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingSection>,
    /// Where static columns join the model: `head`, or `state` for the initial states. Default head.
    #[serde(rename = "static", skip_serializing_if = "is_default")]
    pub static_join: StaticJoin,
    /// The size of the embedding of each static category, 1 to 16384. Default 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_size: Option<usize>,
    /// The layer that reads tokens character by character. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<CharactersSection>,
}

impl Default for ModelSection {
    fn default() -> Self {
        let layer = RecurrentConfig::new(1, 15);
        Self {
            kind: ModelKind::Variable,
            cell: LayerKind::default(),
            readout: None,
            attention: None,
            crf: false,
            crf_constraints: None,
            hidden_size: layer.hidden_size,
            num_layers: layer.num_layers,
            bias: layer.bias,
            bidirectional: layer.bidirectional,
            dropout: layer.dropout,
            head_dropout: 0.0,
            proj_size: layer.proj_size,
            peepholes: layer.peepholes,
            reset_after: layer.reset_after,
            layer_norm: layer.layer_norm,
            nonlinearity: layer.nonlinearity,
            merge: layer.merge,
            recurrent_dropout: layer.recurrent_dropout,
            zoneout_hidden: layer.zoneout_hidden,
            zoneout_cell: layer.zoneout_cell,
            orthogonal: layer.orthogonal,
            forget_bias: layer.forget_bias,
            trainable_state: layer.trainable_state,
            embedding: None,
            static_join: StaticJoin::Head,
            static_size: None,
            characters: None,
        }
    }
}

impl ModelSection {
    /// Returns the configuration of the model for data of these sizes and vocabularies.
    pub(crate) fn model(
        &self,
        features: usize,
        encoder: &TokenEncoder,
        targets: &TargetKind,
        num_outputs: usize,
    ) -> ModelConfig {
        let embedding = self.embedding.clone().unwrap_or_default();
        let tokens = token_config(&embedding, self.characters.as_ref(), encoder, features);
        let input_size = tokens.as_ref().map_or(features, TokenConfig::output_features);
        let layer = RecurrentConfig {
            input_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bias: self.bias,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            proj_size: self.proj_size,
            peepholes: self.peepholes,
            reset_after: self.reset_after,
            layer_norm: self.layer_norm,
            nonlinearity: self.nonlinearity,
            merge: self.merge,
            recurrent_dropout: self.recurrent_dropout,
            zoneout_hidden: self.zoneout_hidden,
            zoneout_cell: self.zoneout_cell,
            orthogonal: self.orthogonal,
            forget_bias: self.forget_bias,
            trainable_state: self.trainable_state,
        };
        let static_encoder = encoder.statics();
        let embedding_dim = self.static_size.unwrap_or(STATIC_SIZE);
        let statics = (!static_encoder.is_empty()).then(|| StaticConfig {
            num_values: static_encoder.numbers().len(),
            tables: static_encoder
                .categories()
                .iter()
                .map(|column| EmbeddingSize {
                    num_embeddings: column.vocabulary.len(),
                    embedding_dim,
                })
                .collect(),
            join: self.static_join,
        });
        let lecture = ModelConfig::new(self.kind, layer, num_outputs);
        let every_step = targets.is_per_step() || targets.is_transcription();
        let usual = if every_step { Readout::Steps } else { lecture.readout };
        let (cell, head_dropout) = (self.cell, self.head_dropout);
        let readout = self.readout.unwrap_or(usual);
        let attends = readout == Readout::Attention;
        let attention = self.attention.or(attends.then(AttentionConfig::default));
        let bio = targets.labels().filter(|_| self.crf_constraints == Some(CrfScheme::Bio));
        let crf = self.crf.then(|| CrfConfig { bio: bio.unwrap_or_default().to_vec() });
        ModelConfig { cell, tokens, statics, readout, attention, head_dropout, crf, ..lecture }
    }
}

/// The size of the embedding of a static category, unless the configuration says another.
const STATIC_SIZE: usize = 8;

/// A scheme of labels that forbids transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrfScheme {
    /// `I-X` follows `B-X` or `I-X` only ([`CrfConstraints::bio`](ragged_models::CrfConstraints::bio)).
    Bio,
}

/// The order of the training examples in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Every example once, shuffled.
    #[default]
    Shuffle,
    /// Draws with replacement, as many as there are examples, from all classes with equal
    /// probability.
    Balanced,
    /// Every example once, shuffled so that every batch contains the classes in nearly the proportions
    /// of the data set. `bucket_size` changes the batches afterwards, so the proportions hold only
    /// without it.
    Stratified,
    /// Every example once: blocks of `block_size` neighbours are shuffled, and then the examples of every `block_buffer`
    /// blocks together. The only order for data that are streamed.
    Blocks,
}

/// How targets that are values are scaled for the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetTransform {
    /// The targets as they are.
    None,
    /// Each value is scaled to mean 0 and standard deviation 1 over the training targets.
    Standardize,
}

/// The data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// `variable-sums`, `fixed-sums`, `synthetic`, the name of a data set of the UEA/UCR archive, or
    /// the path of a file or directory in any supported format. Default the sums for the kind of
    /// model.
    pub dataset: String,
    /// The directory that contains `NAME_TRAIN.ts` and `NAME_TEST.ts`. Default `data`.
    pub dir: PathBuf,
    /// The directory from which relative paths start that do not exist from the current one. `ragged train` sets
    /// it to the current directory, so that a run finds its data from everywhere. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<PathBuf>,
    /// The fraction of the training examples that is held out for validation, 0 to below 1; for forecasts, the last
    /// steps of each series before those of the test. Default 0.
    /// Not for generated data, whose validation examples are generated separately, unless they are forecast.
    pub valid_fraction: f64,
    /// A file or directory of validation data, in place of `valid_fraction`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<PathBuf>,
    /// Which tokens of the training data are in the vocabularies.
    #[serde(skip_serializing_if = "is_default")]
    pub vocabulary: VocabularyConfig,
    /// The transforms of the features, fitted to the time steps of the training examples. Default
    /// standardisation for files, and none for generated data. For forecasts, standardisation and then filling with
    /// the mean, which is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transforms: Option<Vec<TransformConfig>>,
    /// How targets that are values are scaled for the loss, fitted to the training examples. Predictions and metrics
    /// are in the units of the data. Default standardisation for files and a loss that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_transform: Option<TargetTransform>,
    /// Random changes of the training examples after the transforms, drawn anew in every epoch.
    /// Default none.
    #[serde(skip_serializing_if = "AugmentConfig::is_none")]
    pub augment: AugmentConfig,
    /// The order of the training examples in an epoch. Default `shuffle`.
    pub order: Order,
    /// The number of neighbouring examples of a block, for the order `blocks`. Default 1024.
    #[serde(skip_serializing_if = "is_block_size")]
    pub block_size: usize,
    /// The number of blocks whose examples are mixed, for the order `blocks`. Default 8.
    #[serde(skip_serializing_if = "is_block_buffer")]
    pub block_buffer: usize,
    /// Whether examples stay in their files and are read when they are needed, for JSON lines, CSV and Parquet. The
    /// results are the same. Default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// The memory for examples that are streamed, in MiB, for each part of the data. Default 256.
    #[serde(skip_serializing_if = "is_cache_mb")]
    pub cache_mb: usize,
    /// The folder with what is known of streamed files, so that they need not be read to be opened. A run that exists
    /// sets it. Default none.
    #[serde(skip)]
    pub index: Option<PathBuf>,
    /// The number of consecutive examples of the shuffled order that are sorted by length, so that the
    /// sequences of a batch have similar lengths; 0 for no sorting. Default 0.
    pub bucket_size: usize,
    /// Threads that prepare batches in the background, at most 256. The batches do not depend on it.
    /// Default 1.
    pub workers: usize,
    /// Options for file formats that leave something open.
    pub read: ReadOptions,
    /// The columns and sizes of forecasts, for series that are split in time. Default none: other targets are
    /// predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastConfig>,
    /// The sizes of the sums; only for `variable-sums` and `fixed-sums`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sums: Option<SumsSection>,
    /// The generated task; only for `synthetic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<SyntheticSection>,
}

impl Default for DataSection {
    fn default() -> Self {
        Self {
            dataset: String::new(),
            dir: "data".into(),
            base: None,
            index: None,
            valid_fraction: 0.0,
            valid: None,
            vocabulary: VocabularyConfig::default(),
            transforms: None,
            target_transform: None,
            augment: AugmentConfig::default(),
            order: Order::Shuffle,
            block_size: BLOCK_SIZE,
            block_buffer: BLOCK_BUFFER,
            stream: false,
            cache_mb: CACHE_MB,
            bucket_size: 0,
            workers: 1,
            read: ReadOptions::default(),
            forecast: None,
            sums: None,
            synthetic: None,
        }
    }
}

impl DataSection {
    /// Returns whether the data are the sums of the lecture.
    pub(crate) fn is_sums(&self) -> bool {
        matches!(self.dataset.as_str(), "variable-sums" | "fixed-sums")
    }

    /// Returns whether all examples are generated, including those for validation and test.
    pub fn is_generated(&self) -> bool {
        self.is_sums() || self.dataset == "synthetic"
    }

    /// Returns whether examples for validation and test are generated in addition to those for training, and not taken
    /// from the same data.
    pub(crate) fn generates_held_out(&self) -> bool {
        self.is_generated() && self.forecast.is_none()
    }
}

const BLOCK_SIZE: usize = 1024;
const BLOCK_BUFFER: usize = 8;
const CACHE_MB: usize = 256;

fn is_block_size(value: &usize) -> bool {
    *value == BLOCK_SIZE
}

fn is_block_buffer(value: &usize) -> bool {
    *value == BLOCK_BUFFER
}

fn is_cache_mb(value: &usize) -> bool {
    *value == CACHE_MB
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// When checkpoints are written in addition to those after epochs. A checkpoint follows every epoch
/// that ends at least a second after the previous one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSection {
    /// Updates between two checkpoints; 0 for no checkpoints within an epoch. Default 0.
    pub every_steps: u64,
    /// Minutes after which a checkpoint is written even within an epoch; 0 for never. Default 5.
    pub every_minutes: f64,
    /// The number of best epochs whose checkpoints are kept; at least 1. Default 1.
    pub keep: usize,
}

impl Default for CheckpointSection {
    fn default() -> Self {
        Self { every_steps: 0, every_minutes: 5.0, keep: 1 }
    }
}
