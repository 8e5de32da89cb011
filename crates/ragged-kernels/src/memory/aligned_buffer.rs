//! Memory that begins on a cache line, on huge pages where it is large and the system has them.
//!
//! A page of 4 KiB holds the weights of sixteen columns. The processor's prefetcher of a stream of
//! weights stops at the end of a page and starts again on the next. On pages of 2 MiB, passes over
//! weights that exceed the caches are about a tenth faster. Linux provides such pages on request
//! (`madvise`).

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// A cache line, in bytes.
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
        // SAFETY: so many bytes were allocated.
        unsafe { start.write_bytes(0, bytes) };
        Self { start, bytes }
    }

    /// A buffer without bytes, aligned as the others are.
    pub(crate) fn empty() -> Self {
        // Not null, and a multiple of the alignment.
        Self { start: NonNull::<CacheLine>::dangling().cast(), bytes: 0 }
    }

    /// The size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    fn layout(bytes: usize) -> Layout {
        let align = if bytes < HUGE_PAGE { CACHE_LINE } else { HUGE_PAGE };
        Layout::from_size_align(bytes, align)
            .expect("shapes whose elements fit the address space, as the caller's slices do")
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

/// Must come before the first access, which is when the system chooses the pages.
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
            // SAFETY: so many bytes are there, and initialised.
            let all = unsafe { std::slice::from_raw_parts(buffer.as_ptr(), bytes) };
            assert!(all.iter().all(|&v| v == 0));
        }
    }
}
