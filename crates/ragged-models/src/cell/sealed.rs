//! Keeps other crates from implementing [`Cell`](crate::Cell): a stream relies on the kernels of the three cells.

/// A cell of this crate.
pub trait Sealed {}
