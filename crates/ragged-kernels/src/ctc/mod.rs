//! Connectionist temporal classification (Graves et al. 2006): the loss with its gradient, and decoding.
//!
//! A network gives scores for C classes at each of T steps, of which one is the *blank*. An *alignment* is one class
//! per step; merging repeated classes and then removing blanks maps it to a label sequence. The loss is the negative
//! log-likelihood of a target: of all alignments that map to it.
//!
//! In reading order: `loss` is the entry point, `sequence` what is done for each sequence; `states` are the states of
//! an alignment, `forward` sums over all alignments, `gradient` is the backward pass. `decode` and `beam` find a label
//! sequence.

mod beam;
pub(crate) mod decode;
mod forward;
mod gradient;
pub(crate) mod loss;
pub(crate) mod sequence;
mod softmax;
mod states;
