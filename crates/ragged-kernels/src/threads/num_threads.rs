//! The limit on the number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};

static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Sets the largest number of threads that a kernel uses; 0, the default, stands for the number of
/// threads of rayon's global pool.
///
/// The number of threads changes no bit of a result.
///
/// ```
/// use ragged_kernels::{num_threads, set_num_threads};
///
/// set_num_threads(2);
/// assert_eq!(num_threads(), 2);
/// ```
pub fn set_num_threads(count: usize) {
    LIMIT.store(count, Ordering::Relaxed);
}

/// Returns the largest number of threads that a kernel uses.
///
/// ```
/// assert!(ragged_kernels::num_threads() >= 1);
/// ```
pub fn num_threads() -> usize {
    match LIMIT.load(Ordering::Relaxed) {
        0 => rayon::current_num_threads(),
        limit => limit,
    }
}
