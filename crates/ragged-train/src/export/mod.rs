//! Trained models in formats of other programs.

pub(crate) mod onnx;
