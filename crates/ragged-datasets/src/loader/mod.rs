//! Batches of a data set, epoch by epoch.

mod workers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use candle_core::Device;

use crate::batching::{Batcher, count};
use crate::error::check_size;
use crate::{Batch, BatchPlan, Batching, Collate, Dataset, Error, Example, Result, Sampler};
use workers::Workers;

/// How a data set becomes batches.
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// What goes into a batch together.
    pub batching: Batching,
    /// The order of the examples.
    pub sampler: Sampler,
    /// Sort stretches of so many examples of the sampler's order by length before they are cut into
    /// batches, and shuffle the batches: batch mates have similar lengths, and still change from
    /// epoch to epoch. Some 50 batches' worth keeps most of the randomness and takes most of the
    /// padding away. Not with [`Sampler::Sequential`], whose order stays as it is.
    pub bucket_size: Option<usize>,
    /// Packed or padded.
    pub collate: Collate,
    /// Whether a last batch that is not full is left out.
    pub drop_last: bool,
    /// Where the tensors lie.
    pub device: Device,
    /// Threads that make batches in the background, at most 256; with 0 the caller makes its own.
    /// The batches are the same for any number.
    pub workers: usize,
    /// Batches that each worker may be ahead, 1 to 1024.
    pub prefetch: usize,
}

impl LoaderConfig {
    /// Packed batches of so many sequences in sequential order on the CPU, the last one kept, made
    /// by the caller's thread.
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

    fn check(&self) -> Result<()> {
        let (name, size) = match self.batching {
            Batching::Sequences(size) => ("batch_size", size),
            Batching::Tokens { max_tokens, .. } => ("max_tokens", max_tokens),
        };
        for (name, size) in [(name, size), ("bucket_size", self.bucket_size.unwrap_or(1))] {
            if size == 0 {
                return Err(Error::Config { name, got: "0".into(), expected: "at least 1".into() });
            }
        }
        if let (Some(size), Sampler::Sequential) = (self.bucket_size, &self.sampler) {
            let expected = "none, since the sampler is sequential".into();
            return Err(Error::Config { name: "bucket_size", got: size.to_string(), expected });
        }
        check_size("prefetch", self.prefetch, 1024)?;
        match self.workers {
            0 => Ok(()),
            workers => check_size("workers", workers, 256),
        }
    }
}

/// A data set in batches.
///
/// The batches of an epoch depend on the configuration and the epoch alone: not on what was asked
/// before, nor on the number of workers. So (epoch, batch) is all of a position:
/// [`epoch_from`](Self::epoch_from) goes on there without making the batches before it.
#[derive(Debug, Clone)]
pub struct DataLoader<D> {
    dataset: Arc<D>,
    config: LoaderConfig,
    len: usize,
}

impl<D: Dataset> DataLoader<D> {
    /// # Errors
    ///
    /// [`Error::Empty`] for a data set without an example, or for `drop_last` with fewer examples
    /// than a batch takes; [`Error::Config`] for a size of zero, weights or strata of another
    /// number of examples, or buckets of a sequential order; [`Error::Example`] for a sequence that
    /// [`OverLong::Refuse`](crate::OverLong::Refuse) refuses.
    pub fn new(dataset: D, config: LoaderConfig) -> Result<Self> {
        config.check()?;
        if dataset.is_empty() {
            return Err(Error::Empty("the data set"));
        }
        // An order that cannot be had is found here, not in the first epoch.
        config.sampler.indices(dataset.len(), 0)?;
        let mut loader = Self { dataset: Arc::new(dataset), config, len: 0 };
        loader.len = match loader.config.batching {
            Batching::Sequences(size) => count(loader.dataset.len(), size, loader.config.drop_last),
            Batching::Tokens { .. } => loader.plan(0)?.len(),
        };
        if loader.is_empty() {
            return Err(Error::Empty("every epoch (drop_last)"));
        }
        Ok(loader)
    }

    /// The number of batches in the first epoch. Batches of a number of sequences are as many in
    /// every epoch; batches of tokens can be a few more or less, which [`Epoch::len`] tells.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether an epoch has no batch; never so for a loader that could be made.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// Which examples the batches of an epoch hold, without making them.
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::length`], and [`Error::Example`] for a sequence that is refused.
    pub fn plan(&self, epoch: usize) -> Result<BatchPlan> {
        let LoaderConfig { ref sampler, batching, bucket_size, drop_last, .. } = self.config;
        let batcher = Batcher { sampler, batching, bucket_size, drop_last };
        let length = |index| self.dataset.length(epoch, index);
        BatchPlan::new(&batcher, self.dataset.len(), epoch, length)
    }

    /// The batches of one epoch, counted from 0.
    pub fn epoch(&self, epoch: usize) -> Epoch<D> {
        self.epoch_from(epoch, 0)
    }

    /// The batches of one epoch from `batch` on, both counted from 0: where a run that stopped after
    /// `batch` batches goes on. Nothing is left behind the last batch.
    pub fn epoch_from(&self, epoch: usize, batch: usize) -> Epoch<D> {
        let LoaderConfig { collate, ref device, workers, prefetch, .. } = self.config;
        let (source, len) = match self.plan(epoch) {
            Err(error) => (Source::Failed(Some(error)), batch.saturating_add(1)),
            Ok(plan) => {
                let (dataset, device) = (self.dataset.clone(), device.clone());
                let len = plan.len();
                let work = Arc::new(Work { dataset, epoch, plan, collate, device });
                // No more threads than there are batches to make.
                let source = match workers.min(len.saturating_sub(batch)) {
                    0 => Source::Caller(work),
                    workers => match Workers::start(&work, batch, workers, prefetch) {
                        Ok(workers) => Source::Background(workers),
                        Err(error) => Source::Failed(Some(error)),
                    },
                };
                (source, len)
            }
        };
        Epoch { source, next: batch, len }
    }
}

/// The batches of one epoch, in order.
///
/// A batch that cannot be had is an error in its place, [`Error::Load`] with the example's index
/// where the data set failed or panicked; the batches behind it come all the same.
#[derive(Debug)]
pub struct Epoch<D> {
    source: Source<D>,
    next: usize,
    len: usize,
}

#[derive(Debug)]
enum Source<D> {
    Caller(Arc<Work<D>>),
    Background(Workers),
    /// There is no plan or no thread: one error, and no batch.
    Failed(Option<Error>),
}

impl<D: Dataset> Iterator for Epoch<D> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.len {
            return None;
        }
        let batch = self.next;
        self.next += 1;
        match &mut self.source {
            Source::Caller(work) => Some(work.batch(batch)),
            Source::Background(workers) => Some(workers.batch(batch)),
            Source::Failed(error) => {
                self.next = self.len;
                error.take().map(Err)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.len.saturating_sub(self.next);
        (left, Some(left))
    }
}

impl<D: Dataset> ExactSizeIterator for Epoch<D> {}

/// All that it takes to make any batch of an epoch.
#[derive(Debug)]
struct Work<D> {
    dataset: Arc<D>,
    epoch: usize,
    plan: BatchPlan,
    collate: Collate,
    device: Device,
}

impl<D: Dataset> Work<D> {
    fn batch(&self, batch: usize) -> Result<Batch> {
        let indices = self.plan.get(batch).unwrap_or_default();
        let examples: Result<Vec<_>> =
            indices.iter().map(|&index| Ok((index, self.example(index)?))).collect();
        self.collate.collate(&examples?, &self.device)
    }

    /// An example, or an error with its index: a data set's panic is one too, with any number of
    /// workers. The data set is not asked for anything that the panic may have left half done: it
    /// gives the same examples whatever was asked before.
    fn example(&self, index: usize) -> Result<Example> {
        match catch_unwind(AssertUnwindSafe(|| self.dataset.get(self.epoch, index))) {
            Ok(result) => result.map_err(|error| Error::Load { index, source: error.into() }),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message = message.or(panic.downcast_ref::<&str>().copied());
                let source = format!("panicked: {}", message.unwrap_or("no message")).into();
                Err(Error::Load { index, source })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OverLong, Subset, VariableLengthSums, VariableLengthSumsConfig};

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
    fn a_short_last_batch_can_be_left_out() {
        let loader = loader(10, |config| config.drop_last = true).unwrap();
        assert_eq!((loader.len(), indices(&loader, 0).concat().len()), (2, 8));
    }

    #[test]
    fn a_batch_of_tokens_holds_no_more_than_that() {
        let loader = loader(200, |config| {
            config.batching = Batching::Tokens { max_tokens: 100, over_long: OverLong::Refuse };
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
        let no_tokens = Batching::Tokens { max_tokens: 0, over_long: OverLong::Alone };
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
