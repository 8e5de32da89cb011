//! The result of testing a trained model.

use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::metrics::Metrics;

/// The confusion matrix of classes.
#[derive(Debug, Clone)]
pub struct Confusion {
    /// The name of the head, where there are heads.
    pub head: Option<String>,
    /// The matrix.
    pub matrix: ConfusionMatrix,
    /// The labels of the classes.
    pub labels: Vec<String>,
}

/// The result of [`Predictor::evaluate`](crate::Predictor::evaluate).
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The metrics.
    pub metrics: Metrics,
    /// The confusion matrices: one for classes, one for each head that predicts classes, and none for values.
    pub confusions: Vec<Confusion>,
    /// The number of examples.
    pub examples: usize,
    /// The epoch from which the parameters are.
    pub epoch: usize,
    /// Notes on how the file was read, such as columns that were left out.
    pub notes: Vec<String>,
}
