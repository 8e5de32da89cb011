//! The batches of one epoch, one after the other.

use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::loader::batch::Batch;
use crate::loader::batch_source::BatchSource;
use crate::loader::workers::Workers;

/// The batches of one epoch, in order.
///
/// If a batch cannot be made, the iterator returns an error in its place and continues with the next
/// batch. [`Error::Load`] and [`Error::Panicked`] have the index of the example at fault.
#[derive(Debug)]
pub struct Epoch<D> {
    maker: Maker<D>,
    next: usize,
    len: usize,
}

/// Where the batches are made.
#[derive(Debug)]
pub(super) enum Maker<D> {
    Caller(Arc<BatchSource<D>>),
    Background(Workers),
    /// Without a plan or threads, the epoch is this one error.
    Failed(Option<Error>),
}

impl<D> Epoch<D> {
    /// The batches from `next` to the one before `len`.
    pub(super) fn new(maker: Maker<D>, next: usize, len: usize) -> Self {
        Self { maker, next, len }
    }

    /// An epoch whose only batch, `batch`, is an error.
    pub(super) fn failed(error: Error, batch: usize) -> Self {
        Self { maker: Maker::Failed(Some(error)), next: batch, len: batch.saturating_add(1) }
    }
}

impl<D: Dataset> Iterator for Epoch<D> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.len {
            return None;
        }
        let batch = self.next;
        self.next += 1;
        match &mut self.maker {
            Maker::Caller(source) => Some(source.batch(batch)),
            Maker::Background(workers) => Some(workers.batch(batch)),
            Maker::Failed(error) => {
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
