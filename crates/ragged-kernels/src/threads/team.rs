//! The threads of one call: its own, and helpers (see `threads::workers`).
//!
//! Work is cut along lines that cannot change a result: sequences do not know one another, and each
//! element of a weight's gradient is summed by one thread in one order. So the bits are the same for
//! every number of threads.
//!
//! A call begins at once on its own thread. Helpers come when they can, take pieces of the
//! present phase of work, and stay for the next; what nobody else has taken the call does itself. So
//! a pool that sleeps or is busy costs no waiting: at the end of a phase the call waits for pieces that
//! a helper has begun, and for nothing else, by spinning for a while and then by sleeping,
//! which leaves the core to the one who is waited for.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::simd::denormals::FlushDenormals;
use crate::threads::wait::wait_until;
use crate::threads::workers::{Job, submit};

/// Pieces of a phase per thread.
const PIECES_PER_THREAD: usize = 8;

/// The threads of one call.
pub(crate) struct Team {
    num_threads: usize,
    /// What is shared with the helpers, if there may be some.
    shared: Option<Arc<TeamState>>,
}

/// The work of the present phase, told apart from others by its number.
struct TeamState {
    /// Odd while a phase is open.
    phase: AtomicUsize,
    /// Written while no phase is open and nobody is inside; read by those who are inside an open one.
    job: UnsafeCell<Option<PhaseFn>>,
    /// Helpers that are active.
    active: AtomicUsize,
    /// A helper has panicked.
    panicked: AtomicBool,
    /// The call is over.
    finished: AtomicBool,
}

/// What everybody calls with a number of their own.
type PhaseFn = *const (dyn Fn(usize) + Sync);

// SAFETY: the job is `Sync`, and is written and read as the fields say, which `broadcast` and `run_phases` keep.
unsafe impl Send for TeamState {}
// SAFETY: as above.
unsafe impl Sync for TeamState {}

impl Team {
    /// Asks the pool for helpers, up to `num_threads` threads in all.
    pub(crate) fn new(num_threads: usize) -> Self {
        if num_threads <= 1 {
            return Self { num_threads: 1, shared: None };
        }
        let shared = Arc::new(TeamState {
            phase: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            active: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        });
        submit((1..num_threads).map(|thread_id| -> Job {
            let shared = shared.clone();
            Box::new(move || shared.run_phases(thread_id))
        }));
        Self { num_threads, shared: Some(shared) }
    }

    /// The most threads that take part.
    pub(crate) fn num_threads(&self) -> usize {
        self.num_threads
    }

    /// Calls `f(0)` here and `f(thread_id)`, `thread_id` below [`num_threads`](Self::num_threads), on each helper that comes
    /// before this returns; all of them flush denormals.
    pub(crate) fn broadcast(&self, f: &(impl Fn(usize) + Sync)) {
        let Some(shared) = &self.shared else {
            let _flush = FlushDenormals::new();
            return f(0);
        };
        let job: *const (dyn Fn(usize) + Sync + '_) = f;
        // SAFETY: only the lifetime changes. Helpers call the job inside the phase, and `Phase` closes
        // it and waits for all who are inside before `f` goes out of scope, also on a panic.
        let job =
            unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), PhaseFn>(job) };
        // SAFETY: no phase is open, and nobody is active: this is the only access.
        unsafe { *shared.job.get() = Some(job) };
        shared.phase.fetch_add(1, Ordering::SeqCst);
        let phase = Phase(shared);
        {
            let _flush = FlushDenormals::new();
            f(0);
        }
        drop(phase);
        assert!(!shared.panicked.load(Ordering::Relaxed), "a thread of the kernel has panicked");
    }

    /// Calls `f` with ranges that cover `0..count`, on at most `num_threads` threads. The caller takes them
    /// from the front, helpers from the back: the same as in the phase before, whose numbers their
    /// caches hold.
    pub(crate) fn parallel_for(
        &self,
        count: usize,
        num_threads: usize,
        f: &(impl Fn(Range<usize>) + Sync),
    ) {
        if count == 0 {
            return;
        }
        let num_threads = num_threads.min(self.num_threads);
        if num_threads <= 1 || count == 1 {
            let _flush = FlushDenormals::new();
            return f(0..count);
        }
        let size = count.div_ceil(num_threads * PIECES_PER_THREAD);
        let left = PieceQueue::new(count.div_ceil(size));
        self.broadcast(&|thread_id| {
            if thread_id < num_threads {
                while let Some(piece) = left.take(thread_id == 0) {
                    f(piece * size..count.min((piece + 1) * size));
                }
            }
        });
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.finished.store(true, Ordering::Release);
        }
    }
}

/// An open phase. Dropped, it is closed, and nobody is inside any more.
struct Phase<'a>(&'a TeamState);

impl Drop for Phase<'_> {
    fn drop(&mut self) {
        self.0.phase.fetch_add(1, Ordering::SeqCst);
        wait_until(|| self.0.active.load(Ordering::SeqCst) == 0);
    }
}

impl TeamState {
    /// A helper's life: each phase once, until the call is over.
    fn run_phases(&self, thread_id: usize) {
        let mut last = 0;
        loop {
            let mut phase = 0;
            wait_until(|| {
                phase = self.phase.load(Ordering::SeqCst);
                (phase % 2 == 1 && phase != last) || self.finished.load(Ordering::Acquire)
            });
            if phase % 2 == 0 || phase == last {
                return;
            }
            last = phase;
            // Whoever closes the phase looks for who is inside after that, and this looks whether the
            // phase is still open after going active: one of the two sees the other.
            self.active.fetch_add(1, Ordering::SeqCst);
            let result = catch_unwind(AssertUnwindSafe(|| {
                if self.phase.load(Ordering::SeqCst) == phase {
                    // SAFETY: this helper is inside an open phase, so the job is there and is alive
                    // until it has left.
                    if let Some(job) = unsafe { *self.job.get() } {
                        let _flush = FlushDenormals::new();
                        // SAFETY: as above.
                        unsafe { (*job)(thread_id) };
                    }
                }
            }));
            if result.is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.active.fetch_sub(1, Ordering::SeqCst);
            if let Err(panic) = result {
                // The call reports it; here it would end the process.
                drop(panic);
                return;
            }
        }
    }
}

/// The pieces of a phase that have not been taken: a range that shrinks from both ends.
struct PieceQueue(AtomicU64);

impl PieceQueue {
    fn new(count: usize) -> Self {
        Self(AtomicU64::new(count as u64))
    }

    /// The first piece that is left, or the last one.
    fn take(&self, first: bool) -> Option<usize> {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let (front, back) = (now >> 32, now & 0xffff_ffff);
            if front == back {
                return None;
            }
            let (next, piece) = match first {
                true => ((front + 1) << 32 | back, front),
                false => (front << 32 | (back - 1), back - 1),
            };
            match self.0.compare_exchange_weak(now, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(piece as usize),
                Err(other) => now = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;

    #[test]
    fn every_piece_runs_once_whoever_comes() {
        for num_threads in 1..5 {
            let team = Team::new(num_threads);
            for count in [0, 1, 2, 7, 100] {
                let counts: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                team.parallel_for(count, num_threads, &|range| {
                    for k in range {
                        counts[k].fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(
                    counts.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                    "{num_threads}"
                );
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_nobody_inside() {
        for of_helper in [false, true] {
            let team = Team::new(2);
            let helped = AtomicBool::new(false);
            let result = catch_unwind(AssertUnwindSafe(|| {
                team.broadcast(&|thread_id| {
                    if thread_id == 0 && of_helper {
                        wait_until(|| helped.load(Ordering::Relaxed));
                    }
                    if (thread_id == 0) != of_helper {
                        helped.store(true, Ordering::Relaxed);
                        resume_unwind(Box::new(()));
                    }
                });
            }));
            assert!(result.is_err());
            let shared = team.shared.as_ref().unwrap();
            assert_eq!(shared.active.load(Ordering::Relaxed), 0);
        }
    }
}
