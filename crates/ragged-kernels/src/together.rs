//! Steps that several threads take together, each on a share of the units.
//!
//! Where the weights are too large for a core's cache, or sequences too few to go round, threads
//! share every step. They meet after each one: a step reads what all of the step before wrote. A
//! share is cut into chunks; a thread takes those of its own share first, whose weights its cache
//! holds, and then helps with the others'.
//!
//! Nobody waits for a thread that is not there: one thread alone would take all chunks of all steps,
//! and a late one finds the steps so far done. What is waited for is a chunk that somebody has begun,
//! by spinning for as long as a chunk may take and then by sleeping, which leaves the core to the one
//! who is waited for.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::Element;
use crate::crew::wait_until;
use crate::simd::Simd;

/// The shares of all threads over all steps.
pub(crate) struct Together {
    steps: usize,
    shares: Vec<Share>,
    /// A thread has left by panic: its chunk will never be done.
    broken: AtomicBool,
}

/// One thread's share. The counters lie on cache lines of their own: the owner writes them all the
/// time, and the others look at `done` after each step, but at `taken` only where the owner is late.
struct Share {
    chunks: Range<usize>,
    /// Whether the owner has come.
    present: AtomicBool,
    /// Chunks taken since the first step: `step * chunks + chunk`.
    taken: Line,
    /// Steps done, chunk by chunk: a plain store says so, and whoever stores need not wait for it to
    /// reach the others.
    done: Vec<Line>,
}

#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicUsize);

/// A cache line, in bytes, and how many of them are asked for at once.
const LINE: usize = 64;
const FETCHED: usize = 32;

/// Rounds of waiting after which an owner is late.
const PATIENCE: usize = 1000;

impl Together {
    /// `chunks` a step, cut into contiguous shares for `parts` threads.
    pub(crate) fn new(steps: usize, chunks: usize, parts: usize) -> Self {
        let share = |part: usize| {
            let chunks = chunks * part / parts..chunks * (part + 1) / parts;
            let done = chunks.clone().map(|_| Line::default()).collect();
            Share { chunks, present: AtomicBool::new(false), taken: Line::default(), done }
        };
        Self { steps, shares: (0..parts).map(share).collect(), broken: AtomicBool::new(false) }
    }

    /// The part of a thread that owns share `who`.
    pub(crate) fn part(&self, who: usize) -> Part<'_> {
        self.shares[who].present.store(true, Ordering::Relaxed);
        Part { together: self, who, step: 0, at_work: None }
    }
}

/// A thread's part: the chunks that it takes, step by step.
pub(crate) struct Part<'a> {
    together: &'a Together,
    who: usize,
    step: usize,
    /// The chunk that is being worked on, and whose share it is of.
    at_work: Option<(&'a Share, usize)>,
}

impl Part<'_> {
    /// Says that the chunk of the last call is done, and takes the next one as `(step, chunk)`: each
    /// goes to one thread, after all chunks of the step before.
    pub(crate) fn next(&mut self) -> Option<(usize, usize)> {
        if let Some((share, chunk)) = self.at_work.take() {
            share.done[chunk - share.chunks.start].0.store(self.step + 1, Ordering::Release);
        }
        let Together { steps, shares, broken } = self.together;
        while self.step < *steps {
            let mut others = shares[self.who..].iter().chain(&shares[..self.who]);
            let mine = others.next();
            // A share whose owner is not there, or late, is everybody's.
            let mut taken = mine.and_then(|share| Some((share, share.take(self.step)?)));
            for share in others {
                if taken.is_some() {
                    break;
                }
                let mut rounds = if share.present.load(Ordering::Relaxed) { 0 } else { PATIENCE };
                wait_until(|| {
                    assert!(!broken.load(Ordering::Relaxed), "a thread that took part panicked");
                    if rounds >= PATIENCE {
                        taken = share.take(self.step).map(|chunk| (share, chunk));
                        rounds = 0;
                    }
                    rounds += 1;
                    taken.is_some() || share.is_done(self.step)
                });
            }
            if let Some((share, chunk)) = taken {
                self.at_work = Some((share, chunk));
                return Some((self.step, chunk));
            }
            // Nobody may still be at work on a chunk of this thread's own share.
            if let Some(share) = mine {
                wait_until(|| broken.load(Ordering::Relaxed) || share.is_done(self.step));
            }
            self.step += 1;
        }
        None
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        // A chunk that is still being worked on was left by panic.
        if self.at_work.is_some() {
            self.together.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl Share {
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

/// Asks for `count` numbers that another core has just written: all lines at once, where reading one
/// by one would wait for each. Of many, only the first: behind them a core knows where it goes.
#[inline(always)]
pub(crate) fn fetch<T: Element, S: Simd<T>>(s: S, from: *const T, count: usize) {
    let line = LINE / T::BYTES;
    for at in (0..count + line).step_by(line).take(FETCHED) {
        s.prefetch(from.wrapping_add(at.min(count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_runs_once_and_after_the_step_before() {
        let (steps, chunks) = if cfg!(miri) { (5, 3) } else { (500, 7) };
        for parts in 1..4 {
            let together = Together::new(steps, chunks, parts);
            let counts: Vec<AtomicUsize> = (0..steps).map(|_| AtomicUsize::new(0)).collect();
            std::thread::scope(|scope| {
                for who in 0..parts {
                    let (together, counts) = (&together, &counts);
                    scope.spawn(move || {
                        let mut part = together.part(who);
                        while let Some((step, _)) = part.next() {
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
        let together = Together::new(4, 6, 3);
        let mut part = together.part(1);
        let mut seen: Vec<_> = std::iter::from_fn(|| part.next()).collect();
        seen.sort_unstable();
        let all: Vec<_> = (0..4).flat_map(|step| (0..6).map(move |chunk| (step, chunk))).collect();
        assert_eq!(seen, all);
        assert_eq!(together.part(0).next(), None);
    }

    #[test]
    fn a_panic_ends_the_waiting() {
        let together = Together::new(2, 2, 2);
        let run = |who: usize, bad: bool| {
            std::panic::catch_unwind(|| {
                let mut part = together.part(who);
                while let Some(chunk) = part.next() {
                    assert!(!bad || chunk != (0, 0), "bad chunk");
                }
            })
        };
        assert!(run(0, true).is_err());
        assert!(run(1, false).is_err());
    }
}
