//! A pointer that several threads write through.

/// A pointer that several threads write through, each to elements of its own.
pub(crate) struct SyncPtr<T>(*mut T);

impl<T> Clone for SyncPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SyncPtr<T> {}

// SAFETY: holding the pointer accesses nothing; every dereference states why no other thread accesses
// the same elements.
unsafe impl<T: Send> Send for SyncPtr<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SyncPtr<T> {}

impl<T> SyncPtr<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self::from_ptr(slice.as_mut_ptr())
    }

    pub(crate) fn from_ptr(start: *mut T) -> Self {
        Self(start)
    }

    pub(crate) fn get(self) -> *mut T {
        self.0
    }

    /// The pointer to the element `count` elements on.
    pub(crate) fn offset(self, count: usize) -> Self {
        Self(self.0.wrapping_add(count))
    }
}
