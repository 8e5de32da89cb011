//! Where the kernels' elements are stored: aligned buffers, the pool that reuses them, vectors that are written
//! without being zeroed first, and the sizes of the caches.

mod aligned_buffer;
pub(crate) mod caches;
pub(crate) mod pooled_buffer;
pub(crate) mod sync_ptr;
pub(crate) mod uninit_vec;
