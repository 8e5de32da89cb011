//! The limit on the number of threads.

#[cfg(feature = "threads")]
use std::num::NonZero;
#[cfg(feature = "threads")]
use std::sync::LazyLock;
#[cfg(feature = "threads")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "threads")]
use std::thread::available_parallelism;

static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Whether rayon's global pool has been started by this crate.
#[cfg(feature = "threads")]
static POOL_IN_USE: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked from one that used the pool, whose threads it does not have.
#[cfg(feature = "threads")]
static WITHOUT_POOL: AtomicBool = AtomicBool::new(false);

/// The number of threads that the machine runs at once, if it is known.
#[cfg(feature = "threads")]
static PARALLELISM: LazyLock<usize> =
    LazyLock::new(|| available_parallelism().map_or(usize::MAX, NonZero::get));

/// Sets the largest number of threads that a kernel uses; 0, the default, stands for the number of
/// threads of rayon's global pool, but at most as many as the machine runs at once: the threads of a call wait
/// for each other.
///
/// The number of threads changes no bit of a result. Without the feature `threads` it is always 1.
///
/// ```
/// use ragged_kernels::{num_threads, set_num_threads};
///
/// set_num_threads(2);
/// assert_eq!(num_threads(), if cfg!(feature = "threads") { 2 } else { 1 });
/// ```
pub fn set_num_threads(count: usize) {
    LIMIT.store(count, Ordering::Relaxed);
}

/// Records that rayon's global pool is started.
#[cfg(feature = "threads")]
pub(crate) fn note_pool_in_use() {
    POOL_IN_USE.store(true, Ordering::Relaxed);
}

/// Adapts the number of threads after a fork, in the child.
#[cfg(all(unix, not(miri)))]
pub(crate) fn after_fork_in_child() {
    #[cfg(feature = "threads")]
    if POOL_IN_USE.load(Ordering::Relaxed) {
        WITHOUT_POOL.store(true, Ordering::Relaxed);
    }
}

/// Returns the largest number of threads that a kernel uses.
///
/// ```
/// assert!(ragged_kernels::num_threads() >= 1);
/// ```
pub fn num_threads() -> usize {
    #[cfg(not(feature = "threads"))]
    return 1;
    #[cfg(feature = "threads")]
    match LIMIT.load(Ordering::Relaxed) {
        _ if WITHOUT_POOL.load(Ordering::Relaxed) => 1,
        0 => {
            note_pool_in_use();
            rayon::current_num_threads().min(*PARALLELISM)
        }
        limit => limit,
    }
}
