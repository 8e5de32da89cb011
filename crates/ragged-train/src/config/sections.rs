//! The sections of a configuration, but for the training's own.

use std::path::PathBuf;

use ragged_datasets::AugmentConfig;
use ragged_datasets::formats::ReadOptions;
use ragged_datasets::synthetic::{Lengths, SyntheticTask};
use ragged_datasets::transforms::TransformConfig;
use ragged_models::{
    CellKind, Merge, ModelConfig, ModelKind, Nonlinearity, Readout, RecurrentConfig,
};
use serde::{Deserialize, Serialize};

/// The model, but for the sizes that the data decides. Defaults are the lecture's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// `variable` (packed sequences) or `fixed` (sequences of one length). Default variable.
    pub kind: ModelKind,
    /// `lstm`, `gru` or `rnn`. Default lstm.
    pub cell: CellKind,
    /// What of the layer the head sees. Default the last hidden state for `variable`, the last time
    /// step for `fixed`, every step for targets a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readout: Option<Readout>,
    /// H, 1 to 16384. Default 15.
    pub hidden_size: usize,
    /// L, 1 to 64. Default 1.
    pub num_layers: usize,
    /// Whether the gates have biases. Default true.
    pub bias: bool,
    /// Whether a second direction runs from the end. Default false.
    pub bidirectional: bool,
    /// Dropout between layers, 0 to 1. Default 0.
    pub dropout: f64,
    /// Dropout between the layer and the head, 0 to 1. Default 0.
    pub head_dropout: f64,
    /// What an LSTM's hidden state is projected to; 0 for none. Default 0.
    pub proj_size: usize,
    /// `tanh` or `relu`, for an RNN. Default tanh.
    pub nonlinearity: Nonlinearity,
    /// How two directions become one: `concat`, `sum` or `mean`. Default concat.
    pub merge: Merge,
    /// Dropout from one step to the next, 0 to 1. Default 0.
    pub recurrent_dropout: f64,
    /// Whether the recurrent matrices start orthogonal. Default false.
    pub orthogonal: bool,
    /// What an LSTM's forget gates start at. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_bias: Option<f64>,
    /// Whether the initial states are trained too. Default false.
    pub trainable_state: bool,
}

impl Default for ModelSection {
    fn default() -> Self {
        let layer = RecurrentConfig::new(1, 15);
        Self {
            kind: ModelKind::Variable,
            cell: CellKind::default(),
            readout: None,
            hidden_size: layer.hidden_size,
            num_layers: layer.num_layers,
            bias: layer.bias,
            bidirectional: layer.bidirectional,
            dropout: layer.dropout,
            head_dropout: 0.0,
            proj_size: layer.proj_size,
            nonlinearity: layer.nonlinearity,
            merge: layer.merge,
            recurrent_dropout: layer.recurrent_dropout,
            orthogonal: layer.orthogonal,
            forget_bias: layer.forget_bias,
            trainable_state: layer.trainable_state,
        }
    }
}

impl ModelSection {
    /// With the sizes of the data; `steps` says whether there is a target a step.
    pub(crate) fn model(&self, input_size: usize, output_size: usize, steps: bool) -> ModelConfig {
        let layer = RecurrentConfig {
            input_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bias: self.bias,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            proj_size: self.proj_size,
            nonlinearity: self.nonlinearity,
            merge: self.merge,
            recurrent_dropout: self.recurrent_dropout,
            orthogonal: self.orthogonal,
            forget_bias: self.forget_bias,
            trainable_state: self.trainable_state,
        };
        let lecture = ModelConfig::new(self.kind, layer, output_size);
        let usual = if steps { Readout::Steps } else { lecture.readout };
        let (cell, head_dropout) = (self.cell, self.head_dropout);
        let readout = self.readout.unwrap_or(usual);
        ModelConfig { cell, readout, head_dropout, ..lecture }
    }
}

/// In which order an epoch takes the training examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Every example once, shuffled.
    #[default]
    Shuffle,
    /// As many draws as there are examples, with replacement, every class equally often.
    Balanced,
    /// Every example once, shuffled so that every batch holds the classes in nearly their share.
    Stratified,
}

/// Where the examples come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// `variable-sums`, `fixed-sums`, `synthetic`, a data set of the UEA/UCR archive by name, or the path of a
    /// file or folder of any format. Default the sums that suit the model.
    pub dataset: String,
    /// The folder in which `NAME_TRAIN.ts` and `NAME_TEST.ts` lie. Default `data`.
    pub dir: PathBuf,
    /// The share of the training examples that is held out for validation, 0 to below 1. Default 0
    /// (for the sums, validation examples are drawn beside). Not for the sums.
    pub valid_fraction: f64,
    /// What the features go through, fitted to the training steps. Default to mean 0 and deviation 1
    /// for files, nothing for the sums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transforms: Option<Vec<TransformConfig>>,
    /// How training examples are changed at random, after the transforms, anew in every epoch.
    /// Default not at all.
    #[serde(skip_serializing_if = "AugmentConfig::is_none")]
    pub augment: AugmentConfig,
    /// In which order an epoch takes the training examples. Default `shuffle`.
    pub order: Order,
    /// Sort stretches of so many examples of the shuffled order by length, so that batch mates have
    /// similar lengths; 0 for not. Default 0.
    pub bucket_size: usize,
    /// Threads that make batches in the background, at most 256; the batches are the same for any
    /// number. Default 1.
    pub workers: usize,
    /// How files are read, where they leave something open.
    pub read: ReadOptions,
    /// The sizes of the sums; only for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sums: Option<SumsSection>,
    /// What is generated, for `synthetic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<SyntheticSection>,
}

impl Default for DataSection {
    fn default() -> Self {
        Self {
            dataset: String::new(),
            dir: "data".into(),
            valid_fraction: 0.0,
            transforms: None,
            augment: AugmentConfig::default(),
            order: Order::Shuffle,
            bucket_size: 0,
            workers: 1,
            read: ReadOptions::default(),
            sums: None,
            synthetic: None,
        }
    }
}

impl DataSection {
    /// Whether the examples are the lecture's sums.
    pub(crate) fn is_sums(&self) -> bool {
        matches!(self.dataset.as_str(), "variable-sums" | "fixed-sums")
    }

    /// Whether the examples are generated, those for validation and test too.
    pub(crate) fn is_generated(&self) -> bool {
        self.is_sums() || self.dataset == "synthetic"
    }
}

/// The lecture's synthetic data: sequences of standard normal numbers, and their sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SumsSection {
    /// Training examples an epoch. Default 1000.
    pub num_samples: usize,
    /// The length, or for `variable-sums` the longest one. Default 50.
    pub seq_length: usize,
    /// Features of a step. Default 7.
    pub input_size: usize,
    /// Whether each epoch draws its examples anew, as the lecture's data set does. Default true.
    pub redraw: bool,
    /// Examples held out for validation, and as many again for the test. Default 1000.
    pub held_out: usize,
}

impl Default for SumsSection {
    fn default() -> Self {
        Self { num_samples: 1000, seq_length: 50, input_size: 7, redraw: true, held_out: 1000 }
    }
}

/// A generated task, as [`ragged_datasets::synthetic`] describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSection {
    /// What is to be learnt, such as `{ name = "adding" }`.
    pub task: SyntheticTask,
    /// How long the sequences are. Default uniform in 1 to 50.
    #[serde(default)]
    pub lengths: Lengths,
    /// How long those held out are: longer ones show whether it was the rule that was learnt. Default
    /// as those of training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_lengths: Option<Lengths>,
    /// Training examples an epoch. Default 1000.
    #[serde(default = "thousand")]
    pub num_samples: usize,
    /// Whether each epoch draws its examples anew. Default true.
    #[serde(default = "yes")]
    pub redraw: bool,
    /// Examples held out for validation, and as many again for the test. Default 1000.
    #[serde(default = "thousand")]
    pub held_out: usize,
}

fn thousand() -> usize {
    1000
}

fn yes() -> bool {
    true
}

/// When checkpoints are written. One is after every epoch, but not within a second of the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSection {
    /// Also after every so many updates; 0 for not. Default 0.
    pub every_steps: u64,
    /// Also after so many minutes without one; 0 for not. Default 5.
    pub every_minutes: f64,
    /// How many of the best epochs to keep; at least 1. Default 1.
    pub keep: usize,
}

impl Default for CheckpointSection {
    fn default() -> Self {
        Self { every_steps: 0, every_minutes: 5.0, keep: 1 }
    }
}
