//! The ONNX format: a graph of operators that other runtimes execute.
//!
//! The graph reads padded sequences `x` `[B, T, I]` and their `lengths` `[B]`. In order: the fitted transforms, the
//! recurrent layers, the readout, the linear head, and a softmax for classes.

mod graph;
mod messages;
mod metadata;
mod model;
mod outputs;
mod readout;
mod recurrent;
mod sequences;
mod supported;
mod transforms;
mod weights;

pub(crate) use model::{TrainedModel, encode};
