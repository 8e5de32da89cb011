//! Threads that make batches ahead of the caller.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::Work;
use crate::{Batch, Dataset, Error, Result};

/// W threads of which thread w makes batches w, w + W, w + 2 W and so on, each into a bounded queue
/// of its own. Who takes from the queues in turn gets the batches in order, without sorting them and
/// without waiting for more than the next one.
#[derive(Debug)]
pub(super) struct Workers {
    first: usize,
    queues: Vec<Receiver<Result<Batch>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `workers` threads on the batches from `first` on, `prefetch` ahead each.
    pub(super) fn start<D: Dataset>(
        work: &Arc<Work<D>>,
        first: usize,
        workers: usize,
        prefetch: usize,
    ) -> Result<Self> {
        let mut this = Self { first, queues: vec![], threads: vec![] };
        for worker in 0..workers {
            let (sender, queue) = sync_channel(prefetch);
            let work = work.clone();
            let batches = (first + worker..work.plan.len()).step_by(workers);
            let thread = Builder::new().name(format!("ragged-loader-{worker}"));
            let thread = thread.spawn(move || make(&work, batches, &sender));
            let thread = thread.map_err(|error| Error::Config {
                name: "workers",
                got: workers.to_string(),
                expected: format!("as many threads as the system gives ({error})"),
            })?;
            this.queues.push(queue);
            this.threads.push(thread);
        }
        Ok(this)
    }

    /// The next batch, which is `batch`.
    pub(super) fn batch(&mut self, batch: usize) -> Result<Batch> {
        let worker = (batch - self.first) % self.queues.len();
        self.queues[worker].recv().unwrap_or_else(|_| {
            // The thread is gone with batches left to make: only a panic outside the data set,
            // a fault of this crate's, can do that. It goes on in the caller.
            let thread = self.threads.swap_remove(worker);
            match thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => unreachable!("a worker makes all its batches while somebody waits"),
            }
        })
    }
}

fn make<D: Dataset>(
    work: &Work<D>,
    batches: impl Iterator<Item = usize>,
    sender: &SyncSender<Result<Batch>>,
) {
    for batch in batches {
        // Nobody waits any more: the epoch was left in the middle.
        if sender.send(work.batch(batch)).is_err() {
            return;
        }
    }
}

impl Drop for Workers {
    /// Lets every thread end with the batch that it is at, and waits for it.
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A panic has either been passed on or belongs to a batch that nobody wants.
            let _ = thread.join();
        }
    }
}
