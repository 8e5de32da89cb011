//! A trained model in use: tested on other data, or asked for predictions.

pub(crate) mod batch;
pub(crate) mod evaluation;
mod forecast_svg;
mod onnx;
pub(crate) mod predictions;
pub(crate) mod predictor;
mod session;

pub use evaluation::{Confusion, Evaluation};
pub use predictions::{Prediction, Predictions};
pub use predictor::Predictor;
pub use session::Session;
