//! Where the helpers of a call come from: rayon's global pool, and the lookout.
//!
//! A sleeping thread takes some tens of microseconds to wake, as long as a small layer takes
//! altogether. So a helper whose call is over looks out for the next one before it goes back to the
//! pool, a while that bridges what lies between the layers of a training step, and a call wakes
//! somebody only where too few are on the lookout. Whoever is there lets every other thread go first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a helper looks out for the next call.
const IDLE_POLL_LIMIT: Duration = Duration::from_micros(300);

/// What a helper does for a call.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The calls that want help.
struct JobQueue {
    jobs: VecDeque<Job>,
    /// Helpers on the lookout.
    idle: usize,
}

static QUEUE: Mutex<JobQueue> = Mutex::new(JobQueue { jobs: VecDeque::new(), idle: 0 });

/// The length of the queue, readable without the lock.
static QUEUED_JOBS: AtomicUsize = AtomicUsize::new(0);

fn queue() -> MutexGuard<'static, JobQueue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has each of these done by another thread, soon or late: a pool that is busy may take long.
pub(crate) fn submit(jobs: impl ExactSizeIterator<Item = Job>) {
    let count = jobs.len();
    let mut queue = queue();
    let coming = queue.idle.saturating_sub(queue.jobs.len());
    queue.jobs.extend(jobs);
    QUEUED_JOBS.store(queue.jobs.len(), Ordering::Release);
    drop(queue);
    for _ in coming..count {
        rayon::spawn(worker_loop);
    }
}

/// A helper's life: from call to call, until none comes for a while.
fn worker_loop() {
    let mut idle = false;
    loop {
        let mut queue = queue();
        if idle {
            queue.idle -= 1;
        }
        if let Some(job) = queue.jobs.pop_front() {
            QUEUED_JOBS.store(queue.jobs.len(), Ordering::Release);
            drop(queue);
            job();
            idle = false;
            continue;
        }
        if idle {
            return;
        }
        queue.idle += 1;
        drop(queue);
        idle = true;
        let begin = Instant::now();
        while QUEUED_JOBS.load(Ordering::Acquire) == 0 && begin.elapsed() < IDLE_POLL_LIMIT {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread::ThreadId;

    use super::*;

    #[test]
    fn all_that_is_asked_is_done_elsewhere() {
        let (done, all) = channel::<(usize, ThreadId)>();
        for round in 0..20 {
            let one = |k: usize| -> Job {
                let done = done.clone();
                Box::new(move || done.send((k, std::thread::current().id())).unwrap())
            };
            submit((0..3).map(|k| one(round * 3 + k)));
            if round % 5 == 0 {
                // The lookout ends meanwhile.
                std::thread::sleep(IDLE_POLL_LIMIT * 4);
            }
        }
        let mut seen: Vec<_> = all.iter().take(60).collect();
        seen.sort_unstable_by_key(|&(k, _)| k);
        assert!(seen.iter().enumerate().all(|(k, &(seen, _))| k == seen));
        assert!(seen.iter().all(|&(_, thread)| thread != std::thread::current().id()));
    }

    #[test]
    fn what_is_asked_is_let_go_when_done() {
        let kept = Arc::new(());
        let (done, wait) = channel();
        let held = kept.clone();
        let job: Job = Box::new(move || {
            drop(held);
            done.send(()).unwrap();
        });
        submit([job].into_iter());
        wait.recv().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
