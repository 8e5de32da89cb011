//! The training loop and the steps it is made of.
//!
//! In reading order: [`BatchModel`], what the loop needs of a model; [`train_step`] and
//! [`eval_step`]; [`Trainer`] with its [`TrainConfig`], [`Observer`] and [`Progress`]. The files
//! `epochs.rs` and `bptt.rs` contain the two loops, over batches and over chunks of long series.

pub(crate) mod batch_model;
pub(crate) mod bptt;
pub(crate) mod chunks;
pub(crate) mod early_stopping;
pub(crate) mod epochs;
pub(crate) mod gradient_accumulator;
pub(crate) mod non_finite;
pub(crate) mod observer;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod shard_sum;
pub(crate) mod step;
pub(crate) mod step_options;
pub(crate) mod train_config;
pub(crate) mod trainer;

pub use batch_model::BatchModel;
pub use early_stopping::{EarlyStopping, EarlyStoppingState};
pub use gradient_accumulator::GradientAccumulator;
pub use observer::{Observer, TrainState};
pub use progress::{EpochSums, Progress};
pub use record::{EpochRecord, StepRecord};
pub use step::{StepOutput, eval_step, evaluate, evaluate_on, train_step};
pub use step_options::{Position, StepOptions};
pub use train_config::TrainConfig;
pub use trainer::{StopReason, Trainer};
