//! Recurrent layers over packed rows, forward and backward through time, on plain slices.
//!
//! A batch of sequences of unequal length is *packed*: its rows lie time step by time step, the
//! longest sequence first, and `batch_sizes[t]` says how many sequences are still running at step
//! `t`. Rows of padding do not exist, so none is computed:
//!
//! ```text
//! sequences  a b c d     packed rows   a e h | b f i | c g | d
//!            e f g       batch_sizes   3       3       2     1
//!            h i
//! ```
//!
//! A batch of equal lengths is the same thing with constant `batch_sizes`. This crate knows no
//! tensors: whoever has slices can use it.
//!
//! Letters, in every comment: **B** sequences, **T** steps, **N** packed rows, **I** input
//! features, **H** hidden units. Matrices are row-major.
//!
//! ```
//! use ragged_kernels::{lstm_infer, Direction, LstmInput, LstmOutput, LstmWeights, PackedShape};
//!
//! // Two sequences of lengths 2 and 1, one feature, one hidden unit.
//! let shape = PackedShape::new(2, &[2, 1], 1, 1, Direction::Forward)?;
//! let weights = LstmWeights {
//!     weight_ih: &[0.5f32, 0.1, 1.0, 0.3],
//!     weight_hh: &[0.2, 0.4, 0.1, 0.6],
//!     bias_ih: None,
//!     bias_hh: None,
//! };
//! let input = LstmInput { x: &[1.0, -1.0, 2.0], h_0: &[0.0; 2], c_0: &[0.0; 2] };
//! let (mut output, mut h_n, mut c_n) = ([0.0; 3], [0.0; 2], [0.0; 2]);
//! let out = LstmOutput { output: &mut output, h_n: &mut h_n, c_n: &mut c_n };
//! lstm_infer(&shape, &weights, &input, out)?;
//! // Each final state is the output of its sequence's own last step.
//! assert_eq!(h_n, [output[2], output[1]]);
//! # Ok::<(), ragged_kernels::Error>(())
//! ```

mod backward;
mod buffer;
mod denormals;
mod element;
mod error;
mod forward;
mod layout;
mod lstm;
mod lstm_backward;
mod math;
mod pack;
mod shape;
mod simd;
mod states;
mod threads;
mod tile;
mod weight_gradient;

pub use element::Element;
pub use error::{Error, Result};
pub use lstm::{LstmInput, LstmOutput, LstmTape, LstmWeights, lstm_forward, lstm_infer};
pub use lstm_backward::{LstmCotangents, LstmGradients, lstm_backward};
pub use shape::{Direction, PackedShape};
pub use simd::SimdLevel;
pub use threads::{set_threads, threads};
