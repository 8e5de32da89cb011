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
//! features, **H** hidden units, **P** numbers of a hidden state (H but with a projection), **G**
//! gates. Matrices are row-major.
//!
//! [`infer`], [`forward`] and [`backward`] run one layer and direction of any [`CellKind`]:
//!
//! ```
//! use ragged_kernels::{infer, CellKind, Direction, Input, Output, PackedShape, Weights};
//!
//! // Two sequences of lengths 2 and 1, one feature, one hidden unit.
//! let shape = PackedShape::new(2, &[2, 1], 1, 1, Direction::Forward)?;
//! let weights = Weights {
//!     weight_ih: &[0.5f32, 0.1, 1.0, 0.3],
//!     weight_hh: &[0.2, 0.4, 0.1, 0.6],
//!     bias_ih: None,
//!     bias_hh: None,
//!     weight_hr: None,
//! };
//! let x = &[1.0, -1.0, 2.0];
//! let input = Input { x, h_0: None, c_0: None, hidden_mask: None };
//! let Output { output, h_n, .. } = infer(CellKind::Lstm, &shape, &weights, &input, false)?;
//! // Each final state is the output of its sequence's own last step.
//! assert_eq!(h_n, [output[2], output[1]]);
//! # Ok::<(), ragged_kernels::Error>(())
//! ```
//!
//! Behind them, in reading order: `layout` says how numbers lie, `cell` holds the arithmetic of each
//! cell, `pack` and `transpose` put the weights in order, `tile` and `product` are the inner loops.
//! `forward` with `recurrence`, `backward` with `through_time`, `input_product`, `projection` and
//! `weight_gradient` with `runs` are the passes, `plan`, `crew`, `helpers` and `together` say who runs
//! them; `simd` and `math` are what they compute with, `buffer`, `memory` and `fresh` where the numbers are.

mod backward;
mod buffer;
mod cell;
mod crew;
mod denormals;
mod element;
mod error;
mod forward;
mod fresh;
mod helpers;
mod input_product;
mod layer;
mod layout;
mod math;
mod memory;
mod pack;
mod plan;
mod product;
mod projection;
mod recurrence;
mod runs;
mod shape;
mod simd;
mod states;
mod through_time;
mod tile;
mod together;
mod transpose;
mod weight_gradient;

pub use cell::CellKind;
pub use crew::{set_threads, threads};
pub use element::Element;
pub use error::{Error, Result};
pub use layer::{Cotangents, Gradients, Input, Output, Tape, Weights, backward, forward, infer};
pub use shape::{Direction, PackedShape};
pub use simd::SimdLevel;

/// Compiles and runs the example of the crate page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
