//! The result of testing a trained model.

use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::metrics::Metrics;

/// The result of [`Predictor::evaluate`](crate::Predictor::evaluate).
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The metrics.
    pub metrics: Metrics,
    /// The confusion matrix and the labels of the classes, for classes.
    pub confusion: Option<(ConfusionMatrix, Vec<String>)>,
    /// The number of examples.
    pub examples: usize,
    /// The epoch from which the parameters are.
    pub epoch: usize,
    /// Notes on how the file was read, such as columns that were left out.
    pub notes: Vec<String>,
}
