//! The number of threads of this process.

use crate::failure::Failure;

/// Limits the threads of kernels and of candle's matrix products. Must come before the first of them.
pub(crate) fn limit(count: usize) -> Result<(), Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    pool.map_err(|error| Failure::Failed(format!("{count} threads: {error}")))
}

/// Whether the number of threads is given in the environment.
#[cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "one process may have all threads"))]
pub(crate) fn are_given() -> bool {
    std::env::var_os("RAYON_NUM_THREADS").is_some_and(|count| !count.is_empty())
}
