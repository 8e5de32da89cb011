//! A data set in batches, epoch by epoch.

use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::loader::batch_plan::{BatchPlan, BatchRule, Batching, batch_count};
use crate::loader::batch_source::BatchSource;
use crate::loader::config::LoaderConfig;
use crate::loader::epoch::{Epoch, Maker};
use crate::loader::sharded_epoch::ShardedEpoch;
use crate::loader::sharding::{Sharding, balanced};
use crate::loader::workers::Workers;

/// A data set in batches.
///
/// The batches of an epoch depend only on the configuration and the epoch: not on what was requested
/// before, and not on the number of workers. So a position is just (epoch, batch), and
/// [`epoch_from`](Self::epoch_from) continues there without making the batches before it.
///
/// ```
/// use ragged_datasets::{
///     DataLoader, LoaderConfig, Sampler, VariableLengthSums, VariableLengthSumsConfig,
/// };
///
/// let sums = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
/// let sampler = Sampler::Shuffle { seed: 42 };
/// let loader = DataLoader::new(sums, LoaderConfig { sampler, ..LoaderConfig::new(64) })?;
/// for epoch in 0..2 {
///     for batch in loader.epoch(epoch) {
///         assert!(batch?.batch_size() <= 64);
///     }
/// }
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DataLoader<D> {
    dataset: Arc<D>,
    config: LoaderConfig,
    len: usize,
}

impl<D: Dataset> DataLoader<D> {
    /// Creates a loader.
    ///
    /// # Errors
    ///
    /// - [`Error::Empty`] for a data set without an example, or for `drop_last` with fewer examples
    ///   than a batch takes.
    /// - [`Error::Size`] for an option outside its range.
    /// - [`Error::Count`] for weights or strata that do not match the number of examples.
    /// - [`Error::BucketsOfSequential`] for buckets of a sequential order.
    /// - [`Error::TooLong`] for a sequence that [`Oversize::Refuse`](crate::Oversize::Refuse) refuses.
    pub fn new(dataset: D, config: LoaderConfig) -> Result<Self> {
        config.check()?;
        if dataset.is_empty() {
            return Err(Error::Empty("the data set"));
        }
        // Reports an impossible order now and not in the first epoch.
        config.sampler.indices(dataset.len(), 0)?;
        let mut loader = Self { dataset: Arc::new(dataset), config, len: 0 };
        loader.len = match loader.config.batching {
            Batching::Sequences(size) => {
                batch_count(loader.dataset.len(), size, loader.config.drop_last)
            }
            Batching::Tokens { .. } => loader.plan(0)?.len(),
        };
        if loader.is_empty() {
            return Err(Error::Empty("every epoch (drop_last)"));
        }
        Ok(loader)
    }

    /// Returns the number of batches in the first epoch.
    ///
    /// Batches by number of sequences have the same number in every epoch. Batches by tokens can be a
    /// few more or fewer in other epochs; [`Epoch::len`] has the exact number.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether an epoch has no batch, which [`new`](Self::new) refuses.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// Returns the examples of each batch of an epoch, without making the batches.
    ///
    /// # Errors
    ///
    /// As [`Dataset::length`], and [`Error::TooLong`] for a sequence that is refused.
    pub fn plan(&self, epoch: usize) -> Result<BatchPlan> {
        let LoaderConfig { ref sampler, batching, bucket_size, drop_last, .. } = self.config;
        let rule = BatchRule { sampler, batching, bucket_size, drop_last };
        let length = |index| self.dataset.length(epoch, index);
        BatchPlan::new(&rule, self.dataset.len(), epoch, length)
    }

    /// Returns the batches of one epoch, counted from 0.
    pub fn epoch(&self, epoch: usize) -> Epoch<D> {
        self.epoch_from(epoch, 0)
    }

    /// Returns the batches of one epoch from `batch` on, both counted from 0.
    ///
    /// A run that stopped after `batch` batches continues here. From the end of the epoch on, there
    /// are none.
    pub fn epoch_from(&self, epoch: usize, batch: usize) -> Epoch<D> {
        match self.plan(epoch) {
            Ok(plan) => self.start(epoch, plan, batch),
            Err(error) => Epoch::failed(error, batch),
        }
    }

    /// Returns the batches `first`, `first + every`, and so on of one epoch, both counted from 0.
    pub fn epoch_every(&self, epoch: usize, first: usize, every: usize) -> Epoch<D> {
        match self.plan(epoch) {
            Ok(plan) => {
                let share = BatchPlan::of_batches(plan.iter().skip(first).step_by(every.max(1)));
                self.start(epoch, share, 0)
            }
            Err(error) => Epoch::failed(error, 0),
        }
    }

    /// Returns the shards of each batch of one epoch from `batch` on, both counted from 0. The shards of a batch have
    /// about the same number of time steps; their examples are in the order of the batch. One shard is the batch.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan).
    pub fn shards(
        &self,
        epoch: usize,
        batch: usize,
        sharding: &Sharding,
    ) -> Result<ShardedEpoch<D>> {
        let plan = self.plan(epoch)?;
        let (mut shards, mut present) = (vec![], vec![]);
        for examples in plan.iter().skip(batch) {
            if sharding.count <= 1 {
                shards.push(examples.to_vec());
                present.push(vec![true]);
                continue;
            }
            let lengths = examples.iter().map(|&index| self.dataset.length(epoch, index));
            let all = balanced(&lengths.collect::<Result<Vec<_>>>()?, sharding.count);
            let own = all.get(sharding.own.clone()).unwrap_or_default();
            present.push(own.iter().map(|shard| !shard.is_empty()).collect());
            let filled = own.iter().filter(|shard| !shard.is_empty());
            shards.extend(filled.map(|shard| shard.iter().map(|&k| examples[k]).collect()));
        }
        let plan = BatchPlan::of_batches(shards.iter().map(Vec::as_slice));
        Ok(ShardedEpoch { shards: self.start(epoch, plan, 0), present: present.into_iter() })
    }

    /// Starts to make the batches of a plan from `batch` on.
    fn start(&self, epoch: usize, plan: BatchPlan, batch: usize) -> Epoch<D> {
        let LoaderConfig { collate, ref device, workers, prefetch, .. } = self.config;
        let (dataset, device) = (self.dataset.clone(), device.clone());
        let len = plan.len();
        let source = Arc::new(BatchSource { dataset, epoch, plan, collate, device });
        // At most one thread for each remaining batch.
        let maker = match workers.min(len.saturating_sub(batch)) {
            0 => Maker::Caller(source),
            workers => match Workers::start(&source, batch, workers, prefetch) {
                Ok(workers) => Maker::Background(workers),
                Err(error) => Maker::Failed(Some(error)),
            },
        };
        Epoch::new(maker, batch, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::batch_plan::Oversize;
    use crate::loader::sampler::Sampler;
    use crate::subset::Subset;
    use crate::synthetic::sums::{VariableLengthSums, VariableLengthSumsConfig};

    fn loader(
        num_samples: usize,
        change: fn(&mut LoaderConfig),
    ) -> Result<DataLoader<VariableLengthSums>> {
        let sums = VariableLengthSumsConfig { num_samples, ..Default::default() };
        let mut config = LoaderConfig::new(4);
        config.sampler = Sampler::Shuffle { seed: 1 };
        change(&mut config);
        DataLoader::new(VariableLengthSums::new(sums)?, config)
    }

    fn indices(loader: &DataLoader<VariableLengthSums>, epoch: usize) -> Vec<Vec<usize>> {
        loader.epoch(epoch).map(|batch| batch.unwrap().indices).collect()
    }

    #[test]
    fn an_epoch_visits_every_example_once() {
        let loader = loader(10, |_| {}).unwrap();
        let batches = indices(&loader, 0);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!((loader.len(), loader.epoch(0).len()), (3, 3));
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(indices(&loader, 0), batches);
        assert_ne!(indices(&loader, 1), batches);
    }

    #[test]
    fn a_short_last_batch_can_be_omitted() {
        let loader = loader(10, |config| config.drop_last = true).unwrap();
        assert_eq!((loader.len(), indices(&loader, 0).concat().len()), (2, 8));
    }

    #[test]
    fn a_batch_has_at_most_max_tokens_steps() {
        let loader = loader(200, |config| {
            config.batching = Batching::Tokens { max_tokens: 100, oversize: Oversize::Refuse };
            config.bucket_size = Some(50);
        })
        .unwrap();
        assert_eq!(loader.len(), loader.plan(0).unwrap().len());
        for epoch in 0..3 {
            let batches = loader.epoch(epoch);
            assert_eq!(batches.len(), loader.plan(epoch).unwrap().len());
            assert!(batches.map(|batch| batch.unwrap().real_steps()).all(|steps| steps <= 100));
        }
    }

    #[test]
    fn loaders_without_a_batch_are_refused() {
        #[track_caller]
        fn check(num_samples: usize, change: fn(&mut LoaderConfig), message: &str) {
            assert_eq!(loader(num_samples, change).unwrap_err().to_string(), message);
        }
        check(3, |c| c.batching = Batching::Sequences(0), "batch_size is 0: expected at least 1");
        let no_tokens = Batching::Tokens { max_tokens: 0, oversize: Oversize::Alone };
        let error = loader(3, |_| {}).and_then(|loader| {
            let config = LoaderConfig { batching: no_tokens, ..LoaderConfig::new(1) };
            DataLoader::new(loader.dataset().clone(), config)
        });
        assert_eq!(error.unwrap_err().to_string(), "max_tokens is 0: expected at least 1");
        check(3, |c| c.bucket_size = Some(0), "bucket_size is 0: expected at least 1");
        check(3, |c| c.workers = 257, "workers is 257: expected 1 to 256");
        check(3, |c| c.prefetch = 0, "prefetch is 0: expected 1 to 1024");
        check(
            3,
            |c| (c.sampler, c.bucket_size) = (Sampler::Sequential, Some(2)),
            "bucket_size is 2: expected none, since the sampler is sequential",
        );
        let nothing = Subset::new(loader(3, |_| {}).unwrap().dataset, vec![]).unwrap();
        let error = DataLoader::new(nothing, LoaderConfig::new(4)).unwrap_err().to_string();
        assert_eq!(error, "the data set is empty: expected at least one example");
        let all = Batching::Sequences(usize::MAX);
        let loader_of_all = DataLoader::new(
            loader(3, |_| {}).unwrap().dataset().clone(),
            LoaderConfig { batching: all, ..LoaderConfig::new(1) },
        );
        assert_eq!(loader_of_all.unwrap().epoch(0).count(), 1);
        let message = "every epoch (drop_last) is empty: expected at least one example";
        check(3, |c| c.drop_last = true, message);
    }
}
