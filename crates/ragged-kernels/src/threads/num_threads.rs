//! The limit on the number of threads.

#[cfg(feature = "threads")]
use std::num::NonZero;
#[cfg(feature = "threads")]
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(feature = "threads")]
use std::thread::available_parallelism;

static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Whether kernels use the calling thread only, whatever the limit is.
#[cfg_attr(not(feature = "threads"), allow(dead_code))]
static ONE_THREAD: AtomicBool = AtomicBool::new(false);

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

/// Has kernels use the calling thread only, from now on.
#[cfg(all(unix, not(miri)))]
pub(crate) fn use_one_thread() {
    ONE_THREAD.store(true, Ordering::Relaxed);
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
        _ if ONE_THREAD.load(Ordering::Relaxed) => 1,
        0 => rayon::current_num_threads().min(*PARALLELISM),
        limit => limit,
    }
}
