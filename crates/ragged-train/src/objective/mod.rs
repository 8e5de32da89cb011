//! What training minimises and measures: the loss, the metrics, and the metric that compares epochs.

pub(crate) mod confusion_matrix;
pub(crate) mod ctc;
pub(crate) mod edit_distance;
pub(crate) mod loss;
pub(crate) mod metrics;
pub(crate) mod monitor;
pub(crate) mod spans;

pub use confusion_matrix::{ClassScore, ConfusionMatrix};
pub use ctc::{CtcOptions, CtcReduction, ctc_loss};
pub use edit_distance::{edit_distance, token_error_rate};
pub use loss::Loss;
pub use metrics::{MetricSum, Metrics};
pub use monitor::Monitor;
pub use spans::{Span, SpanScores, bio_spans};
