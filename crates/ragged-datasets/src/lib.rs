//! Examples of unequal length, and the batches that models take.
//!
//! ```text
//! Dataset ── example by index ──> Sampler ── order ──> Batching ──> Collate ──> Batch { input, target }
//! (files, generators, subsets)    (seeded)             (by count     (packed or padded)
//!                                                       or tokens)
//! ```
//!
//! A [`Dataset`] gives an [`Example`] (a [`Sequence`] and its [`Target`]) for an index, a
//! [`DataLoader`] visits all of them in the order of a [`Sampler`] and puts them together as
//! [`Batch`]es, in the background if asked to. Nothing is hidden: the same seed and epoch give the
//! same batches, whatever was asked before and however many threads make them.
//!
//! ```
//! use ragged_datasets::{
//!     BatchInput, DataLoader, LoaderConfig, VariableLengthSums, VariableLengthSumsConfig,
//! };
//!
//! // The lecture's data: 1000 sequences of 1 to 50 steps with 7 features, and their sums.
//! let sums = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
//! let loader = DataLoader::new(sums, LoaderConfig::new(64))?;
//! assert_eq!(loader.len(), 16);
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     let BatchInput::Packed(packed) = &batch.input else { unreachable!("the default") };
//!     assert_eq!(packed.data().dims(), [batch.real_steps(), 7]);
//!     assert_eq!(batch.target.dims(), [batch.batch_size(), 1]);
//! }
//! # Ok::<(), ragged_datasets::Error>(())
//! ```
//!
//! In reading order: [`Example`], [`Dataset`] with [`InMemory`], [`Subset`] and [`split`]; the
//! sources [`VariableLengthSums`], [`FixedLengthSums`], the other tasks of [`synthetic`] and the files
//! of [`formats`]; [`Forecast`] and [`Chunks`]; [`transforms`] and [`Augmented`]; then
//! [`Sampler`], [`Batching`], [`Collate`] and [`DataLoader`].

#![forbid(unsafe_code)]

mod augment;
mod batch;
mod batching;
mod dataset;
mod error;
mod example;
mod fingerprint;
pub mod formats;
mod loader;
mod sampler;
mod sums;
pub mod synthetic;
pub mod transforms;
mod windows;

pub use augment::{AugmentConfig, Augmented};
pub use batch::{Batch, BatchInput, Collate};
pub use batching::{BatchPlan, Batching, OverLong};
pub use dataset::{Dataset, InMemory, Subset, split};
pub use error::{Error, Place, Result};
pub use example::{Example, Sequence, Target, TargetKind};
pub use loader::{DataLoader, Epoch, LoaderConfig};
pub use sampler::{Sampler, Strata, Weights};
pub use sums::{
    FixedLengthSums, FixedLengthSumsConfig, VariableLengthSums, VariableLengthSumsConfig,
};
pub use windows::{Chunks, Forecast, ForecastConfig, split_in_time};

/// Compiles and runs the example of the crate page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
