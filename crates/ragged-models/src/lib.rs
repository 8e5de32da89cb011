//! Recurrent layers and models over sequences of unequal length.
//!
//! An [`Lstm`], [`Gru`] or [`Rnn`] runs over packed rows: only the real time steps are computed, and
//! no result depends on the padding, because there is none. Its parameters carry PyTorch's names,
//! shapes and gate order, and its options ([`RecurrentConfig`]) PyTorch's names. On top stand the two
//! models of a well-known lecture: [`FixedLengthLstm`], a linear layer on the last time step, and
//! [`VariableLengthLstm`], a linear layer on each sequence's last hidden state.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ragged_models::{Mode, Parameters, RecurrentConfig, VariableLengthLstm};
//! use ragged_sequence::pack_sequence;
//!
//! let parameters = Parameters::new(42);
//! let vb = parameters.builder(DType::F32, &Device::Cpu);
//! let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
//!
//! // Three sequences of lengths 2, 5 and 0, seven features each.
//! let sequences = [2, 5, 0].map(|length| Tensor::ones((length, 7), DType::F32, &Device::Cpu));
//! let sequences: Vec<Tensor> = sequences.into_iter().collect::<Result<_, _>>()?;
//! let packed = pack_sequence(&sequences, false)?;
//! let prediction = model.forward(&packed, Mode::Eval)?;
//! assert_eq!(prediction.dims(), [3, 1]);
//! # Ok::<(), ragged_models::Error>(())
//! ```
//!
//! Letters, in every comment: **B** sequences, **T** steps, **N** packed rows, **I** input features,
//! **H** hidden units, **P** projected ones, **L** layers, **D** directions, **O** outputs. Public
//! tensors are batch-first.
//!
//! In reading order: [`Recurrent`], the skeleton that all layers share, and the [`Cell`] that makes
//! one an [`Lstm`], [`Gru`] or [`Rnn`]; the two models, and the [`Model`] that a configuration
//! describes; [`Stream`], for sequences that arrive while they run; [`Parameters`] (where numbers come
//! from and go to, PyTorch's checkpoints among others), [`Mode`] (training or not). What a cell
//! computes is written down in `ragged-kernels`; here it becomes one differentiable candle operation
//! per layer and direction. That operation runs on the CPU in `f32` and `f64`.

#![forbid(unsafe_code)]

mod cell;
mod config;
mod dropout;
mod error;
mod file;
mod fixed_length;
mod folder;
mod gru;
mod layer;
mod linear;
mod lstm;
mod mode;
mod model;
mod multi_op;
mod parameters;
mod pytorch_file;
mod readout;
mod recurrent;
mod recurrent_op;
mod rnn;
mod run;
mod state;
mod state_dict;
mod stream;
mod variable_length;
mod weights;

pub use cell::{Cell, Outcome, Pass};
pub use config::{Merge, Nonlinearity, RecurrentConfig};
pub use error::{Error, Result};
pub use file::write_whole;
pub use fixed_length::FixedLengthLstm;
pub use folder::{load_model, save_model};
pub use gru::{Gru, GruCell};
pub use layer::CellKind;
pub use lstm::{Lstm, LstmCell};
pub use mode::Mode;
pub use model::{Model, ModelConfig, ModelKind};
pub use parameters::Parameters;
pub use ragged_kernels::Direction;
pub use readout::Readout;
pub use recurrent::Recurrent;
pub use rnn::{Rnn, RnnCell};
pub use state::{LstmState, State};
pub use state_dict::{Differences, LoadOptions, read_state_dict};
pub use stream::{ModelStream, Stream};
pub use variable_length::VariableLengthLstm;

/// Compiles and runs the example of the crate page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
