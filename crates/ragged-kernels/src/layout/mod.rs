//! Where the elements of the kernels' own buffers lie.

pub(crate) mod kernel_layout;
pub(crate) mod row_order;
pub(crate) mod row_spans;
pub(crate) mod segment;
pub(crate) mod states;
