//! Batches of a data set, epoch by epoch.

use candle_core::Device;

use crate::{Batch, Collate, Dataset, Error, Result, Sampler};

/// How a data set becomes batches.
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// Sequences in a batch; at least 1.
    pub batch_size: usize,
    /// The order of the examples.
    pub sampler: Sampler,
    /// Packed or padded.
    pub collate: Collate,
    /// Whether a last batch with fewer sequences is left out.
    pub drop_last: bool,
    /// Where the tensors lie.
    pub device: Device,
}

impl LoaderConfig {
    /// Packed batches in sequential order on the CPU, the last one kept.
    pub fn new(batch_size: usize) -> Self {
        let (sampler, collate) = (Sampler::Sequential, Collate::Packed);
        Self { batch_size, sampler, collate, drop_last: false, device: Device::Cpu }
    }
}

/// A data set in batches. The same epoch always gives the same batches.
#[derive(Debug, Clone)]
pub struct DataLoader<D> {
    dataset: D,
    config: LoaderConfig,
}

impl<D: Dataset> DataLoader<D> {
    /// # Errors
    ///
    /// [`Error::Empty`] for a data set without an example, or for `drop_last` with fewer examples
    /// than a batch takes; [`Error::Config`] for a batch size of zero.
    pub fn new(dataset: D, config: LoaderConfig) -> Result<Self> {
        if config.batch_size == 0 {
            let (got, expected) = ("0".into(), "at least 1".into());
            return Err(Error::Config { name: "batch_size", got, expected });
        }
        let loader = Self { dataset, config };
        if loader.dataset.is_empty() {
            return Err(Error::Empty("the data set"));
        }
        if loader.is_empty() {
            return Err(Error::Empty("every epoch (drop_last)"));
        }
        Ok(loader)
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        let (examples, batch_size) = (self.dataset.len(), self.config.batch_size);
        if self.config.drop_last { examples / batch_size } else { examples.div_ceil(batch_size) }
    }

    /// Whether an epoch has no batch; never so for a loader that could be made.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// The batches of one epoch, counted from 0.
    pub fn epoch(&self, epoch: usize) -> Epoch<'_, D> {
        let indices = self.config.sampler.indices(self.dataset.len(), epoch);
        Epoch { loader: self, epoch, indices, next: 0 }
    }
}

/// The batches of one epoch.
#[derive(Debug)]
pub struct Epoch<'a, D> {
    loader: &'a DataLoader<D>,
    epoch: usize,
    indices: Vec<usize>,
    next: usize,
}

impl<D: Dataset> Iterator for Epoch<'_, D> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.loader.len() {
            return None;
        }
        let LoaderConfig { batch_size, collate, device, .. } = &self.loader.config;
        let begin = self.next * batch_size;
        let end = (begin + batch_size).min(self.indices.len());
        self.next += 1;
        let examples = self.indices[begin..end].iter().map(|&index| {
            let example = self.loader.dataset.get(self.epoch, index)?;
            Ok((index, example))
        });
        let examples: Result<Vec<_>> = examples.collect();
        Some(examples.and_then(|examples| collate.collate(&examples, device)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.len() - self.next;
        (left, Some(left))
    }
}

impl<D: Dataset> ExactSizeIterator for Epoch<'_, D> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Subset, VariableLengthSums, VariableLengthSumsConfig};

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
    fn loaders_without_a_batch_are_refused() {
        #[track_caller]
        fn check(num_samples: usize, change: fn(&mut LoaderConfig), message: &str) {
            assert_eq!(loader(num_samples, change).unwrap_err().to_string(), message);
        }
        check(3, |c| c.batch_size = 0, "batch_size is 0: expected at least 1");
        let nothing = Subset::new(loader(3, |_| {}).unwrap().dataset, vec![]).unwrap();
        let error = DataLoader::new(nothing, LoaderConfig::new(4)).unwrap_err().to_string();
        assert_eq!(error, "the data set is empty: expected at least one example");
        assert_eq!(loader(3, |c| c.batch_size = usize::MAX).unwrap().epoch(0).count(), 1);
        let message = "every epoch (drop_last) is empty: expected at least one example";
        check(3, |c| c.drop_last = true, message);
    }
}
