//! Waiting for another thread.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// Polls before the clock is read for the first time.
const POLLS_BEFORE_TIMING: usize = 100;

/// Polls from one reading of the clock to the next.
const POLLS_PER_CLOCK_READ: usize = 16;

/// How long a waiting thread spins before it sleeps. Waking from a sleep takes some tens of microseconds, so
/// that a thread that spins for a few times as long loses little by sleeping afterwards; and most waits, for a
/// piece of a step, end sooner.
const SPIN_LIMIT: Duration = Duration::from_micros(200);

/// How long a waiting thread sleeps between polls: about as long as the system takes to wake it.
const SLEEP_INTERVAL: Duration = Duration::from_micros(50);

/// How long a worker without a job polls for the next one. It bridges the time between the layers of a
/// training step.
#[cfg(feature = "threads")]
const IDLE_POLL_LIMIT: Duration = Duration::from_micros(300);

/// Polls after which a thread takes over pieces of another one, which has probably lost its core.
pub(crate) const POLLS_BEFORE_STEALING: usize = 1000;

/// Waits until `done` returns true: spins for a while, then sleeps, which frees the core for the thread
/// that is waited for.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    if (0..POLLS_BEFORE_TIMING).any(|_| done()) {
        return;
    }
    let begin = Instant::now();
    loop {
        for _ in 0..POLLS_PER_CLOCK_READ {
            if done() {
                return;
            }
            spin_loop();
        }
        if begin.elapsed() > SPIN_LIMIT {
            std::thread::sleep(SLEEP_INTERVAL);
        }
    }
}

/// Waits until `done` returns true, for a limited time, and yields the core to all other threads meanwhile.
#[cfg(feature = "threads")]
pub(crate) fn poll_while_idle(mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() && begin.elapsed() < IDLE_POLL_LIMIT {
        std::thread::yield_now();
    }
}
