//! The threads of one call: the thread that calls, and workers (see `threads::workers`).
//!
//! Work is divided where that cannot change a result: sequences are independent of each other, and each
//! element of a weight's gradient is summed by one thread in one order. So the bits are the same for every
//! number of threads.
//!
//! A call consists of phases, each of which is one [`broadcast`](Team::broadcast). The calling thread begins a
//! phase at once. Workers enter it when they are ready, take pieces of its work, and stay for the next phase;
//! the calling thread does all that no worker has taken. At the end of a phase it waits for the workers that
//! have entered, and for no others, so that a pool that sleeps or is busy delays nothing.
//!
//! *Guarantees*, which `tests/schedules.rs` checks for two threads and all interleavings with few preemptions:
//!
//! - The closure of a phase is called only between the beginning and the end of its `broadcast`, at most once
//!   per thread and with a different `thread_id` on each.
//! - What a thread has written in a phase is visible to every thread in the next one, and to the caller.
//! - A panic in a closure reaches the caller after all workers have left the phase.
//!
//! *Why not rayon alone.* `rayon::scope` and `rayon::broadcast` wait for every thread that they have started, also
//! for one that has not begun; a thread of rayon's that sleeps takes tens of microseconds to wake. A training
//! step on small layers has dozens of phases of 10 to 100 microseconds. docs/performance.md has the figures.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::simd::denormals::FlushDenormals;
use crate::threads::sync::{Arc, AtomicBool, AtomicU64, Ordering, UnsafeCell};
use crate::threads::wait::wait_until;
use crate::threads::workers::{Job, submit};

/// Pieces of a phase per thread.
const PIECES_PER_THREAD: usize = 8;

/// The threads of one call.
pub(crate) struct Team {
    num_threads: usize,
    /// What is shared with the workers, if there may be some.
    shared: Option<Arc<TeamState>>,
}

/// The phases of a call.
pub(crate) struct TeamState {
    /// The number of the present phase in units of [`PHASE`], plus the number of workers in it. The phase is open if
    /// its number is odd; a worker can enter only an open phase, since both are one word.
    state: AtomicU64,
    /// Written by the caller while no phase is open and no worker is in one, read by the workers in a phase.
    job: UnsafeCell<Option<PhaseFn>>,
    /// A worker has panicked.
    panicked: AtomicBool,
    /// The call is over.
    finished: AtomicBool,
}

/// One phase, in the units of [`TeamState::state`].
const PHASE: u64 = 1 << 32;

/// The closure of a phase, without its type and lifetime.
#[derive(Clone, Copy)]
struct PhaseFn {
    closure: *const (),
    call: unsafe fn(*const (), usize),
}

impl PhaseFn {
    fn new<F: Fn(usize) + Sync>(closure: &F) -> Self {
        /// # Safety
        ///
        /// `closure` points to an `F` that is alive.
        unsafe fn call<F: Fn(usize) + Sync>(closure: *const (), thread_id: usize) {
            // SAFETY: the caller keeps it.
            unsafe { (*closure.cast::<F>())(thread_id) }
        }
        Self { closure: std::ptr::from_ref(closure).cast(), call: call::<F> }
    }
}

// SAFETY: the closure is `Sync`; the cell is read and written as its field says, which `broadcast` and
// `run_phases` keep.
unsafe impl Send for TeamState {}
// SAFETY: as above.
unsafe impl Sync for TeamState {}

impl Team {
    /// Starts workers, for up to `num_threads` threads in all.
    pub(crate) fn new(num_threads: usize) -> Self {
        Self::with_workers(num_threads, submit)
    }

    /// As [`new`](Self::new), with a function that runs each job on a thread of its own.
    pub(crate) fn with_workers(num_threads: usize, submit: impl FnOnce(Vec<Job>)) -> Self {
        if num_threads <= 1 {
            return Self { num_threads: 1, shared: None };
        }
        let shared = Arc::new(TeamState {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            panicked: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        });
        let job = |thread_id| -> Job {
            let shared = shared.clone();
            Box::new(move || shared.run_phases(thread_id))
        };
        submit((1..num_threads).map(job).collect());
        Self { num_threads, shared: Some(shared) }
    }

    /// The most threads that take part.
    pub(crate) fn num_threads(&self) -> usize {
        self.num_threads
    }

    /// Calls `f(0)` on this thread, and `f(thread_id)`, with `thread_id` below
    /// [`num_threads`](Self::num_threads), on each worker that is ready before this returns. Denormals are
    /// flushed to zero on all of them.
    pub(crate) fn broadcast(&self, f: &(impl Fn(usize) + Sync)) {
        let Some(shared) = &self.shared else {
            let _flush = FlushDenormals::new();
            return f(0);
        };
        // The job points to `f`. Workers call it only in the phase, which `OpenPhase` closes before `f` goes out of
        // scope, also on a panic.
        let phase = OpenPhase::new(shared, PhaseFn::new(f));
        {
            let _flush = FlushDenormals::new();
            f(0);
        }
        drop(phase);
        assert!(!shared.panicked.load(Ordering::Relaxed), "a thread of the kernel has panicked");
    }

    /// Calls `f` with ranges that cover `0..count`, on at most `num_threads` threads. The calling thread takes
    /// them from the front and the workers from the back, so that each finds in its cache what it took in the
    /// phase before.
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
            shared.finished.store(true, Ordering::Relaxed);
        }
    }
}

/// An open phase. Dropping it closes the phase and waits until no worker is in it.
struct OpenPhase<'a>(&'a TeamState);

impl<'a> OpenPhase<'a> {
    fn new(shared: &'a TeamState, job: PhaseFn) -> Self {
        // SAFETY: no phase is open and no worker is in one, so this is the only access.
        shared.job.with_mut(|to| unsafe { *to = Some(job) });
        // A worker that enters sees the job.
        shared.state.fetch_add(PHASE, Ordering::Release);
        Self(shared)
    }
}

impl Drop for OpenPhase<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_add(PHASE, Ordering::Relaxed);
        // Workers leave with `Release`: what they have written is visible from here on.
        wait_until(|| self.0.state.load(Ordering::Acquire).is_multiple_of(PHASE));
    }
}

impl TeamState {
    /// A worker's part: takes part in each phase at most once, until the call is over.
    fn run_phases(&self, thread_id: usize) {
        let mut last = 0;
        while let Some(phase) = self.enter(last) {
            last = phase;
            let result = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: a job is written before a phase is opened, and not while a worker is in it.
                if let Some(job) = self.job.with(|job| unsafe { *job }) {
                    let _flush = FlushDenormals::new();
                    // SAFETY: the closure is alive until all workers have left the phase.
                    unsafe { (job.call)(job.closure, thread_id) };
                }
            }));
            if result.is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.state.fetch_sub(1, Ordering::Release);
            if let Err(panic) = result {
                // The caller reports it. In a thread of the pool, it would end the process.
                drop(panic);
                return;
            }
        }
    }

    /// Waits for an open phase other than `last` and enters it. Returns its number, or `None` if the call is
    /// over.
    fn enter(&self, last: u64) -> Option<u64> {
        let mut entered = None;
        wait_until(|| {
            let state = self.state.load(Ordering::Relaxed);
            let phase = state / PHASE;
            if !phase.is_multiple_of(2) && phase != last {
                let order = (Ordering::Acquire, Ordering::Relaxed);
                let result = self.state.compare_exchange(state, state + 1, order.0, order.1);
                entered = result.is_ok().then_some(phase);
            }
            entered.is_some() || self.finished.load(Ordering::Relaxed)
        });
        entered
    }
}

/// The pieces of a phase that no thread has taken: a range that shrinks from both ends.
struct PieceQueue(AtomicU64);

impl PieceQueue {
    fn new(count: usize) -> Self {
        Self(AtomicU64::new(count as u64))
    }

    /// Takes the first piece that is left, or the last one.
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
