//! Memory that is aligned to cache lines, on huge pages where it is large and the system has them.
//!
//! A page of 4 KiB holds the weights of sixteen columns. The processor's prefetcher of a stream of
//! weights stops at the end of a page and starts again on the next. On pages of 2 MiB, passes over
//! weights that exceed the caches are about a tenth faster. Linux provides such pages on request
//! (`madvise`).

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// The alignment of small buffers, in bytes: a cache line of x86-64 and of most aarch64 processors, and the
/// widest vector of the kernels, so that no load of a vector crosses a line.
const CACHE_LINE: usize = 64;

/// A huge page, in bytes; also the smallest buffer for which huge pages are requested.
const HUGE_PAGE: usize = 2 << 20;

/// Initialised bytes.
#[derive(Debug)]
pub(crate) struct AlignedBuffer {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it owns its bytes, as a `Vec` does.
unsafe impl Send for AlignedBuffer {}
// SAFETY: as above.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// Allocates a buffer of zeros.
    pub(crate) fn new(bytes: usize) -> Self {
        if bytes == 0 {
            return Self::empty();
        }
        let layout = Self::layout(bytes);
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout);
        };
        request_huge_pages(start, layout);
        // SAFETY: `bytes` bytes were allocated.
        unsafe { start.write_bytes(0, bytes) };
        Self { start, bytes }
    }

    /// Returns a buffer without bytes, aligned as the others are.
    pub(crate) fn empty() -> Self {
        // Not null, and a multiple of the alignment.
        Self { start: NonNull::<CacheLine>::dangling().cast(), bytes: 0 }
    }

    /// Returns the size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    fn layout(bytes: usize) -> Layout {
        let align = if bytes < HUGE_PAGE { CACHE_LINE } else { HUGE_PAGE };
        Layout::from_size_align(bytes, align)
            .expect("a buffer fits the address space, as the slices of the caller do")
    }
}

/// A type with the alignment of a cache line.
#[repr(align(64))]
struct CacheLine;

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.bytes)) };
        }
    }
}

/// Requests huge pages; to be called before the first access, at which the system chooses the pages.
fn request_huge_pages(start: NonNull<u8>, layout: Layout) {
    #[cfg(all(target_os = "linux", not(miri)))]
    if layout.size() >= HUGE_PAGE {
        // SAFETY: the range is allocated, and the advice changes none of its bytes. A system without
        // huge pages returns an error, and the buffer is as valid on small pages.
        unsafe { libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (start, layout);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_any_size_are_aligned_and_zero() {
        // Millions of bytes take Miri minutes.
        let large = if cfg!(miri) { vec![] } else { vec![HUGE_PAGE - 4, HUGE_PAGE, HUGE_PAGE * 4] };
        for bytes in [0, 4, 60, 68, 4000].into_iter().chain(large) {
            let buffer = AlignedBuffer::new(bytes);
            let align = if bytes < HUGE_PAGE { CACHE_LINE } else { HUGE_PAGE };
            assert_eq!(buffer.len(), bytes);
            assert!((buffer.as_ptr() as usize).is_multiple_of(align), "{bytes}");
            // SAFETY: the buffer has `bytes` bytes, which are initialised.
            let all = unsafe { std::slice::from_raw_parts(buffer.as_ptr(), bytes) };
            assert!(all.iter().all(|&v| v == 0));
        }
    }
}
