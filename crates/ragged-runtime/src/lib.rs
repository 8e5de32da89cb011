//! Trained recurrent models without a tensor library.
//!
//! The principal type is [`Model`]. It reads a run of `ragged train`, with its transforms, labels and head, and makes
//! predictions in two ways:
//!
//! - [`Model::predict`]: a batch of whole sequences of any lengths. [`Model::predict_tokens`] takes tokens, and
//!   [`Model::predict_sequences`] all that a [`Sequence`] can have, also [static values](Statics).
//! - [`Model::session`]: sequences whose steps arrive one after another. [`Model::step`] runs one step of many
//!   sessions, [`Model::chunk`] several steps of each.
//!
//! ```text
//! values of a step -> transforms -> recurrent layers -> readout -> head -> outputs
//!                     '--------------- Session --------------'
//! ```
//!
//! All results are, bit for bit, those of `ragged predict` on the same machine: a session after its last step gives the
//! prediction for the whole sequence. Weights are packed once, when the model is read. A model is `Send + Sync`; a
//! session belongs to one sequence and can move between threads.
//!
//! The outputs are values, or logits of classes, of which [`softmax`] makes probabilities and [`Targets::label`] a
//! label. Of a model for several targets, [`Model::heads`] says which outputs are whose.
//!
//! ```no_run
//! use ragged_runtime::{Model, Scratch, softmax};
//!
//! let model = Model::open("runs/gestures".as_ref())?;
//! let (mut session, mut scratch) = (model.session()?, Scratch::default());
//! let mut y = vec![0.0; model.outputs()];
//! for step in [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]] {
//!     let refused = model.step(&mut [&mut session], &step, &mut y, &mut scratch)?;
//!     assert!(refused.is_empty(), "{refused:?}");
//!     println!("{:?} {:?}", model.targets().label(&y), softmax(&y));
//! }
//! // The session goes on elsewhere, or later.
//! let saved = session.to_bytes();
//! let again = model.restore(&saved)?;
//! assert_eq!(again, session);
//! # Ok::<(), ragged_runtime::Error>(())
//! ```
//!
//! Without the feature `threads`, a batch uses the thread that calls, and rayon is not needed.
//!
//! # In reading order
//!
//! `model`, `predict` (whole sequences), `paths`, `heads`, `session`, `step` and `chunk`, `saved_session`; below them
//! `sequence` (the input), `checkpoint` and `config` (what is read), `layers`, `tokens`, `statics`, `readout`,
//! `attention`, `crf`, `targets`.

#![forbid(unsafe_code)]

mod attention;
mod checkpoint;
mod chunk;
mod config;
mod crf;
mod error;
mod heads;
mod layers;
mod model;
mod paths;
mod predict;
mod readout;
mod saved_session;
mod sequence;
mod session;
mod statics;
mod step;
mod table;
mod targets;
mod tokens;

pub use crate::crf::BestPath;
pub use crate::error::{Error, Result};
pub use crate::model::Model;
pub use crate::sequence::{Sequence, Statics, Tokens};
pub use crate::session::Session;
pub use crate::step::{Refused, Scratch};
pub use crate::targets::{Part, Targets, softmax};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
