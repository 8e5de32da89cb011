//! A trained model in use: tested on other data, or asked for predictions.

mod batch;
pub(crate) mod evaluation;
pub(crate) mod predictions;
pub(crate) mod predictor;

pub use evaluation::Evaluation;
pub use predictions::{Prediction, Predictions};
pub use predictor::Predictor;
