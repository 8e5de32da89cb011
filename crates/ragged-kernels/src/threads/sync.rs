//! The primitives of synchronisation that the scheduling uses.
//!
//! `tests/schedules.rs` compiles the scheduling with those of the model checker loom in their place.

pub(crate) use std::sync::Arc;
#[cfg(feature = "threads")]
pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

#[cfg(feature = "threads")]
use crate::threads::num_threads::note_pool_in_use;

/// [`std::cell::UnsafeCell`] with loom's interface, which limits each access to a closure.
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Calls `f` with a pointer that it may read while no other thread writes.
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Calls `f` with a pointer that it may write while no other thread reads or writes.
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Runs `f` on a thread of rayon's global pool.
#[cfg(feature = "threads")]
pub(crate) fn spawn(f: impl FnOnce() + Send + 'static) {
    note_pool_in_use();
    rayon::spawn(f);
}
