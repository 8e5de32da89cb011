//! How a data set becomes batches.

use candle_core::Device;

use crate::error::{Error, Result, check_size};
use crate::loader::batch_plan::Batching;
use crate::loader::collate::Collate;
use crate::loader::sampler::Sampler;

/// The configuration of a [`DataLoader`](crate::DataLoader).
///
/// ```
/// use ragged_datasets::{Collate, LoaderConfig, Sampler};
///
/// let config = LoaderConfig {
///     sampler: Sampler::Shuffle { seed: 42 },
///     collate: Collate::Padded,
///     ..LoaderConfig::new(64)
/// };
/// assert_eq!(config.workers, 0);
/// ```
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// The size of the batches.
    pub batching: Batching,
    /// The order of the examples.
    pub sampler: Sampler,
    /// The number of consecutive examples of the order to sort by length before it is cut into
    /// batches; `None` for no sorting.
    ///
    /// The examples of a batch then have similar lengths, which saves padding. The batches are
    /// shuffled, and still consist of different examples in each epoch. A size of about 50 batches
    /// removes most of the padding and keeps the order nearly random. Stratified classes are sorted
    /// separately. Not available for [`Sampler::Sequential`], whose order must not change.
    pub bucket_size: Option<usize>,
    /// The form of the batches.
    pub collate: Collate,
    /// Whether to omit a last batch that is not full.
    pub drop_last: bool,
    /// The device of the tensors.
    pub device: Device,
    /// The number of background threads that make batches, at most 256. With 0, the calling thread
    /// makes each batch. The batches are the same for any number.
    pub workers: usize,
    /// The number of batches that each worker makes ahead, 1 to 1024.
    pub prefetch: usize,
}

impl LoaderConfig {
    /// Creates a configuration of packed batches of `batch_size` sequences.
    ///
    /// They are in sequential order and on the CPU, include a last batch that is not full, and are made
    /// by the calling thread.
    pub fn new(batch_size: usize) -> Self {
        Self {
            batching: Batching::Sequences(batch_size),
            sampler: Sampler::Sequential,
            bucket_size: None,
            collate: Collate::Packed,
            drop_last: false,
            device: Device::Cpu,
            workers: 0,
            prefetch: 2,
        }
    }

    /// Checks the options.
    pub(crate) fn check(&self) -> Result<()> {
        match self.batching {
            Batching::Sequences(size) => check_size("batch_size", size, usize::MAX)?,
            Batching::Tokens { max_tokens, .. } => {
                check_size("max_tokens", max_tokens, usize::MAX)?;
            }
        }
        if let Some(bucket_size) = self.bucket_size {
            check_size("bucket_size", bucket_size, usize::MAX)?;
            if self.sampler == Sampler::Sequential {
                return Err(Error::BucketsOfSequential { bucket_size });
            }
        }
        check_size("prefetch", self.prefetch, 1024)?;
        match self.workers {
            0 => Ok(()),
            workers => check_size("workers", workers, 256),
        }
    }
}
