//! Runs code at a level that is known at run time.

use crate::element::Float;
use crate::simd::level::SimdLevel;
use crate::simd::portable::Portable;
use crate::simd::vector::Simd;
#[cfg(target_arch = "x86_64")]
use crate::simd::x86::{Avx2, Avx512};

/// The portable level for `f32`, where the target has instructions for it.
mod portable_f32 {
    #[cfg(target_arch = "aarch64")]
    pub(crate) use crate::simd::aarch64::Neon as PortableF32;
    #[cfg(not(any(
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "simd128")
    )))]
    pub(crate) use crate::simd::portable::Portable as PortableF32;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    pub(crate) use crate::simd::wasm32::Simd128 as PortableF32;
}

use portable_f32::PortableF32;

/// Work that is compiled once for every level.
pub(crate) trait Task<T: Float> {
    /// Does the work. An implementation is `#[inline(always)]`, so that it is compiled with the level's
    /// instructions.
    fn run<S: Simd<T>>(self, s: S);
}

/// Runs a task at a level, or at the portable one where the processor does not have it.
pub(crate) fn dispatch<T: SimdFloat>(level: SimdLevel, task: impl Task<T>) {
    T::dispatch(level, task);
}

/// An element type that has vectors at every level.
pub trait SimdFloat: Float {
    // This trait cannot be named outside the crate, so the types in its signatures stay inside it.
    #[allow(private_interfaces, private_bounds)]
    fn dispatch<K: Task<Self>>(level: SimdLevel, task: K);
}

/// Implements [`SimdFloat`]. Each level has a module of its own, since the compiler translates the instances of
/// a generic function in the unit of its module: so it works on several levels at once.
macro_rules! simd_float {
    ($t:ty, $levels:ident, $portable:ident) => {
        mod $levels {
            #[cfg(target_arch = "x86_64")]
            pub(super) mod avx2 {
                use super::super::{Avx2, Task};

                #[target_feature(enable = "avx2,fma")]
                pub(crate) fn run<K: Task<$t>>(s: Avx2, task: K) {
                    task.run(s);
                }
            }

            #[cfg(target_arch = "x86_64")]
            pub(super) mod avx512 {
                use super::super::{Avx512, Task};

                #[target_feature(enable = "avx512f,avx2,fma")]
                pub(crate) fn run<K: Task<$t>>(s: Avx512, task: K) {
                    task.run(s);
                }
            }

            pub(super) mod portable {
                use super::super::{Task, $portable};

                pub(crate) fn run<K: Task<$t>>(task: K) {
                    task.run($portable);
                }
            }
        }

        impl SimdFloat for $t {
            #[allow(private_interfaces, private_bounds)]
            #[inline]
            fn dispatch<K: Task<Self>>(level: SimdLevel, task: K) {
                #[cfg(target_arch = "x86_64")]
                {
                    if let Some(s) = Avx512::new(level) {
                        // SAFETY: `s` exists only where AVX-512 F, AVX2 and FMA were detected.
                        return unsafe { $levels::avx512::run(s, task) };
                    }
                    if let Some(s) = Avx2::new(level) {
                        // SAFETY: `s` exists only where AVX2 and FMA were detected.
                        return unsafe { $levels::avx2::run(s, task) };
                    }
                }
                let _ = level;
                $levels::portable::run(task);
            }
        }
    };
}

simd_float!(f32, levels_f32, PortableF32);
simd_float!(f64, levels_f64, Portable);
