//! The ONNX format: a graph of operators that other runtimes execute.
//!
//! The graph reads padded sequences `x` `[B, T, I]` or `tokens` `[B, T]`, their `lengths` `[B]`, and static values. In
//! order: the fitted transforms, the embedding of tokens, the recurrent layers, the readout, the linear head, and for
//! each target a softmax for classes or the way back to its units.

mod attention;
#[cfg(test)]
mod case;
mod embedding;
mod graph;
mod inputs;
mod linear;
mod messages;
mod metadata;
mod model;
mod outputs;
mod predictions;
mod readout;
mod recurrent;
mod sequences;
mod statics;
mod supported;
mod transforms;
mod weights;

pub(crate) use model::{TrainedModel, encode};
