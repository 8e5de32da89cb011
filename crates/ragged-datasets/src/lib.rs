//! Data sets of variable-length sequences, and loaders that turn them into batches.
//!
//! The principal type is [`DataLoader`]. It visits the examples of a [`Dataset`] in the order of a
//! [`Sampler`], epoch by epoch, and collates them into batches, in background threads if requested:
//!
//! ```text
//! Dataset ── example by index ──> Sampler ── order ──> Batching ──> Collate ──> Batch { input, target }
//! (files, generators, subsets)    (seeded)             (by count     (packed or padded)
//!                                                       or tokens)
//! ```
//!
//! The same seed and epoch give the same batches, whatever was requested before and however many
//! threads make them.
//!
//! ```
//! use ragged_datasets::{
//!     BatchSteps, DataLoader, LoaderConfig, VariableLengthSums, VariableLengthSumsConfig,
//! };
//!
//! // The lecture's data: 1000 sequences of 1 to 50 steps with 7 features, and their sums.
//! let sums = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
//! let loader = DataLoader::new(sums, LoaderConfig::new(64))?;
//! assert_eq!(loader.len(), 16);
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     let BatchSteps::Packed(packed) = &batch.input.steps else { unreachable!("the default") };
//!     assert_eq!(packed.data().dims(), [batch.real_steps(), 7]);
//!     assert_eq!(batch.target.dims(), [batch.batch_size(), 1]);
//! }
//! # Ok::<(), ragged_datasets::Error>(())
//! ```
//!
//! In reading order:
//!
//! - An [`Example`] is a [`Sequence`] and its [`Target`]. A [`Dataset`] returns examples by index:
//!   [`InMemory`], or a [`Subset`] such as [`split`] makes.
//! - [`formats`] reads and writes files. [`synthetic`] generates tasks, such as the lecture's
//!   [`FixedLengthSums`] and [`VariableLengthSums`].
//! - [`tokens`] has vocabularies of words, characters and categories.
//! - [`transforms`] scales, fills, truncates and augments examples, and cuts long series into
//!   [`Chunks`]. [`forecast`] cuts windows with the steps to predict after them, and divides series in time.
//! - [`Sampler`], [`Batching`] and [`Collate`] say how a [`DataLoader`] makes each [`Batch`].
//!
//! Letters: B sequences in a batch, T steps of the longest sequence, N packed rows, K values per
//! target.

#![forbid(unsafe_code)]

mod dataset;
mod error;
mod example;
mod fingerprint;
pub mod forecast;
pub mod formats;
mod in_memory;
mod input_error;
mod loader;
mod repeat_rows;
mod subset;
pub mod synthetic;
mod target_kind;
mod target_shape;
pub mod tokens;
pub mod transforms;

pub use dataset::Dataset;
pub use error::{Error, Location, Result};
pub use example::{Example, Sequence, Target};
pub use fingerprint::fingerprint;
pub use forecast::{Forecast, ForecastConfig, ForecastError, ForecastParts};
pub use in_memory::InMemory;
pub use loader::{
    Batch, BatchInput, BatchPlan, BatchStatics, BatchSteps, Batching, Collate, DataLoader, Epoch,
    LoaderConfig, Oversize, SampleWeights, Sampler, ShardedEpoch, Sharding, Strata,
};
pub use subset::{Subset, split};
pub use synthetic::{
    FixedLengthSums, FixedLengthSumsConfig, VariableLengthSums, VariableLengthSumsConfig,
};
pub use target_kind::{PartKind, TargetKind, TargetPart};
pub use target_shape::{ExpectedTarget, TargetShape};
pub use transforms::{AugmentConfig, Augmented, Chunks};

/// Compiles and runs the example of the crate page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
