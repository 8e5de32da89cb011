//! Memory that begins on a cache line, on huge pages where it is large and the system has them.
//!
//! A page of 4 KiB holds the weights of sixteen columns: what looks ahead of a stream of weights in
//! the processor stops at its end and begins anew. On pages of 2 MiB, passes through weights that no
//! cache holds are about a tenth faster. Linux gives them to whoever asks (`madvise`).

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::Element;

/// A cache line, in bytes.
const LINE: usize = 64;

/// A huge page, and the least that is worth some, in bytes.
const HUGE: usize = 2 << 20;

/// Initialised numbers.
#[doc(hidden)]
#[derive(Debug)]
pub struct Memory<T> {
    start: NonNull<T>,
    numbers: usize,
    owned: PhantomData<T>,
}

// SAFETY: it owns its numbers, as a `Vec` does.
unsafe impl<T: Send> Send for Memory<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Memory<T> {}

impl<T: Element> Memory<T> {
    /// All zero.
    pub(crate) fn new(numbers: usize) -> Self {
        if numbers == 0 {
            return Self { start: NonNull::dangling(), numbers, owned: PhantomData };
        }
        let layout = Self::layout(numbers);
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout);
        };
        ask_for_huge_pages(start, layout);
        let start = start.cast::<T>();
        // SAFETY: so many numbers were allocated, and zero bytes are a number.
        unsafe { start.write_bytes(0, numbers) };
        Self { start, numbers, owned: PhantomData }
    }
}

impl<T> Memory<T> {
    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers
    }

    pub(crate) fn as_ptr(&self) -> *mut T {
        self.start.as_ptr()
    }

    fn layout(numbers: usize) -> Layout {
        let layout = Layout::array::<T>(numbers).ok();
        let layout = layout.and_then(|layout| {
            layout.align_to(if layout.size() < HUGE { LINE } else { HUGE }).ok()
        });
        layout.expect("shapes whose numbers fit the address space, as the caller's slices do")
    }
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        if self.numbers > 0 {
            // SAFETY: allocated with this layout, and numbers need no drop of their own.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.numbers)) };
        }
    }
}

/// Before the first touch, which is when the system chooses the pages.
fn ask_for_huge_pages(start: NonNull<u8>, layout: Layout) {
    #[cfg(all(target_os = "linux", not(miri)))]
    if layout.size() >= HUGE {
        // SAFETY: the range is allocated, and the advice changes none of its bytes. Where the system
        // has no huge pages it says so, and small ones are as right.
        unsafe { libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (start, layout);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_is_aligned_and_zero() {
        // Millions of numbers take Miri minutes.
        let large = if cfg!(miri) { vec![] } else { vec![(HUGE >> 2) - 1, HUGE >> 2, HUGE + 5] };
        for numbers in [0, 1, 15, 17, 1000].into_iter().chain(large) {
            let memory = Memory::<f32>::new(numbers);
            let align = if numbers * 4 < HUGE { LINE } else { HUGE };
            assert_eq!(memory.len(), numbers);
            let start = memory.as_ptr() as usize;
            assert!(numbers == 0 || start.is_multiple_of(align), "{numbers}");
            // SAFETY: so many numbers are there, and initialised.
            let all = unsafe { std::slice::from_raw_parts(memory.as_ptr(), numbers) };
            assert!(all.iter().all(|&v| v == 0.0));
        }
    }
}
