//! Batches of a data set, epoch by epoch.
//!
//! ```text
//! Sampler ── order ──> BatchPlan ── indices ──> BatchSource ──> Collate ──> Batch
//! (seeded)             (by count or tokens)     (examples)      (packed or padded)
//! ```
//!
//! In reading order: [`Sampler`] orders the examples of an epoch, with [`SampleWeights`] or [`Strata`];
//! [`BatchPlan`] cuts the order into batches as [`Batching`] says; [`Collate`] turns examples into a
//! [`Batch`]; [`DataLoader`] does all of this for a data set, as a [`LoaderConfig`] says, in background
//! threads if requested. [`Sharding`] cuts its batches into parts for several processes.

mod batch;
mod batch_plan;
mod batch_source;
mod collate;
mod collate_statics;
mod collate_tokens;
mod config;
mod data_loader;
mod epoch;
mod sample_weights;
pub(crate) mod sampler;
mod sharded_epoch;
mod sharding;
mod strata;
mod workers;

pub use batch::{Batch, BatchInput, BatchStatics, BatchSteps};
pub use batch_plan::{BatchPlan, Batching, Oversize};
pub use collate::Collate;
pub use config::LoaderConfig;
pub use data_loader::DataLoader;
pub use epoch::Epoch;
pub use sample_weights::SampleWeights;
pub use sampler::Sampler;
pub use sharded_epoch::ShardedEpoch;
pub use sharding::Sharding;
pub use strata::Strata;
