//! Recurrent layers and models over sequences of unequal length.
//!
//! An [`Lstm`] runs over packed rows: only the real time steps are computed, and no result depends
//! on the padding, because there is none. Its parameters carry PyTorch's names, shapes and gate
//! order. On top stand the two models of a well-known lecture: [`FixedLengthLstm`], a linear layer
//! on the last time step, and [`VariableLengthLstm`], a linear layer on each sequence's last hidden
//! state.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ragged_models::{LstmConfig, Mode, ModelConfig, ModelKind, Parameters, VariableLengthLstm};
//! use ragged_sequence::pack_sequence;
//!
//! let parameters = Parameters::new(42);
//! let config = ModelConfig {
//!     kind: ModelKind::Variable,
//!     lstm: LstmConfig::new(7, 15),
//!     output_size: 1,
//! };
//! let model = VariableLengthLstm::new(&config, parameters.builder(DType::F32, &Device::Cpu))?;
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
//! **H** hidden units, **L** layers, **D** directions, **O** outputs. Public tensors are
//! batch-first.
//!
//! In reading order: [`Lstm`] and its [`LstmConfig`], the two models, [`Parameters`] (where numbers
//! come from and go to), [`Mode`] (training or not). What the layer computes is written down in
//! `ragged-kernels`; here it becomes one differentiable candle operation per layer and direction.
//! That operation runs on the CPU in `f32` and `f64`.

#![forbid(unsafe_code)]

mod dropout;
mod error;
mod file;
mod fixed_length;
mod linear;
mod lstm;
mod lstm_op;
mod mode;
mod model;
mod multi_op;
mod parameters;
mod variable_length;

pub use error::{Error, Result};
pub use file::write_whole;
pub use fixed_length::FixedLengthLstm;
pub use lstm::{Lstm, LstmConfig, LstmState};
pub use mode::Mode;
pub use model::{Model, ModelConfig, ModelKind, load_model, save_model};
pub use parameters::Parameters;
pub use variable_length::VariableLengthLstm;
