//! Recurrent layers over packed sequences, forward and backward through time, on plain slices.
//!
//! The crate computes one layer and direction of an LSTM, GRU or RNN ([`CellKind`]) with PyTorch's
//! definitions and order of gates, in `f32` and `f64`, with SIMD and several threads. It does not depend
//! on a tensor library: [`infer`], [`forward`] and [`backward`] read and write slices. [`PreparedWeights`] serves
//! many calls of a trained layer, and single steps. [`forward_into`] and [`backward_into`] write into memory of the
//! caller, for tensor libraries that allocate their own.
//!
//! # Packed rows
//!
//! A batch of sequences of unequal length is *packed*: its rows are ordered by time step, and within a
//! step by sequence, the longest sequence first. `batch_sizes[t]` is the number of sequences that take
//! step `t`. There are no rows of padding, so none are computed:
//!
//! ```text
//! sequences  a b c d     packed rows   a e h | b f i | c g | d
//!            e f g       batch_sizes   3       3       2     1
//!            h i
//! ```
//!
//! A batch of equal lengths is the case of constant `batch_sizes`. [`PackedShape`] holds the batch sizes
//! and the sizes of the layer.
//!
//! # Letters
//!
//! The comments of this crate use these letters for sizes. Matrices are row-major.
//!
//! | letter | meaning |
//! |---|---|
//! | **B** | sequences in the batch |
//! | **T** | time steps, the length of the longest sequence |
//! | **N** | packed rows, the sum of all lengths |
//! | **I** | input features |
//! | **H** | hidden units |
//! | **P** | elements of a hidden state: H, or less with a projection |
//! | **G** | gates of the cell: 4 (LSTM), 3 (GRU) or 1 (RNN) |
//!
//! # Example
//!
//! ```
//! use ragged_kernels::{
//!     infer, CellKind, Direction, ForwardOptions, Input, Output, PackedShape, Weights,
//! };
//!
//! // Two sequences of lengths 2 and 1, one feature, one hidden unit.
//! let shape = PackedShape::new(2, &[2, 1], 1, 1, Direction::Forward)?;
//! let weights = Weights::new(&[0.5f32, 0.1, 1.0, 0.3], &[0.2, 0.4, 0.1, 0.6]);
//! let input = Input::new(&[1.0, -1.0, 2.0]);
//! let options = ForwardOptions::default();
//! let Output { output, h_n, .. } = infer(CellKind::Lstm, &shape, &weights, &input, options)?;
//! // The final state of a sequence is the output of its own last step.
//! assert_eq!(h_n, [output[2], output[1]]);
//! # Ok::<(), ragged_kernels::Error>(())
//! ```
//!
//! [`backward`] has an example of training.
//!
//! # Guarantees
//!
//! The result of a sequence is the same, bit for bit, whatever the other sequences of its batch and the
//! number of threads ([`set_num_threads`]). It may differ in rounding from one [`SimdLevel`] to another.
//!
//! # Modules, in reading order
//!
//! - `layer`: the entry points; `layer_into`: those that write into the caller's memory; `prepared_weights`,
//!   `step_state` and `prepared_linear`: those for a trained model; `operands`: what they read and write; `gradients`:
//!   the gradients by name; `zoneout`: how much of the states a step keeps; `results`: the memory of what they return;
//!   `shape`, `check`, `error`.
//! - `cell`: the arithmetic of one time step of each cell.
//! - `layer_norm`: the normalisations of cells that have them.
//! - `passes`: the two passes, each of which runs a time loop of `recurrence` over packed weights; `passes/recompute`
//!   runs them over one segment of time steps after the other, for sequences that do not fit into memory.
//! - `layout`: the order of the elements in the kernels' own buffers.
//! - `gemm`: the micro-kernel of all matrix products, and the packing of their operands.
//! - `threads`: how the threads share a pass.
//! - `ctc` and `crf`: losses over whole sequences, with gradients and decoding; `packed_rows`: the rows of each
//!   sequence; `extended`: the numbers that they are computed with.
//! - `simd`: vectors of each instruction set, and exp, tanh and the logistic function on them.
//! - `memory`: the pool of buffers; `element`: the two element types.
//!
//! `tests/reference/mod.rs` in the repository is the same computation without any of this, one element
//! at a time, and the tests compare the kernels with it at every SIMD level.

mod cell;
mod check;
mod crf;
mod ctc;
mod element;
mod error;
mod extended;
mod gemm;
mod gradients;
mod layer;
mod layer_into;
mod layer_norm;
mod layout;
mod memory;
mod operands;
mod packed_rows;
mod passes;
mod prepared_linear;
mod prepared_weights;
mod recurrence;
mod results;
mod sequence_passes;
mod shape;
mod simd;
mod step_state;
mod threads;
mod zoneout;

pub use crate::cell::kind::CellKind;
pub use crate::crf::entry::{
    CrfGradients, CrfPaths, crf_gradients, crf_losses, crf_marginals, crf_viterbi,
};
pub use crate::crf::potentials::CrfWeights;
pub use crate::ctc::decode::{Decoded, ctc_beam_search, ctc_greedy};
pub use crate::ctc::loss::{CtcLoss, CtcOptions, ctc_loss};
pub use crate::error::{Error, Result};
pub use crate::gradients::Gradients;
pub use crate::layer::{Element, Tape, backward, forward, infer};
pub use crate::layer_into::{backward_into, forward_into, tape_len};
pub use crate::operands::{ForwardOptions, Input, Output, OutputGradients, OutputSlices, Weights};
pub use crate::packed_rows::PackedRows;
pub use crate::prepared_linear::PreparedLinear;
pub use crate::prepared_weights::PreparedWeights;
pub use crate::shape::{Direction, PackedShape};
pub use crate::simd::level::SimdLevel;
pub use crate::step_state::StepState;
pub use crate::threads::fork::prepare_for_forks;
pub use crate::threads::num_threads::{num_threads, set_num_threads};
pub use crate::zoneout::{Kept, Zoneout};

/// The version of the arithmetic: it changes with every change to this crate after which any result differs
/// in any bit at the same [`SimdLevel`]. A program that saves the state of a computation can record it.
///
/// ```
/// assert!(ragged_kernels::NUMERICS_VERSION >= 1);
/// ```
pub const NUMERICS_VERSION: u32 = 4;

/// Compiles and runs the example of the crate page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
