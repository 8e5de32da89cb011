//! Steps that several threads take together, each on a part of the units.
//!
//! Where the weights exceed a core's cache, or there are too few sequences for all threads, the threads share
//! every step. They synchronise after each, since a step reads everything that the step before has written.
//!
//! The units are divided into shards, one per thread, and a shard into chunks. A thread first takes the chunks
//! of its own shard, whose weights its cache holds, and then those of shards whose owner is absent or late.
//!
//! *Guarantees*. `tests/schedules.rs` checks the first two for two threads and all interleavings with few
//! preemptions, and `tests.rs` the others:
//!
//! - Each chunk of each step is given to one thread.
//! - A thread gets a chunk of a step after all chunks of the step before are done, and sees what they wrote.
//! - No thread waits for one that has not begun a chunk: one thread alone takes all chunks of all steps. A
//!   thread that arrives late skips the steps that are done.
//! - If a thread panics within a chunk, the others stop, by a panic or without further chunks.

use std::ops::Range;

use crate::threads::sync::{AtomicBool, AtomicUsize, Ordering};
use crate::threads::wait::{POLLS_BEFORE_STEALING, wait_until};

/// The shards of all threads over all steps.
pub(crate) struct StepScheduler {
    steps: usize,
    shards: Vec<Shard>,
    /// A thread has panicked within a chunk, which will never be done.
    broken: AtomicBool,
}

/// One thread's shard. Each counter has a cache line of its own: the owner writes them in every step, and the
/// other threads read `done` after every step but `taken` only if the owner is late.
struct Shard {
    chunks: Range<usize>,
    /// Whether the owner has arrived.
    present: AtomicBool,
    /// Chunks taken since the first step: `step * chunks + chunk`.
    taken: CachePadded,
    /// Steps done, for each chunk. A counter per chunk is written by a plain store, which need not wait for
    /// the cache line to arrive as a counter of the shard would.
    done: Vec<CachePadded>,
}

/// Two cache lines, since x86-64 processors prefetch lines in pairs.
#[repr(align(128))]
struct CachePadded(AtomicUsize);

impl CachePadded {
    fn new() -> Self {
        Self(AtomicUsize::new(0))
    }
}

impl StepScheduler {
    /// `chunks` a step, cut into contiguous shards for `num_threads` threads.
    pub(crate) fn new(steps: usize, chunks: usize, num_threads: usize) -> Self {
        let shard = |thread_id: usize| {
            let chunks = chunks * thread_id / num_threads..chunks * (thread_id + 1) / num_threads;
            let done = chunks.clone().map(|_| CachePadded::new()).collect();
            Shard { chunks, present: AtomicBool::new(false), taken: CachePadded::new(), done }
        };
        Self {
            steps,
            shards: (0..num_threads).map(shard).collect(),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns a thread's view of the steps. The thread owns the shard `thread_id`.
    pub(crate) fn owner(&self, thread_id: usize) -> ShardOwner<'_> {
        self.shards[thread_id].present.store(true, Ordering::Relaxed);
        ShardOwner { scheduler: self, thread_id, step: 0, at_work: None }
    }
}

/// One thread's view of the steps.
pub(crate) struct ShardOwner<'a> {
    scheduler: &'a StepScheduler,
    thread_id: usize,
    step: usize,
    /// The chunk that the thread is working on, and its shard.
    at_work: Option<(&'a Shard, usize)>,
}

impl ShardOwner<'_> {
    /// Marks the chunk that the last call returned as done, and takes the next one. Returns its step and its
    /// number, or `None` after the last step.
    pub(crate) fn next(&mut self) -> Option<(usize, usize)> {
        if let Some((shard, chunk)) = self.at_work.take() {
            shard.done[chunk - shard.chunks.start].0.store(self.step + 1, Ordering::Release);
        }
        let StepScheduler { steps, shards, broken } = self.scheduler;
        while self.step < *steps {
            let mut others = shards[self.thread_id..].iter().chain(&shards[..self.thread_id]);
            let own = others.next();
            // Any thread may take the chunks of an owner that is absent or late.
            let mut taken = own.and_then(|shard| Some((shard, shard.take(self.step)?)));
            for shard in others {
                if taken.is_some() {
                    break;
                }
                let mut polls =
                    if shard.present.load(Ordering::Relaxed) { 0 } else { POLLS_BEFORE_STEALING };
                wait_until(|| {
                    assert!(
                        !broken.load(Ordering::Relaxed),
                        "another thread of the kernel has panicked"
                    );
                    if polls >= POLLS_BEFORE_STEALING {
                        taken = shard.take(self.step).map(|chunk| (shard, chunk));
                        polls = 0;
                    }
                    polls += 1;
                    taken.is_some() || shard.is_done(self.step)
                });
            }
            if let Some((shard, chunk)) = taken {
                self.at_work = Some((shard, chunk));
                return Some((self.step, chunk));
            }
            // Another thread may still be working on a chunk of this thread's own shard.
            if let Some(shard) = own {
                wait_until(|| broken.load(Ordering::Relaxed) || shard.is_done(self.step));
            }
            self.step += 1;
        }
        None
    }
}

impl Drop for ShardOwner<'_> {
    fn drop(&mut self) {
        // Only a panic ends a thread within a chunk.
        if self.at_work.is_some() {
            self.scheduler.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl Shard {
    /// Takes a chunk of the step, if there is one that no thread has taken.
    fn take(&self, step: usize) -> Option<usize> {
        let end = (step + 1) * self.chunks.len();
        let mut next = self.taken.0.load(Ordering::Relaxed);
        while next < end {
            let after = next + 1;
            let order = (Ordering::Relaxed, Ordering::Relaxed);
            match self.taken.0.compare_exchange_weak(next, after, order.0, order.1) {
                // Even steps go forwards and odd ones backwards: a cache still holds the weights of the chunks
                // taken last.
                Ok(_) if step.is_multiple_of(2) => {
                    return Some(self.chunks.start + next - step * self.chunks.len());
                }
                Ok(_) => return Some(self.chunks.start + (end - 1 - next)),
                Err(now) => next = now,
            }
        }
        None
    }

    /// Returns whether all chunks of the step are done.
    fn is_done(&self, step: usize) -> bool {
        self.done.iter().all(|done| done.0.load(Ordering::Acquire) > step)
    }
}
