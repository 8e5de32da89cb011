//! A run from its configuration to its directory: data, training, checkpoints, results.
//!
//! In reading order: [`Experiment`], a whole run; [`Datasets`]; [`RunDir`], the files of a run;
//! [`Checkpoint`]. `training_run.rs` trains and tests, on one or several
//! ranks. The files `recorder.rs`, `tensorboard.rs` and `plot.rs` write to the run directory.

mod available_memory;
pub(crate) mod bad_batch;
pub(crate) mod best_epochs;
pub(crate) mod checkpoint;
mod compatibility;
pub(crate) mod data_files;
pub(crate) mod data_fingerprint;
pub(crate) mod datasets;
pub(crate) mod difference;
pub(crate) mod experiment;
pub(crate) mod forecast_data;
pub(crate) mod forecast_plot;
mod forecast_results;
pub(crate) mod identity;
pub(crate) mod input_check;
mod loaders;
mod memory_check;
pub(crate) mod memory_estimate;
pub(crate) mod metrics_file;
pub(crate) mod objective;
mod outcome;
pub(crate) mod plot;
pub(crate) mod recorder;
pub(crate) mod results;
pub(crate) mod run_dir;
pub(crate) mod run_lock;
mod small_data;
mod source;
pub(crate) mod tagging;
mod target_view;
pub(crate) mod tensorboard;
pub(crate) mod time_estimate;
pub(crate) mod tokenizer;
pub(crate) mod tokens;
mod training_run;
mod transcription;
pub(crate) mod word_vectors;

pub use bad_batch::save_bad_batch;
pub use best_epochs::BestEpochs;
pub use checkpoint::{Checkpoint, CheckpointInfo, load_checkpoint};
pub use data_fingerprint::{DataFingerprint, DataFingerprints};
pub use datasets::{AnyDataset, Datasets};
pub use difference::{Difference, ForcedResume};
pub use experiment::{Experiment, Resumed};
pub use identity::RunIdentity;
pub use memory_estimate::MemoryEstimate;
pub use outcome::RunOutcome;
pub use plot::{curves, log_ticks};
pub use run_dir::{ClassResult, RunDir, RunSummary};
pub use run_lock::RunLock;
pub use time_estimate::TimeEstimate;
