//! Recurrent layers and models over sequences of unequal length, on candle.
//!
//! The principal type is [`Recurrent`], the layer: [`Lstm`], [`Gru`] and [`Rnn`] are its three kinds.
//! A layer runs over *packed* rows: it computes the time steps of the sequences and no padding, so no
//! result depends on padding. Parameters carry PyTorch's names, shapes and gate order, and the
//! options ([`RecurrentConfig`]) carry PyTorch's names.
//!
//! ```text
//! PackedSequence --> Recurrent --> Readout --> Linear --> predictions [B, O]
//!   [N, I]             [N, P]       [B, P]
//! ```
//!
//! A layer, a readout and a linear head make a [`Model`]. Two models of a well-known lecture
//! (M. S. Ibrahim, "LSTM in PyTorch", 2023) have types of their own: [`FixedLengthLstm`], a linear
//! layer on the last time step, and [`VariableLengthLstm`], a linear layer on the last hidden state
//! of each sequence.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{Optimizer, SGD, loss::mse};
//! use ragged_models::random::Generator;
//! use ragged_models::{Mode, Parameters, RecurrentConfig, VariableLengthLstm};
//! use ragged_sequence::pack_sequence;
//!
//! let parameters = Parameters::new(42);
//! let vb = parameters.builder(DType::F32, &Device::Cpu);
//! let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
//!
//! // Three sequences of lengths 2, 5 and 0, with seven features.
//! let sequences = [2, 5, 0].map(|length| Tensor::ones((length, 7), DType::F32, &Device::Cpu));
//! let sequences: Vec<Tensor> = sequences.into_iter().collect::<Result<_, _>>()?;
//! let packed = pack_sequence(&sequences, false)?;
//! let prediction = model.forward(&packed, Mode::Inference)?;
//! assert_eq!(prediction.dims(), [3, 1]);
//!
//! // One training step, with an optimiser of candle-nn.
//! let variables = parameters.named().into_iter().map(|(_, var)| var).collect();
//! let mut optimizer = SGD::new(variables, 0.1)?;
//! let mut generator = Generator::seed(1);
//! let prediction = model.forward(&packed, Mode::Train(&mut generator))?;
//! optimizer.backward_step(&mse(&prediction, &prediction.ones_like()?)?)?;
//! # Ok::<(), ragged_models::Error>(())
//! ```
//!
//! # Letters
//!
//! In every comment: **B** sequences, **T** steps, **N** packed rows, **I** input features, **H**
//! hidden units, **P** the size of a hidden state (H unless the layer has a projection), **G** gates,
//! **L** layers, **D** directions, **O** outputs of the head. Public tensors are batch-first.
//!
//! # In reading order
//!
//! 1. [`Recurrent`], the layer, and the [`Cell`] that makes it an LSTM, GRU or RNN.
//! 2. [`Model`] with its [`ModelConfig`], [`Readout`] and [`Linear`] head, and the lecture's models.
//! 3. [`Mode`]: training, evaluation or inference.
//!    [`Recompute`] is for sequences whose activations do not fit into memory.
//! 4. [`Stream`] and [`ModelStream`], for sequences that arrive in pieces; [`PreparedModel`], for inference.
//! 5. [`Parameters`]: initial values, files, and PyTorch's checkpoints. A `VarMap` of candle works as
//!    well.
//!
//! The equations of the cells are in `ragged-kernels`. Here, one layer and direction is one
//! differentiable candle operation, which runs on the CPU in `f32` and `f64`.

#![forbid(unsafe_code)]

mod cell;
mod config;
mod crf;
mod embedding;
mod error;
mod layer;
mod mode;
mod model;
mod op;
mod recompute;
mod weights;

pub use cell::gru::GruCell;
pub use cell::lstm::LstmCell;
pub use cell::rnn::RnnCell;
pub use cell::state::{LstmState, State};
pub use cell::{Cell, CellOutput};
pub use config::{Merge, Nonlinearity, RecurrentConfig};
pub use crf::config::CrfConfig;
pub use crf::constraints::CrfConstraints;
pub use crf::layer::Crf;
pub use embedding::config::{EmbeddingSize, InnerConfig, TokenConfig};
pub use embedding::sparse_rows::SparseRows;
pub use embedding::table::Embedding;
pub use error::{Error, Result};
pub use layer::kind::{Gru, LayerKind, Lstm, Rnn};
pub use layer::recurrent::Recurrent;
pub use layer::stream::Stream;
pub use mode::Mode;
pub use model::Model;
pub use model::attention::AttentionConfig;
pub use model::config::{ModelConfig, ModelKind};
pub use model::fixed_length::FixedLengthLstm;
pub use model::linear::Linear;
pub use model::model_dir::{load_model, save_model};
pub use model::prepared::PreparedModel;
pub use model::readout::Readout;
pub use model::statics::{StaticConfig, StaticJoin};
pub use model::stream::ModelStream;
pub use model::training_stream::TrainingStream;
pub use model::variable_length::VariableLengthLstm;
pub use op::pass::Pass;
pub use op::prepared::PreparedCell;
pub use ragged_kernels::{Direction, NUMERICS_VERSION, SimdLevel};
pub use ragged_sequence::random;
pub use recompute::Recompute;
pub use weights::mismatches::{Mismatches, ShapeMismatch};
pub use weights::parameter_shapes::ParameterShapes;
pub use weights::parameters::Parameters;
pub use weights::state_dict::{Differences, LoadOptions, read_state_dict};

/// Compiles and runs the example of the crate page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
