//! Vectors that a pass hands out: each number is written once, and none is zeroed before.

use crate::Element;
use crate::buffer::Shared;

/// A vector whose numbers are still to be written.
pub(crate) struct Fresh<T> {
    vector: Vec<T>,
    len: usize,
}

impl<T: Element> Fresh<T> {
    pub(crate) fn new(len: usize) -> Self {
        let mut vector = Vec::with_capacity(len);
        // A number that nobody writes must not look right by what is left over there.
        if cfg!(debug_assertions) {
            vector.resize(len, T::default() / T::default());
            vector.clear();
        }
        Self { vector, len }
    }

    pub(crate) fn shared(&mut self) -> Shared<T> {
        Shared::at(self.vector.as_mut_ptr())
    }

    /// # Safety
    ///
    /// All numbers have been written.
    pub(crate) unsafe fn written(mut self) -> Vec<T> {
        // SAFETY: the vector has room for as many, and the caller has written them.
        unsafe { self.vector.set_len(self.len) };
        self.vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_handed_out() {
        let mut fresh = Fresh::<f64>::new(3);
        let to = fresh.shared();
        // SAFETY: three places, all of them written.
        let vector = unsafe {
            (0..3).for_each(|k| *to.get().add(k) = k as f64);
            fresh.written()
        };
        assert_eq!(vector, [0.0, 1.0, 2.0]);
        // SAFETY: there is nothing to write.
        assert!(unsafe { Fresh::<f32>::new(0).written() }.is_empty());
    }
}
