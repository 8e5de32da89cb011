//! Training over sequences of unequal length: from a configuration to a run directory.
//!
//! The loop is in the open. A [`Trainer`] repeats [`train_step`] (forward, loss, backward, clip,
//! update) over the batches of an epoch, evaluates, and tells an [`Observer`]; it stops on a loss
//! that is not finite before the update, naming the epoch and batch. Whoever wants another loop
//! writes it from the same steps.
//!
//! ```
//! use candle_core::{DType, Device};
//! use ragged_datasets::{
//!     DataLoader, LoaderConfig, VariableLengthSums, VariableLengthSumsConfig,
//! };
//! use ragged_models::{Parameters, RecurrentConfig, VariableLengthLstm};
//! use ragged_train::{Loss, TrainConfig, Trainer, evaluate};
//!
//! let sums = VariableLengthSumsConfig { num_samples: 64, max_seq_length: 5, ..Default::default() };
//! let loader = DataLoader::new(VariableLengthSums::new(sums)?, LoaderConfig::new(16))?;
//!
//! let parameters = Parameters::new(1);
//! let vb = parameters.builder(DType::F32, &Device::Cpu);
//! let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
//! let before = evaluate(&model, &loader, Loss::Mse)?.finish();
//!
//! let config = TrainConfig { epochs: 10, ..Default::default() };
//! let mut trainer = Trainer::new(&model, parameters.named(), Loss::Mse, config, 1)?;
//! trainer.fit(&loader, Some(&loader), &mut ())?;
//! assert!(evaluate(&model, &loader, Loss::Mse)?.finish().loss < before.loss);
//! # Ok::<(), ragged_train::Error>(())
//! ```
//!
//! On top stands [`Experiment`]: an [`ExperimentConfig`] read from TOML, the data and model that it
//! names, and a [`RunDir`] with the resolved configuration, the metrics of every epoch, checkpoints
//! and a summary. The same configuration writes the same bytes.
//!
//! In reading order: [`Model`], [`Loss`], [`Gradients`], [`Optimizer`], [`Schedule`], [`train_step`],
//! [`Trainer`]; then [`ExperimentConfig`], [`Datasets`], [`RunDir`], [`Experiment`], [`Trained`].

#![forbid(unsafe_code)]

mod bptt;
mod checkpoint;
mod config;
mod confusion;
mod data;
mod ema;
mod error;
mod experiment;
mod gradients;
mod loss;
mod metrics;
mod model;
mod monitor;
mod offending;
mod optimizer;
mod plateau;
mod plot;
mod predictions;
mod progress;
mod ranking;
mod record;
mod recorder;
mod rehearsal;
mod run_dir;
mod schedule;
mod step;
mod tensorboard;
mod train_config;
mod trained;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointInfo, load_checkpoint};
pub use config::{
    CheckpointSection, DataSection, ExperimentConfig, ModelSection, Order, SumsSection,
    SyntheticSection,
};
pub use confusion::{ClassScore, Confusion};
pub use data::{AnyDataset, Datasets};
pub use ema::Ema;
pub use error::{Error, Result};
pub use experiment::{Experiment, Outcome, Resumed};
pub use gradients::Gradients;
pub use loss::Loss;
pub use metrics::{MetricSum, Metrics};
pub use model::Model;
pub use monitor::{EarlyStopping, Monitor, Patience};
pub use offending::offending_batch;
pub use plot::log_ticks;
pub use optimizer::{Optimizer, OptimizerConfig, ParameterGroup};
pub use plateau::Plateau;
pub use predictions::{Prediction, Predictions};
pub use progress::{EpochSums, Progress};
pub use ranking::Ranking;
pub use record::{EpochRecord, StepRecord};
pub use rehearsal::Rehearsal;
pub use run_dir::{RunDir, Summary};
pub use schedule::{Anneal, Per, Rates, Schedule, Time};
pub use step::{Accumulation, Position, TrainStep, UpdateRule, eval_step, train_step};
pub use train_config::TrainConfig;
pub use trained::{Evaluation, Trained};
pub use trainer::{Ending, Flow, Observer, TrainState, Trainer, evaluate};
