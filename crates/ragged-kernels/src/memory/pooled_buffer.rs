//! Buffers whose memory is reused.
//!
//! A training step needs the same large buffers every time. A new allocation would cost a page fault
//! per 4 KiB and zeros that are never read, so a buffer returns to a pool when it is dropped.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::element::Float;
use crate::memory::aligned_buffer::AlignedBuffer;

/// The most buffers that the pool keeps; the smallest are freed first. The limit bounds the
/// memory that a program keeps after its largest batch.
const POOL_CAPACITY: usize = 32;

static POOL: Mutex<Vec<AlignedBuffer>> = Mutex::new(Vec::new());

fn pool() -> MutexGuard<'static, Vec<AlignedBuffer>> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the pool until the result is dropped.
#[cfg(all(unix, not(miri)))]
pub(crate) fn lock_pool() -> impl Sized + 'static {
    pool()
}

/// Elements whose initial values are left over from earlier use.
#[derive(Debug)]
pub(crate) struct PooledBuffer<T: Float> {
    /// All initialised; may have more bytes than `len` elements need.
    memory: AlignedBuffer,
    len: usize,
    elements: PhantomData<T>,
}

impl<T: Float> PooledBuffer<T> {
    /// Room for `len` elements: the smallest buffer of the pool that is large enough, or a new one.
    pub(crate) fn new(len: usize) -> Self {
        if len == 0 {
            return Self { memory: AlignedBuffer::empty(), len, elements: PhantomData };
        }
        let bytes = len * T::BYTES;
        let mut pool = pool();
        let fits = pool.iter().enumerate().filter(|(_, memory)| memory.len() >= bytes);
        let best = fits.min_by_key(|(_, memory)| memory.len()).map(|(k, _)| k);
        let memory = match best {
            Some(k) => pool.swap_remove(k),
            None => {
                drop(pool);
                AlignedBuffer::new(bytes)
            }
        };
        Self { memory, len, elements: PhantomData }
    }

    /// Room for `len` elements of zero that is not taken from the pool, for long use.
    pub(crate) fn exact(len: usize) -> Self {
        Self { memory: AlignedBuffer::new(len * T::BYTES), len, elements: PhantomData }
    }

    /// Returns the same elements for long use: a buffer of the pool may be much larger than was asked for.
    pub(crate) fn trimmed(self) -> Self {
        if self.memory.len() / 2 <= self.len * T::BYTES {
            return self;
        }
        let mut copy = Self::exact(self.len);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }

    pub(crate) fn as_ptr(&self) -> *const T {
        self.memory.as_ptr().cast()
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the memory is aligned to a cache line, initialised and holds at least `len`
        // elements, for which any bits are a value.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and this buffer is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr().cast(), self.len) }
    }
}

impl<T: Float> Clone for PooledBuffer<T> {
    fn clone(&self) -> Self {
        // A copy may be kept for long.
        let mut clone = Self::exact(self.len);
        clone.as_mut_slice().copy_from_slice(self.as_slice());
        clone
    }
}

impl<T: Float> Drop for PooledBuffer<T> {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, AlignedBuffer::empty());
        if memory.len() == 0 {
            return;
        }
        let mut pool = pool();
        pool.push(memory);
        if pool.len() > POOL_CAPACITY {
            let smallest = (0..pool.len()).min_by_key(|&k| pool[k].len());
            smallest.map(|k| pool.swap_remove(k));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_distinct() {
        let mut first = PooledBuffer::<f64>::new(1000);
        assert_eq!((first.as_ptr() as usize % 64, first.as_mut_slice().len()), (0, 1000));
        let other = PooledBuffer::<f64>::new(1000);
        assert_ne!(first.as_ptr(), other.as_ptr());
        first.as_mut_slice().fill(1.0);
        assert!(first.clone().as_mut_slice().iter().all(|&v| v == 1.0));
    }

    #[test]
    fn long_use_does_not_keep_a_large_buffer() {
        let mut small = PooledBuffer::<f64>::new(1000);
        small.as_mut_slice().fill(2.0);
        small.len = 10;
        let small = small.trimmed();
        assert_eq!((small.as_slice(), small.memory.len()), (&[2.0; 10][..], 80));
        assert_eq!(small.trimmed().memory.len(), 80);
    }
}
