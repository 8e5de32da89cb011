//! What training minimises and measures: the loss, the metrics, and the metric that compares epochs.

pub(crate) mod confusion_matrix;
pub(crate) mod loss;
pub(crate) mod metrics;
pub(crate) mod monitor;

pub use confusion_matrix::{ClassScore, ConfusionMatrix};
pub use loss::Loss;
pub use metrics::{MetricSum, Metrics};
pub use monitor::Monitor;
