//! Threads: rayon's global pool, and how many of them a kernel takes.
//!
//! Work is cut along lines that cannot change a result: sequences do not know one another, and each
//! element of a weight's gradient is summed by one thread in one order. So the bits are the same for
//! every number of threads.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::denormals::Flush;

static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads a kernel may take; 0, the default, stands for all of rayon's pool.
pub fn set_threads(count: usize) {
    LIMIT.store(count, Ordering::Relaxed);
}

/// How many threads a kernel takes: the limit, or all of rayon's global pool.
pub fn threads() -> usize {
    match LIMIT.load(Ordering::Relaxed) {
        0 => rayon::current_num_threads(),
        limit => limit,
    }
}

/// As many parts as the work is worth, at `grain` a part, and at most `parts`.
pub(crate) fn worth(parts: usize, work: usize, grain: usize) -> usize {
    (work / grain).clamp(1, parts.max(1))
}

/// Runs a kernel within the pool, so that it goes there once and not with every [`split`].
pub(crate) fn within_pool<R: Send>(parts: usize, f: impl FnOnce() -> R + Send) -> R {
    if parts > 1 { rayon::scope(|_| f()) } else { f() }
}

/// Calls `f` with ranges that cover `0..count`, at most `parts` of them at a time, each on a thread
/// that flushes denormals.
pub(crate) fn split(count: usize, parts: usize, f: &(impl Fn(Range<usize>) + Sync)) {
    fn halve(range: Range<usize>, parts: usize, f: &(impl Fn(Range<usize>) + Sync)) {
        if parts <= 1 || range.len() <= 1 {
            if !range.is_empty() {
                let _flush = Flush::new();
                f(range);
            }
            return;
        }
        let left = parts / 2;
        let middle = range.start + range.len() * left / parts;
        let (a, b) = (range.start..middle, middle..range.end);
        rayon::join(|| halve(a, left, f), || halve(b, parts - left, f));
    }
    halve(0..count, parts, f);
}
