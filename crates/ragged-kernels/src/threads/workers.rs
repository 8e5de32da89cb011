//! The workers of all calls: threads of rayon's global pool that poll for the next job before they return to
//! the pool.
//!
//! A sleeping thread takes some tens of microseconds to wake, which is as long as a whole call on a small
//! layer. So a worker whose job is done polls for the next one for a while, and a call starts workers only
//! where too few are polling. A polling worker yields its core to every other thread.
//!
//! *Bound.* While the pool is busy with other work, no worker comes, and jobs would pile up with every call. So
//! the queue takes only [`MAX_QUEUED`] jobs and gives the others up: a call does not need its workers.
//!
//! *Guarantee.* Every job in the queue runs once, and has a worker to itself: while the lock is held, there are at least
//! as many workers that poll or are about to start as jobs in the queue. A worker leaves only after it has found the
//! queue empty under the lock. `tests/schedules.rs` checks this for two and three jobs.

use std::collections::VecDeque;
use std::sync::{LazyLock, PoisonError};

use crate::threads::sync::{Arc, AtomicUsize, Mutex, Ordering, spawn};
use crate::threads::wait::poll_while_idle;

/// What a worker does for a call.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

static WORKERS: LazyLock<Arc<Workers>> = LazyLock::new(Workers::new);

/// The most jobs that wait. More than there are threads in a large pool would wait in vain.
const MAX_QUEUED: usize = 256;

/// Has each of the jobs run by another thread. If the pool is busy, they may run late or not at all.
pub(crate) fn submit(jobs: Vec<Job>) {
    Workers::submit(&WORKERS, jobs);
}

/// Locks the queue of all calls until the result is dropped.
#[cfg(all(unix, not(miri)))]
pub(crate) fn lock_workers() -> impl Sized + 'static {
    let workers: &'static Workers = &WORKERS;
    workers.queue.lock().unwrap_or_else(PoisonError::into_inner)
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

impl JobQueue {
    /// Queues jobs, and returns the number of workers to start for them.
    fn accept(&mut self, mut jobs: Vec<Job>) -> usize {
        let available = self.idle.saturating_sub(self.jobs.len());
        jobs.truncate(MAX_QUEUED.saturating_sub(self.jobs.len()));
        let count = jobs.len();
        self.jobs.extend(jobs);
        count.saturating_sub(available)
    }
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

    /// Queues the jobs for which there is room, and starts a worker for each of them that no idle worker will
    /// take.
    pub(crate) fn submit(this: &Arc<Self>, jobs: Vec<Job>) {
        for _ in 0..this.locked(|queue| queue.accept(jobs)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls from within a busy pool once left their jobs in the queue for ever.
    #[test]
    fn a_queue_that_nobody_empties_is_bounded() {
        let mut queue = JobQueue { jobs: VecDeque::new(), idle: 1 };
        let jobs = |count: usize| (0..count).map(|_| Box::new(|| ()) as Job).collect::<Vec<_>>();
        let mut started = queue.accept(jobs(3));
        assert_eq!((queue.jobs.len(), started), (3, 2));
        for _ in 0..1000 {
            started += queue.accept(jobs(3));
        }
        assert_eq!((queue.jobs.len(), started), (MAX_QUEUED, MAX_QUEUED - 1));
        // There is room again when a worker has taken some.
        queue.jobs.drain(..2);
        queue.accept(jobs(3));
        assert_eq!(queue.jobs.len(), MAX_QUEUED);
    }
}
