//! Vectors of elements, as wide as the processor's registers, and functions on them.
//!
//! A kernel is written once, generic over [`vector::Simd`], and compiled once for each [`level`].
//! [`dispatch::dispatch`] calls the copy of a level: the kernel is inlined into a function that is compiled
//! with the level's instructions, so no build flag is needed.

#[cfg(target_arch = "aarch64")]
mod aarch64;
pub(crate) mod denormals;
pub(crate) mod dispatch;
pub(crate) mod level;
pub(crate) mod math;
#[cfg(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")))]
mod pair;
pub(crate) mod portable;
pub(crate) mod vector;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
#[cfg(target_arch = "x86_64")]
mod x86;
