//! Model checking of the scheduling in `src/threads`: loom runs small calls in every order that the memory model
//! allows, up to a number of preemptions, and reports data races, deadlocks and failed assertions.
//!
//! The files are compiled here once more, with loom's primitives in place of the standard library's and with
//! waiting that yields to the model.

#![cfg(not(miri))]

/// The modules under the paths by which the files refer to each other.
#[allow(dead_code)]
#[path = "../src/threads"]
mod threads {
    pub(crate) mod sync {
        pub(crate) use loom::cell::UnsafeCell;
        pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
        pub(crate) use loom::sync::{Arc, Mutex};

        pub(crate) fn spawn(f: impl FnOnce() + Send + 'static) {
            loom::thread::spawn(f);
        }
    }

    pub(crate) mod wait {
        pub(crate) const POLLS_BEFORE_STEALING: usize = 1;

        pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
            while !done() {
                loom::thread::yield_now();
            }
        }

        /// Polls twice.
        pub(crate) fn poll_while_idle(mut done: impl FnMut() -> bool) {
            if !done() {
                loom::thread::yield_now();
                done();
            }
        }
    }

    pub(crate) mod step_scheduler;
    pub(crate) mod team;
    pub(crate) mod workers;
}

mod simd {
    pub(crate) mod denormals {
        pub(crate) struct FlushDenormals;

        impl FlushDenormals {
            pub(crate) fn new() -> Self {
                Self
            }
        }
    }
}

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::mpsc::channel;

use threads::step_scheduler::StepScheduler;
use threads::team::Team;
use threads::workers::{Job, Workers};

/// Checks every execution with at most `preemptions` switches away from a thread that could go on.
fn check(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 10_000;
    model.check(f);
}

fn start(jobs: Vec<Job>) {
    for job in jobs {
        loom::thread::spawn(job);
    }
}

/// Memory that loom reports if two threads access it at once and one of them writes.
struct Cells(Vec<UnsafeCell<usize>>);

// SAFETY: loom checks the accesses.
unsafe impl Sync for Cells {}

impl Cells {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| UnsafeCell::new(0)).collect())
    }

    fn add(&self, k: usize) {
        // SAFETY: loom checks the access.
        self.0[k].with_mut(|cell| unsafe { *cell += 1 });
    }

    fn get(&self, k: usize) -> usize {
        // SAFETY: as above.
        self.0[k].with(|cell| unsafe { *cell })
    }
}

/// Each piece of a phase is taken once; the next phase sees what it wrote, and no closure outlives its phase.
#[test]
fn phases_follow_one_another() {
    check(3, || {
        let team = Team::with_workers(2, start);
        // The pieces of both phases, and a number that the caller writes between the phases.
        let (pieces, number) = (Cells::new(4), Cells::new(1));
        for phase in 0..2 {
            team.parallel_for(2, 2, &|range| {
                for piece in range {
                    assert_eq!(number.get(0), phase);
                    assert_eq!((0..2 * phase).filter(|&k| pieces.get(k) == 1).count(), 2 * phase);
                    pieces.add(2 * phase + piece);
                }
            });
            number.add(0);
        }
        assert!((0..4).all(|k| pieces.get(k) == 1));
    });
}

/// A panic reaches the caller only when no worker is in the phase any more.
#[test]
fn a_panic_waits_for_the_workers() {
    check(2, || {
        let team = Team::with_workers(2, start);
        let number = Cells::new(1);
        let result = catch_unwind(AssertUnwindSafe(|| {
            team.broadcast(&|thread_id| {
                number.get(0);
                if thread_id == 0 {
                    resume_unwind(Box::new(()));
                }
            });
        }));
        assert!(result.is_err());
        number.add(0);
    });
}

/// Each chunk runs once, after all chunks of the step before, also if the owner of its shard is late.
#[test]
fn steps_follow_one_another() {
    const STEPS: usize = 2;
    const CHUNKS: usize = 2;
    check(2, || {
        let shared = Arc::new((StepScheduler::new(STEPS, CHUNKS, 2), Cells::new(STEPS * CHUNKS)));
        let run = |thread_id: usize, shared: &(StepScheduler, Cells)| {
            let (scheduler, chunks) = shared;
            let mut owner = scheduler.owner(thread_id);
            while let Some((step, chunk)) = owner.next() {
                if let Some(before) = step.checked_sub(1) {
                    assert!((0..CHUNKS).all(|chunk| chunks.get(before * CHUNKS + chunk) == 1));
                }
                chunks.add(step * CHUNKS + chunk);
            }
            // A thread that returns has seen the end of every step.
            assert!((0..STEPS * CHUNKS).all(|k| chunks.get(k) == 1));
        };
        let other = shared.clone();
        let thread = loom::thread::spawn(move || run(1, &other));
        run(0, &shared);
        thread.join().unwrap();
    });
}

/// Jobs that come at once and jobs that come when a worker is about to leave all run. Otherwise the model would
/// wait for ever, which loom reports.
#[test]
fn every_job_runs() {
    check(2, || {
        let workers = Workers::new();
        let (done, all) = channel();
        let job = |k: usize| -> Job {
            let done = done.clone();
            Box::new(move || done.send(k).unwrap())
        };
        Workers::submit(&workers, vec![job(0)]);
        assert_eq!(all.recv(), Ok(0));
        Workers::submit(&workers, vec![job(1)]);
        assert_eq!(all.recv(), Ok(1));
    });
}

/// One idle worker is counted for one job only: of two jobs, each has a worker, so that one can wait for the other.
#[test]
fn two_jobs_have_two_workers() {
    check(2, || {
        let workers = Workers::new();
        let (done, all) = channel();
        let (begun, other) = channel();
        let first = done.clone();
        Workers::submit(&workers, vec![Box::new(move || first.send(0).unwrap())]);
        assert_eq!(all.recv(), Ok(0));
        let waiting: Job = Box::new(move || {
            other.recv().unwrap();
            done.send(1).unwrap();
        });
        Workers::submit(&workers, vec![waiting]);
        Workers::submit(&workers, vec![Box::new(move || begun.send(()).unwrap())]);
        assert_eq!(all.recv(), Ok(1));
    });
}
