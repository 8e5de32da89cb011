//! Runs code at a level that is known at run time.

use crate::element::Float;
use crate::simd::level::SimdLevel;
use crate::simd::portable::Portable;
use crate::simd::vector::Simd;
#[cfg(target_arch = "x86_64")]
use crate::simd::x86::{Avx2, Avx512};

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

macro_rules! simd_float {
    ($t:ty) => {
        impl SimdFloat for $t {
            #[allow(private_interfaces, private_bounds)]
            #[inline]
            fn dispatch<K: Task<Self>>(level: SimdLevel, task: K) {
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx2,fma")]
                    fn avx2<K: Task<$t>>(s: Avx2, task: K) {
                        task.run(s);
                    }
                    #[target_feature(enable = "avx512f,avx2,fma")]
                    fn avx512<K: Task<$t>>(s: Avx512, task: K) {
                        task.run(s);
                    }
                    if let Some(s) = Avx512::new(level) {
                        // SAFETY: `s` exists only where AVX-512 F, AVX2 and FMA were detected.
                        return unsafe { avx512(s, task) };
                    }
                    if let Some(s) = Avx2::new(level) {
                        // SAFETY: `s` exists only where AVX2 and FMA were detected.
                        return unsafe { avx2(s, task) };
                    }
                }
                let _ = level;
                task.run(Portable)
            }
        }
    };
}

simd_float!(f32);
simd_float!(f64);
