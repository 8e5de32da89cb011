//! The threads of one call: its own, and helpers (see `helpers`).
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
use std::hint::spin_loop;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::denormals::Flush;
use crate::helpers::{Help, ask};

/// Rounds of looking closely, rounds from one look at the clock to the next, spinning before sleep,
/// and sleep.
const CLOSELY: usize = 100;
const UNTIMED: usize = 16;
const SPIN: Duration = Duration::from_micros(200);
const NAP: Duration = Duration::from_micros(50);

/// Pieces of a phase for each thread.
const PIECES: usize = 8;

static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads a kernel may take; 0, the default, stands for as many as rayon's pool has.
pub fn set_threads(count: usize) {
    LIMIT.store(count, Ordering::Relaxed);
}

/// How many threads a kernel takes: the limit, or as many as rayon's global pool has.
pub fn threads() -> usize {
    match LIMIT.load(Ordering::Relaxed) {
        0 => rayon::current_num_threads(),
        limit => limit,
    }
}

/// Waits until `done`, without keeping the core for long.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    if (0..CLOSELY).any(|_| done()) {
        return;
    }
    let begin = Instant::now();
    loop {
        for _ in 0..UNTIMED {
            if done() {
                return;
            }
            spin_loop();
        }
        if begin.elapsed() > SPIN {
            std::thread::sleep(NAP);
        }
    }
}

/// The threads of one call.
pub(crate) struct Crew {
    parts: usize,
    /// What is shared with the helpers, if there may be some.
    shared: Option<Arc<Shared>>,
}

/// The work of the present phase, told apart from others by its number.
struct Shared {
    /// Odd while a phase is open.
    phase: AtomicUsize,
    /// Written while no phase is open and nobody is inside; read by those who are inside an open one.
    job: UnsafeCell<Option<Job>>,
    /// Helpers that are inside.
    inside: AtomicUsize,
    /// A helper has panicked.
    panicked: AtomicBool,
    /// The call is over.
    over: AtomicBool,
}

/// What everybody calls with a number of their own.
type Job = *const (dyn Fn(usize) + Sync);

// SAFETY: the job is `Sync`, and is written and read as the fields say, which `each` and `help` keep.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Crew {
    /// Asks the pool for helpers, up to `parts` threads in all.
    pub(crate) fn new(parts: usize) -> Self {
        if parts <= 1 {
            return Self { parts: 1, shared: None };
        }
        let shared = Arc::new(Shared {
            phase: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            inside: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        ask((1..parts).map(|who| -> Help {
            let shared = shared.clone();
            Box::new(move || shared.help(who))
        }));
        Self { parts, shared: Some(shared) }
    }

    /// The most threads that take part.
    pub(crate) fn parts(&self) -> usize {
        self.parts
    }

    /// Calls `f(0)` here and `f(who)`, `who` below [`parts`](Self::parts), on each helper that comes
    /// before this returns; all of them flush denormals.
    pub(crate) fn each(&self, f: &(impl Fn(usize) + Sync)) {
        let Some(shared) = &self.shared else {
            let _flush = Flush::new();
            return f(0);
        };
        let job: *const (dyn Fn(usize) + Sync + '_) = f;
        // SAFETY: only the lifetime changes. Helpers call the job inside the phase, and `Phase` closes
        // it and waits for all who are inside before `f` goes out of scope, also on a panic.
        let job = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Job>(job) };
        // SAFETY: no phase is open, and nobody is inside: this is the only access.
        unsafe { *shared.job.get() = Some(job) };
        shared.phase.fetch_add(1, Ordering::SeqCst);
        let phase = Phase(shared);
        {
            let _flush = Flush::new();
            f(0);
        }
        drop(phase);
        assert!(!shared.panicked.load(Ordering::Relaxed), "a thread of the kernel has panicked");
    }

    /// Calls `f` with ranges that cover `0..count`, on at most `parts` threads. The caller takes them
    /// from the front, helpers from the back: the same as in the phase before, whose numbers their
    /// caches hold.
    pub(crate) fn split(&self, count: usize, parts: usize, f: &(impl Fn(Range<usize>) + Sync)) {
        if count == 0 {
            return;
        }
        let parts = parts.min(self.parts);
        if parts <= 1 || count == 1 {
            let _flush = Flush::new();
            return f(0..count);
        }
        let size = count.div_ceil(parts * PIECES);
        let left = Pieces::new(count.div_ceil(size));
        self.each(&|who| {
            if who < parts {
                while let Some(piece) = left.take(who == 0) {
                    f(piece * size..count.min((piece + 1) * size));
                }
            }
        });
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.over.store(true, Ordering::Release);
        }
    }
}

/// An open phase. Dropped, it is closed, and nobody is inside any more.
struct Phase<'a>(&'a Shared);

impl Drop for Phase<'_> {
    fn drop(&mut self) {
        self.0.phase.fetch_add(1, Ordering::SeqCst);
        wait_until(|| self.0.inside.load(Ordering::SeqCst) == 0);
    }
}

impl Shared {
    /// A helper's life: each phase once, until the call is over.
    fn help(&self, who: usize) {
        let mut last = 0;
        loop {
            let mut phase = 0;
            wait_until(|| {
                phase = self.phase.load(Ordering::SeqCst);
                (phase % 2 == 1 && phase != last) || self.over.load(Ordering::Acquire)
            });
            if phase % 2 == 0 || phase == last {
                return;
            }
            last = phase;
            // Whoever closes the phase looks for who is inside after that, and this looks whether the
            // phase is still open after going inside: one of the two sees the other.
            self.inside.fetch_add(1, Ordering::SeqCst);
            let result = catch_unwind(AssertUnwindSafe(|| {
                if self.phase.load(Ordering::SeqCst) == phase {
                    // SAFETY: this helper is inside an open phase, so the job is there and is alive
                    // until it has left.
                    if let Some(job) = unsafe { *self.job.get() } {
                        let _flush = Flush::new();
                        // SAFETY: as above.
                        unsafe { (*job)(who) };
                    }
                }
            }));
            if result.is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.inside.fetch_sub(1, Ordering::SeqCst);
            if let Err(panic) = result {
                // The call reports it; here it would end the process.
                drop(panic);
                return;
            }
        }
    }
}

/// Pieces of a phase that nobody has taken: from one below the other.
struct Pieces(AtomicU64);

impl Pieces {
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
        for parts in 1..5 {
            let crew = Crew::new(parts);
            for count in [0, 1, 2, 7, 100] {
                let counts: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                crew.split(count, parts, &|range| {
                    for k in range {
                        counts[k].fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{parts}");
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_nobody_inside() {
        for of_helper in [false, true] {
            let crew = Crew::new(2);
            let helped = AtomicBool::new(false);
            let result = catch_unwind(AssertUnwindSafe(|| {
                crew.each(&|who| {
                    if who == 0 && of_helper {
                        wait_until(|| helped.load(Ordering::Relaxed));
                    }
                    if (who == 0) != of_helper {
                        helped.store(true, Ordering::Relaxed);
                        resume_unwind(Box::new(()));
                    }
                });
            }));
            assert!(result.is_err());
            let shared = crew.shared.as_ref().unwrap();
            assert_eq!(shared.inside.load(Ordering::Relaxed), 0);
        }
    }
}
