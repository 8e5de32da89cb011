//! Threads that make batches ahead of the caller.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::loader::batch::Batch;
use crate::loader::batch_source::BatchSource;

/// W threads, of which thread w makes batches w, w + W, w + 2 W and so on.
///
/// Each thread has its own bounded queue. A caller that takes one batch from each queue in turn gets
/// the batches in order, and waits only for the next one.
#[derive(Debug)]
pub(super) struct Workers {
    first: usize,
    queues: Vec<Receiver<Result<Batch>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `workers` threads at batch `first`; each makes `prefetch` batches ahead.
    pub(super) fn start<D: Dataset>(
        source: &Arc<BatchSource<D>>,
        first: usize,
        workers: usize,
        prefetch: usize,
    ) -> Result<Self> {
        let mut this = Self { first, queues: vec![], threads: vec![] };
        for worker in 0..workers {
            let (sender, queue) = sync_channel(prefetch);
            let source = source.clone();
            let batches = (first + worker..source.plan.len()).step_by(workers);
            let thread = Builder::new().name(format!("ragged-loader-{worker}"));
            let thread = thread.spawn(move || make(&source, batches, &sender));
            let thread = thread.map_err(|source| Error::Workers { workers, source })?;
            this.queues.push(queue);
            this.threads.push(thread);
        }
        Ok(this)
    }

    /// Returns the next batch in order, whose number is `batch`.
    pub(super) fn batch(&mut self, batch: usize) -> Result<Batch> {
        let worker = (batch - self.first) % self.queues.len();
        self.queues[worker].recv().unwrap_or_else(|_| {
            // The thread ended before its last batch. Panics of the data set are errors, so this can
            // only be a panic in this crate. It continues in the calling thread.
            let thread = self.threads.swap_remove(worker);
            match thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => unreachable!("a worker sends all its batches while the queue exists"),
            }
        })
    }
}

fn make<D: Dataset>(
    source: &BatchSource<D>,
    batches: impl Iterator<Item = usize>,
    sender: &SyncSender<Result<Batch>>,
) {
    for batch in batches {
        // Sending fails once the caller has dropped the epoch.
        if sender.send(source.batch(batch)).is_err() {
            return;
        }
    }
}

impl Drop for Workers {
    /// Ends every thread after its current batch, and waits for it.
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A panic was either passed on already, or it concerns a batch that nothing uses.
            let _ = thread.join();
        }
    }
}
