//! Forks of the process, which Python's `multiprocessing` and PyTorch's `DataLoader` make.
//!
//! A child has only the thread that called `fork`. Two things would stop it: a lock that another thread held at that
//! moment, and work for rayon's pool, whose threads it does not have. So the locks of this crate are taken before a
//! fork and released after it, and a child of a process that has used the pool computes on the thread that calls.

/// Prepares for forks of the process, on Unix: from now on, kernels can be called in a child that `fork` creates while
/// other threads run kernels. [`num_threads`](crate::num_threads) is 1 in a child of a process that had used several
/// threads.
///
/// A program that calls `exec` after each fork does not need it. Call it before other threads use the kernels; it
/// does nothing when it is called again.
///
/// ```
/// ragged_kernels::prepare_for_forks();
/// ```
pub fn prepare_for_forks() {
    #[cfg(all(unix, not(miri)))]
    unix::prepare();
}

#[cfg(all(unix, not(miri)))]
mod unix {
    use std::any::Any;
    use std::cell::RefCell;
    use std::sync::Once;

    use crate::memory::caches::caches;
    use crate::memory::pooled_buffer::lock_pool;
    use crate::simd::level::SimdLevel;
    use crate::threads::num_threads::after_fork_in_child;
    use crate::threads::workers::lock_workers;

    thread_local! {
        /// The locks that this thread holds during a fork.
        static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(vec![]) };
    }

    pub(super) fn prepare() {
        static PREPARED: Once = Once::new();
        PREPARED.call_once(|| {
            // What is initialised at its first use must not be half initialised at a fork.
            let _ = (SimdLevel::current(), caches());
            // SAFETY: the handlers are functions that live as long as the program.
            unsafe { libc::pthread_atfork(Some(before), Some(after), Some(in_child)) };
        });
    }

    extern "C" fn before() {
        let held: Vec<Box<dyn Any>> = vec![Box::new(lock_workers()), Box::new(lock_pool())];
        HELD.with(|cell| *cell.borrow_mut() = held);
    }

    extern "C" fn after() {
        HELD.with(|cell| cell.borrow_mut().clear());
    }

    extern "C" fn in_child() {
        after();
        after_fork_in_child();
    }
}
