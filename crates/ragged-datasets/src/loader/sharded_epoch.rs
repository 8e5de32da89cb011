//! The shards of the batches of one epoch, batch by batch.

use crate::dataset::Dataset;
use crate::error::Result;
use crate::loader::batch::Batch;
use crate::loader::epoch::Epoch;

/// The shards of the batches of one epoch, in order: for each batch those that are made, `None` for a shard without a
/// sequence. If a shard cannot be made, an error takes the place of its batch.
#[derive(Debug)]
pub struct ShardedEpoch<D> {
    pub(super) shards: Epoch<D>,
    /// For each batch, which of its shards have a sequence.
    pub(super) present: std::vec::IntoIter<Vec<bool>>,
}

impl<D: Dataset> Iterator for ShardedEpoch<D> {
    type Item = Result<Vec<Option<Batch>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let present = self.present.next()?;
        // All shards of a batch are taken, so that the next batch begins with its own.
        let shards: Vec<_> =
            present.into_iter().map(|present| present.then(|| self.shards.next())?).collect();
        Some(shards.into_iter().map(Option::transpose).collect())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.present.size_hint()
    }
}

impl<D: Dataset> ExactSizeIterator for ShardedEpoch<D> {}
