//! Vectors that a pass returns. Each element is written once; none is zeroed first.

use crate::element::Float;
use crate::memory::sync_ptr::SyncPtr;

/// A vector whose elements have not been written yet.
pub(crate) struct UninitVec<T> {
    vector: Vec<T>,
    len: usize,
}

impl<T: Float> UninitVec<T> {
    pub(crate) fn new(len: usize) -> Self {
        let mut vector = Vec::with_capacity(len);
        // Poison with NaN, so that an element that is never written cannot look valid.
        if cfg!(debug_assertions) {
            vector.resize(len, T::default() / T::default());
            vector.clear();
        }
        Self { vector, len }
    }

    pub(crate) fn as_sync_ptr(&mut self) -> SyncPtr<T> {
        SyncPtr::from_ptr(self.vector.as_mut_ptr())
    }

    /// Returns the vector.
    ///
    /// # Safety
    ///
    /// All elements have been written.
    pub(crate) unsafe fn assume_init(mut self) -> Vec<T> {
        // SAFETY: the vector has capacity for `len` elements, and the caller has written them.
        unsafe { self.vector.set_len(self.len) };
        self.vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_were_written_are_returned() {
        let mut vector = UninitVec::<f64>::new(3);
        let to = vector.as_sync_ptr();
        // SAFETY: three elements, all of them written.
        let vector = unsafe {
            (0..3).for_each(|k| *to.get().add(k) = k as f64);
            vector.assume_init()
        };
        assert_eq!(vector, [0.0, 1.0, 2.0]);
        // SAFETY: there is no element to write.
        assert!(unsafe { UninitVec::<f32>::new(0).assume_init() }.is_empty());
    }
}
