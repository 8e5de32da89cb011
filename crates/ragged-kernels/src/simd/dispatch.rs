//! From a level known at run time to code that is compiled for it.

use crate::element::Float;
use crate::simd::level::SimdLevel;
use crate::simd::portable::Portable;
use crate::simd::vector::Simd;
#[cfg(target_arch = "x86_64")]
use crate::simd::x86::{Avx2, Avx512};

/// Work that is compiled for every level.
pub(crate) trait Task<T: Float> {
    fn run<S: Simd<T>>(self, s: S);
}

/// Runs a task at a level that this machine has.
pub(crate) fn dispatch<T: SimdFloat>(level: SimdLevel, task: impl Task<T>) {
    T::dispatch(level, task);
}

/// An element type that has vectors at every level.
pub trait SimdFloat: Float {
    // Nobody outside can name this trait, so what it shows stays inside.
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
