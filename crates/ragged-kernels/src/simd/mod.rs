//! Vectors of elements, as wide as the machine has them, under one set of names.
//!
//! A kernel is written once, generic over [`vector::Simd`], and compiled once for each level.
//! [`dispatch::dispatch`] enters the level's copy: everything below it is inlined into a function that
//! may use the level's instructions, so no build flag is needed.

pub(crate) mod denormals;
pub(crate) mod dispatch;
pub(crate) mod level;
pub(crate) mod math;
mod portable;
pub(crate) mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;
