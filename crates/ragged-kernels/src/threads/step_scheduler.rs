//! Steps that several threads take together, each on a share of the units.
//!
//! Where the weights are too large for a core's cache, or sequences too few to go round, threads
//! share every step. They meet after each one: a step reads what all of the step before wrote. A
//! shard is cut into chunks; a thread takes those of its own shard first, whose weights its cache
//! holds, and then helps with the others'.
//!
//! Nobody waits for a thread that is not there: one thread alone would take all chunks of all steps,
//! and a late one finds the steps so far done. What is waited for is a chunk that somebody has begun,
//! by spinning for as long as a chunk may take and then by sleeping, which leaves the core to the one
//! thread_id is waited for.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::threads::wait::wait_until;

/// The shards of all threads over all steps.
pub(crate) struct StepScheduler {
    steps: usize,
    shards: Vec<Shard>,
    /// A thread has left by panic: its chunk will never be done.
    broken: AtomicBool,
}

/// One thread's shard. The counters lie on cache lines of their own: the owner writes them all the
/// time, and the others look at `done` after each step, but at `taken` only where the owner is late.
struct Shard {
    chunks: Range<usize>,
    /// Whether the owner has come.
    present: AtomicBool,
    /// Chunks taken since the first step: `step * chunks + chunk`.
    taken: CachePadded,
    /// Steps done, chunk by chunk: a plain store says so, and whoever stores need not wait for it to
    /// reach the others.
    done: Vec<CachePadded>,
}

#[derive(Default)]
#[repr(align(128))]
struct CachePadded(AtomicUsize);

/// Rounds of waiting after which an owner is late.
const POLLS_BEFORE_STEALING: usize = 1000;

impl StepScheduler {
    /// `chunks` a step, cut into contiguous shards for `num_threads` threads.
    pub(crate) fn new(steps: usize, chunks: usize, num_threads: usize) -> Self {
        let shard = |thread_id: usize| {
            let chunks = chunks * thread_id / num_threads..chunks * (thread_id + 1) / num_threads;
            let done = chunks.clone().map(|_| CachePadded::default()).collect();
            Shard { chunks, present: AtomicBool::new(false), taken: CachePadded::default(), done }
        };
        Self {
            steps,
            shards: (0..num_threads).map(shard).collect(),
            broken: AtomicBool::new(false),
        }
    }

    /// The part of a thread that owns shard `who`.
    pub(crate) fn owner(&self, thread_id: usize) -> ShardOwner<'_> {
        self.shards[thread_id].present.store(true, Ordering::Relaxed);
        ShardOwner { scheduler: self, thread_id, step: 0, at_work: None }
    }
}

/// A thread's thread_id: the chunks that it takes, step by step.
pub(crate) struct ShardOwner<'a> {
    scheduler: &'a StepScheduler,
    thread_id: usize,
    step: usize,
    /// The chunk that is being worked on, and whose shard it is of.
    at_work: Option<(&'a Shard, usize)>,
}

impl ShardOwner<'_> {
    /// Says that the chunk of the last call is done, and takes the next one as `(step, chunk)`: each
    /// goes to one thread, after all chunks of the step before.
    pub(crate) fn next(&mut self) -> Option<(usize, usize)> {
        if let Some((shard, chunk)) = self.at_work.take() {
            shard.done[chunk - shard.chunks.start].0.store(self.step + 1, Ordering::Release);
        }
        let StepScheduler { steps, shards, broken } = self.scheduler;
        while self.step < *steps {
            let mut others = shards[self.thread_id..].iter().chain(&shards[..self.thread_id]);
            let mine = others.next();
            // A shard whose owner is not there, or late, is everybody's.
            let mut taken = mine.and_then(|shard| Some((shard, shard.take(self.step)?)));
            for shard in others {
                if taken.is_some() {
                    break;
                }
                let mut rounds =
                    if shard.present.load(Ordering::Relaxed) { 0 } else { POLLS_BEFORE_STEALING };
                wait_until(|| {
                    assert!(!broken.load(Ordering::Relaxed), "a thread that took part panicked");
                    if rounds >= POLLS_BEFORE_STEALING {
                        taken = shard.take(self.step).map(|chunk| (shard, chunk));
                        rounds = 0;
                    }
                    rounds += 1;
                    taken.is_some() || shard.is_done(self.step)
                });
            }
            if let Some((shard, chunk)) = taken {
                self.at_work = Some((shard, chunk));
                return Some((self.step, chunk));
            }
            // Nobody may still be at work on a chunk of this thread's own shard.
            if let Some(shard) = mine {
                wait_until(|| broken.load(Ordering::Relaxed) || shard.is_done(self.step));
            }
            self.step += 1;
        }
        None
    }
}

impl Drop for ShardOwner<'_> {
    fn drop(&mut self) {
        // A chunk that is still being worked on was left by panic.
        if self.at_work.is_some() {
            self.scheduler.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl Shard {
    /// A chunk of the step that nobody has taken.
    fn take(&self, step: usize) -> Option<usize> {
        let end = (step + 1) * self.chunks.len();
        let mut next = self.taken.0.load(Ordering::Relaxed);
        while next < end {
            let after = next + 1;
            let order = (Ordering::Relaxed, Ordering::Relaxed);
            match self.taken.0.compare_exchange_weak(next, after, order.0, order.1) {
                // There and back again: a cache still holds the weights of the chunks taken last.
                Ok(_) if step.is_multiple_of(2) => {
                    return Some(self.chunks.start + next - step * self.chunks.len());
                }
                Ok(_) => return Some(self.chunks.start + (end - 1 - next)),
                Err(now) => next = now,
            }
        }
        None
    }

    /// Whether all chunks of the step are done.
    fn is_done(&self, step: usize) -> bool {
        self.done.iter().all(|done| done.0.load(Ordering::Acquire) > step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_runs_once_and_after_the_step_before() {
        let (steps, chunks) = if cfg!(miri) { (5, 3) } else { (500, 7) };
        for num_threads in 1..4 {
            let scheduler = StepScheduler::new(steps, chunks, num_threads);
            let counts: Vec<AtomicUsize> = (0..steps).map(|_| AtomicUsize::new(0)).collect();
            std::thread::scope(|scope| {
                for thread_id in 0..num_threads {
                    let (scheduler, counts) = (&scheduler, &counts);
                    scope.spawn(move || {
                        let mut owner = scheduler.owner(thread_id);
                        while let Some((step, _)) = owner.next() {
                            if let Some(before) = step.checked_sub(1) {
                                assert_eq!(counts[before].load(Ordering::Relaxed), chunks);
                            }
                            counts[step].fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == chunks));
        }
    }

    #[test]
    fn one_thread_does_it_all_where_the_others_do_not_come() {
        let scheduler = StepScheduler::new(4, 6, 3);
        let mut owner = scheduler.owner(1);
        let mut seen: Vec<_> = std::iter::from_fn(|| owner.next()).collect();
        seen.sort_unstable();
        let all: Vec<_> = (0..4).flat_map(|step| (0..6).map(move |chunk| (step, chunk))).collect();
        assert_eq!(seen, all);
        assert_eq!(scheduler.owner(0).next(), None);
    }

    #[test]
    fn a_panic_ends_the_waiting() {
        let scheduler = StepScheduler::new(2, 2, 2);
        let run = |thread_id: usize, bad: bool| {
            std::panic::catch_unwind(|| {
                let mut owner = scheduler.owner(thread_id);
                while let Some(chunk) = owner.next() {
                    assert!(!bad || chunk != (0, 0), "bad chunk");
                }
            })
        };
        assert!(run(0, true).is_err());
        assert!(run(1, false).is_err());
    }
}
