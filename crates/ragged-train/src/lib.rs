//! Training of models over variable-length sequences.
//!
//! The principal type is [`Trainer`]. It repeats [`train_step`] over the batches of an epoch, evaluates
//! the model after each epoch, and informs an [`Observer`]:
//!
//! ```text
//! DataLoader -> Batch -> BatchModel -> predictions -> Loss -> gradients -> clip -> Optimizer
//!                                                                           Schedule -^
//! ```
//!
//! ```
//! use candle_core::{DType, Device};
//! use ragged_datasets::{
//!     DataLoader, LoaderConfig, VariableLengthSums, VariableLengthSumsConfig,
//! };
//! use ragged_models::{Parameters, RecurrentConfig, VariableLengthLstm};
//! use ragged_train::{Criterion, TrainConfig, Trainer, evaluate};
//!
//! // Sequences of 1 to 5 time steps with 7 features; the target is the sum of all values.
//! let sums = VariableLengthSumsConfig { num_samples: 64, max_seq_length: 5, ..Default::default() };
//! let loader = DataLoader::new(VariableLengthSums::new(sums)?, LoaderConfig::new(16))?;
//!
//! let parameters = Parameters::new(1);
//! let vb = parameters.builder(DType::F32, &Device::Cpu);
//! let model = VariableLengthLstm::new(&RecurrentConfig::new(7, 15), 1, vb)?;
//! let before = evaluate(&model, &loader, &Criterion::Mse)?.finish();
//!
//! let config = TrainConfig { epochs: 10, ..Default::default() };
//! let mut trainer = Trainer::new(&model, parameters.named(), &Criterion::Mse, config, 1)?;
//! trainer.fit(&loader, Some(&loader), &mut ())?;
//! assert!(evaluate(&model, &loader, &Criterion::Mse)?.finish().loss < before.loss);
//! # Ok::<(), ragged_train::Error>(())
//! ```
//!
//! A loss or gradient that is not finite ends training before the parameters are updated, with an
//! error that names the epoch and the batch. The steps of the loop are public, so that other loops can
//! be written from them.
//!
//! [`Experiment`] runs a whole experiment from an [`ExperimentConfig`], which is a TOML file: it opens
//! the data, builds the model, trains, tests, and writes everything to a [`RunDir`]. The same
//! configuration writes the same bytes, and a run that was interrupted after any update resumes bit for
//! bit. [`Predictor`] loads the result.
//!
//! Letters in comments: **B** sequences of a batch, **T** time steps, **N** packed time steps, **O**
//! outputs of the model.
//!
//! The modules in reading order:
//!
//! - [`objective`]: the loss, the metrics, and the metric that compares epochs;
//! - [`optim`]: gradients, optimisers, schedules, averaged weights;
//! - [`distributed`]: several processes that train together;
//! - [`fit`]: the training loop and its steps;
//! - [`config`]: the configuration file, and errors that blame the key that is wrong;
//! - [`run`]: a whole run: data, checkpoints, run directory;
//! - [`predict`]: a trained model in use, or exported to ONNX.

#![forbid(unsafe_code)]

mod atomic_file;
mod checkpoint_error;
pub mod config;
pub mod distributed;
mod error;
mod exact_float;
mod export;
pub mod fit;
mod input_error;
pub mod objective;
pub mod optim;
pub mod predict;
pub mod run;

pub use config::ExperimentConfig;
pub use error::{CheckpointError, Error, Result};
pub use fit::{BatchModel, Observer, TrainConfig, Trainer, eval_step, evaluate, train_step};
pub use objective::{Criterion, Loss, Metrics};
pub use optim::{Optimizer, OptimizerConfig, Schedule};
pub use predict::Predictor;
pub use run::{Experiment, RunDir};

/// Compiles and runs the example of the crate page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
