//! What training minimises and measures: losses, metrics, and the metric that compares epochs.
//!
//! In reading order: [`Loss`], the interface; [`Criterion`], the usual losses; [`Objective`], the loss of a run; [`Metrics`] and [`MetricSum`];
//! [`ConfusionMatrix`]; [`Monitor`].

pub(crate) mod class_weights;
pub(crate) mod confusion_matrix;
pub(crate) mod criterion;
mod criterion_terms;
mod cross_entropy;
mod fused;
mod label_sums;
pub(crate) mod loss;
pub(crate) mod metric_sum;
pub(crate) mod metrics;
pub(crate) mod monitor;
pub(crate) mod scaled;
mod scores;
pub(crate) mod softmax;
pub(crate) mod targets;
mod value_sums;
mod value_terms;

pub use class_weights::ClassWeights;
pub use confusion_matrix::{ClassScore, ConfusionMatrix};
pub use criterion::Criterion;
pub use loss::{Loss, WithMetric};
pub use metric_sum::MetricSum;
pub use metrics::Metrics;
pub use monitor::{Monitor, OwnMetric};
pub use ragged_transforms::{OutputKind, Outputs};
pub use scaled::Objective;
pub use targets::{MISSING_CLASS, Targets};
