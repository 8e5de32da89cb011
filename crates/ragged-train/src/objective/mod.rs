//! What training minimises and measures: losses, metrics, and the metric that compares epochs.
//!
//! In reading order: [`Loss`], the interface; [`Criterion`], the usual losses; [`Objective`], one of them on scaled
//! targets; [`MultiTaskLoss`], those of several heads; [`RunObjective`], the loss of a run; [`Metrics`] and
//! [`MetricSum`]; [`ConfusionMatrix`]; [`Monitor`]. For sequences of labels: [`CrfLoss`], [`ctc_loss`],
//! [`edit_distance`] and [`bio_spans`].

mod class_logits;
mod class_sums;
pub(crate) mod class_weights;
pub(crate) mod confusion_matrix;
pub(crate) mod crf;
pub(crate) mod criterion;
mod criterion_terms;
mod cross_entropy;
pub(crate) mod ctc;
pub(crate) mod edit_distance;
mod fused;
mod label_sums;
pub(crate) mod loss;
pub(crate) mod metric_sum;
pub(crate) mod metrics;
pub(crate) mod monitor;
pub(crate) mod multi_task;
mod own_sums;
pub(crate) mod run_objective;
pub(crate) mod scaled;
mod scores;
pub(crate) mod softmax;
mod span_sums;
pub(crate) mod spans;
pub(crate) mod targets;
mod transcript_sums;
pub(crate) mod transcription;
mod value_sums;
mod value_terms;

pub use class_weights::ClassWeights;
pub use confusion_matrix::{ClassScore, ConfusionMatrix};
pub use crf::CrfLoss;
pub use criterion::Criterion;
pub use ctc::{CtcOptions, CtcReduction, ctc_loss};
pub use edit_distance::{edit_distance, token_error_rate};
pub use loss::{Loss, WithMetric};
pub use metric_sum::MetricSum;
pub use metrics::Metrics;
pub use monitor::{Monitor, OwnMetric};
pub use multi_task::{Head, HeadLoss, MultiTaskLoss};
pub use ragged_transforms::{OutputKind, Outputs};
pub use run_objective::RunObjective;
pub use scaled::Objective;
pub use spans::{Span, SpanScores, bio_spans};
pub use targets::{MISSING_CLASS, Targets};
