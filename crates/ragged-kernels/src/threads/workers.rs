//! The workers of all calls: threads of rayon's global pool that poll for the next job before they return to
//! the pool.
//!
//! A sleeping thread takes some tens of microseconds to wake, which is as long as a whole call on a small
//! layer. So a worker whose job is done polls for the next one for a while, and a call starts workers only
//! where too few are polling. A polling worker yields its core to every other thread.
//!
//! *Guarantee.* Every submitted job runs, once, and on a worker that no other job waiting in the queue counts on: under
//! the lock, `jobs.len()` is at most the number of workers that poll or are about to start. A worker leaves only after
//! it has found the queue empty under the lock. `tests/schedules.rs` checks this for two and three jobs.

use std::collections::VecDeque;
use std::sync::{LazyLock, PoisonError};

use crate::threads::sync::{Arc, AtomicUsize, Mutex, Ordering, spawn};
use crate::threads::wait::poll_while_idle;

/// What a worker does for a call.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

static WORKERS: LazyLock<Arc<Workers>> = LazyLock::new(Workers::new);

/// Has each of the jobs run by another thread. If the pool is busy, they may run late.
pub(crate) fn submit(jobs: Vec<Job>) {
    Workers::submit(&WORKERS, jobs);
}

/// The workers and the jobs that wait for one.
pub(crate) struct Workers {
    queue: Mutex<JobQueue>,
    /// The length of the queue, readable without the lock.
    queued_jobs: AtomicUsize,
}

struct JobQueue {
    jobs: VecDeque<Job>,
    /// Workers that poll for a job.
    idle: usize,
}

impl Workers {
    pub(crate) fn new() -> Arc<Self> {
        let queue = Mutex::new(JobQueue { jobs: VecDeque::new(), idle: 0 });
        Arc::new(Self { queue, queued_jobs: AtomicUsize::new(0) })
    }

    /// Calls `f` with the queue, then publishes its length.
    fn locked<R>(&self, f: impl FnOnce(&mut JobQueue) -> R) -> R {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut queue);
        self.queued_jobs.store(queue.jobs.len(), Ordering::Release);
        result
    }

    /// Queues the jobs, and starts a worker for each that no idle worker will take.
    pub(crate) fn submit(this: &Arc<Self>, jobs: Vec<Job>) {
        let count = jobs.len();
        let available = this.locked(|queue| {
            let available = queue.idle.saturating_sub(queue.jobs.len());
            queue.jobs.extend(jobs);
            available
        });
        for _ in available..count {
            let this = this.clone();
            spawn(move || this.run_jobs());
        }
    }

    /// Runs jobs until none has come for a while.
    fn run_jobs(&self) {
        let mut idle = false;
        loop {
            let job = self.locked(|queue| {
                queue.idle -= usize::from(idle);
                let job = queue.jobs.pop_front();
                // A worker that has polled in vain leaves, and is idle no more.
                queue.idle += usize::from(job.is_none() && !idle);
                job
            });
            match job {
                Some(job) => {
                    idle = false;
                    job();
                }
                None if idle => return,
                None => {
                    idle = true;
                    poll_while_idle(|| self.queued_jobs.load(Ordering::Acquire) > 0);
                }
            }
        }
    }
}
