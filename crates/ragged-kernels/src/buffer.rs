//! Memory that begins on a cache line and is used again.
//!
//! A training step needs the same large buffers every time. Fresh ones would cost a page fault for
//! every 4 KiB and zeros that nobody reads, so a buffer goes back to a pool when it is dropped.

use std::sync::PoisonError;

use crate::Element;

/// Sixteen numbers on a cache line (two lines for `f64`).
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line<T>([T; 16]);

/// Buffers that the pool keeps at most; the smallest go first.
const KEPT: usize = 32;

/// Numbers whose values are left over from earlier use.
#[derive(Debug)]
pub(crate) struct Buffer<T: Element> {
    /// All initialised; may be more than `len` asks for.
    lines: Vec<Line<T>>,
    len: usize,
}

impl<T: Element> Buffer<T> {
    /// Room for `len` numbers: the smallest buffer of the pool that has it, or a new one.
    pub(crate) fn new(len: usize) -> Self {
        let need = len.div_ceil(16);
        let mut pool = T::pool().lock().unwrap_or_else(PoisonError::into_inner);
        let fits = pool.iter().enumerate().filter(|(_, lines)| lines.len() >= need);
        let best = fits.min_by_key(|(_, lines)| lines.len()).map(|(k, _)| k);
        let lines = match best {
            Some(k) => pool.swap_remove(k),
            None => {
                drop(pool);
                vec![Line([T::default(); 16]); need]
            }
        };
        Self { lines, len }
    }

    pub(crate) fn as_ptr(&self) -> *const T {
        self.lines.as_ptr().cast()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.lines.as_mut_ptr().cast()
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the lines are initialised, have no gaps between their numbers (16 numbers fill a
        // multiple of their alignment) and hold at least `len` of them.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), self.len) }
    }
}

impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self { lines: self.lines.clone(), len: self.len }
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        let mut pool = T::pool().lock().unwrap_or_else(PoisonError::into_inner);
        pool.push(lines);
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
        Self(slice.as_mut_ptr())
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
