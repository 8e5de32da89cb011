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
//! use ragged_models::{
//!     Parameters, RecurrentConfig, VariableLengthLstm,
//! };
//! use ragged_train::{Loss, Optimizer, OptimizerConfig, TrainConfig, Trainer, evaluate};
//!
//! let sums = VariableLengthSumsConfig { num_samples: 64, max_seq_length: 5, ..Default::default() };
//! let loader = DataLoader::new(VariableLengthSums::new(sums)?, LoaderConfig::new(16))?;
//!
//! let parameters = Parameters::new(1);
//! let vb = parameters.builder(DType::F32, &Device::Cpu);
//! let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
//! let before = evaluate(&model, &loader, Loss::Mse)?;
//!
//! let mut trainer = Trainer {
//!     model: &model,
//!     optimizer: Optimizer::new(OptimizerConfig::default(), parameters.named())?,
//!     loss: Loss::Mse,
//!     config: TrainConfig { epochs: 10, ..Default::default() },
//!     seed: 1,
//! };
//! trainer.fit(&loader, Some(&loader), &mut ())?;
//! assert!(evaluate(&model, &loader, Loss::Mse)?.loss < before.loss);
//! # Ok::<(), ragged_train::Error>(())
//! ```
//!
//! On top stands [`Experiment`]: an [`ExperimentConfig`] read from TOML, the data and model that it
//! names, and a [`RunDir`] with the resolved configuration, the metrics of every epoch, checkpoints
//! and a summary. The same configuration writes the same bytes.
//!
//! In reading order: [`Model`], [`Loss`], [`Gradients`], [`Optimizer`], [`train_step`], [`Trainer`];
//! then [`ExperimentConfig`], [`Datasets`], [`RunDir`], [`Experiment`].

#![forbid(unsafe_code)]

mod checkpoint;
mod config;
mod data;
mod error;
mod experiment;
mod gradients;
mod loss;
mod metrics;
mod model;
mod optimizer;
mod run_dir;
mod schedule;
mod step;
mod trainer;
mod update;

pub use checkpoint::{Checkpoint, CheckpointInfo, load_checkpoint, save_checkpoint};
pub use config::{DataSection, ExperimentConfig, ModelSection, SumsSection};
pub use data::{AnyDataset, Datasets};
pub use error::{Error, Result};
pub use experiment::{Evaluation, Experiment, evaluate_run};
pub use gradients::Gradients;
pub use loss::Loss;
pub use metrics::{MetricSum, Metrics};
pub use model::Model;
pub use optimizer::{Optimizer, OptimizerConfig};
pub use run_dir::{RunDir, Summary};
pub use schedule::Schedule;
pub use step::{Position, TrainStep, UpdateRule, eval_step, train_step};
pub use trainer::{EpochRecord, Observer, TrainConfig, Trainer, evaluate};
