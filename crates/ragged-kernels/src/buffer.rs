//! Memory that is used again.
//!
//! A training step needs the same large buffers every time. Fresh ones would cost a page fault for
//! every 4 KiB and zeros that nobody reads, so a buffer goes back to a pool when it is dropped.

use std::sync::PoisonError;

use crate::Element;
use crate::memory::Memory;

/// Buffers that the pool keeps at most; the smallest go first.
const KEPT: usize = 32;

/// Numbers whose values are left over from earlier use.
#[derive(Debug)]
pub(crate) struct Buffer<T: Element> {
    /// All initialised; may be more than `len` asks for.
    memory: Memory<T>,
    len: usize,
}

impl<T: Element> Buffer<T> {
    /// Room for `len` numbers: the smallest piece of the pool that has it, or a new one.
    pub(crate) fn new(len: usize) -> Self {
        let mut pool = T::pool().lock().unwrap_or_else(PoisonError::into_inner);
        let fits = pool.iter().enumerate().filter(|(_, memory)| memory.len() >= len);
        let best = fits.min_by_key(|(_, memory)| memory.len()).map(|(k, _)| k);
        let memory = match best {
            Some(k) => pool.swap_remove(k),
            None => {
                drop(pool);
                Memory::new(len)
            }
        };
        Self { memory, len }
    }

    pub(crate) fn as_ptr(&self) -> *const T {
        self.memory.as_ptr()
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the memory is initialised and holds at least `len` numbers.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else has this buffer.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), self.len) }
    }
}

impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let mut clone = Self::new(self.len);
        clone.as_mut_slice().copy_from_slice(self.as_slice());
        clone
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::new(0));
        if memory.len() == 0 {
            return;
        }
        let mut pool = T::pool().lock().unwrap_or_else(PoisonError::into_inner);
        pool.push(memory);
        if pool.len() > KEPT {
            let smallest = (0..pool.len()).min_by_key(|&k| pool[k].len());
            smallest.map(|k| pool.swap_remove(k));
        }
    }
}

/// A pointer that several threads write through, each to places of its own.
pub(crate) struct Shared<T>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

// SAFETY: a pointer is only a number; whoever dereferences it says why no other thread is there.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self::at(slice.as_mut_ptr())
    }

    pub(crate) fn at(start: *mut T) -> Self {
        Self(start)
    }

    pub(crate) fn get(self) -> *mut T {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_come_back() {
        let mut first = Buffer::<f64>::new(1000);
        assert_eq!((first.as_ptr() as usize % 64, first.as_mut_slice().len()), (0, 1000));
        let other = Buffer::<f64>::new(1000);
        assert_ne!(first.as_ptr(), other.as_ptr());
        first.as_mut_slice().fill(1.0);
        assert!(first.clone().as_mut_slice().iter().all(|&v| v == 1.0));
    }
}
