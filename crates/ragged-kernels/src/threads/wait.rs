//! Waiting for another thread.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// Polls before the clock is read for the first time.
const POLLS_BEFORE_TIMING: usize = 100;

/// Polls from one reading of the clock to the next.
const POLLS_PER_CLOCK_READ: usize = 16;

/// How long a waiting thread spins before it sleeps.
const SPIN_LIMIT: Duration = Duration::from_micros(200);

/// How long a waiting thread sleeps between polls.
const SLEEP_INTERVAL: Duration = Duration::from_micros(50);

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
