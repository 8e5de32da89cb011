//! Where the kernels' elements are stored: aligned buffers, the pool that reuses them, and vectors that
//! are written without being zeroed first.

mod aligned_buffer;
pub(crate) mod pooled_buffer;
pub(crate) mod sync_ptr;
pub(crate) mod uninit_vec;
