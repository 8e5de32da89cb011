//! Vectors of numbers, as wide as the machine has them, under one set of names.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once a level. [`dispatch`] enters
//! the level's copy: everything below it is inlined into a function that may use the level's
//! instructions, so no build flag is needed.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

use crate::Element;

/// The environment variable that forces a level: `portable`, `avx2` or `avx512`.
const VARIABLE: &str = "RAGGED_KERNELS_SIMD";

/// An instruction set that the kernels are compiled for.
///
/// On aarch64 the portable level is NEON, which every such machine has: the compiler turns its
/// fixed-size arrays into NEON registers and its multiply-adds into fused ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SimdLevel {
    /// What every machine has.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F.
    Avx512,
}

impl SimdLevel {
    /// The levels that this machine has, the fastest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)] // The list grows on x86-64 alone.
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Self::Avx2);
            if is_x86_feature_detected!("avx512f") {
                levels.push(Self::Avx512);
            }
        }
        levels
    }

    /// The level that kernels run at: what `RAGGED_KERNELS_SIMD` names where this machine has it,
    /// and the fastest otherwise. Read once.
    pub fn current() -> Self {
        static CURRENT: OnceLock<SimdLevel> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let levels = Self::available();
            let wanted = std::env::var(VARIABLE).unwrap_or_default().to_lowercase();
            let forced = levels.iter().copied().find(|level| level.name() == wanted);
            forced.or(levels.last().copied()).unwrap_or(Self::Portable)
        })
    }

    /// The name that the environment variable takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Vectors of `LANES` numbers. An implementor exists only where its instructions do.
///
/// Multiply-adds are fused at every level but the portable one on x86-64.
pub(crate) trait Simd<T: Element>: Copy {
    /// A vector.
    type V: Copy;
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of a tile whose accumulators, four vectors each, stay in registers.
    const ROWS: usize;
    /// Whether a multiply-add rounds once.
    const FUSED: bool;

    fn splat(self, value: T) -> Self::V;
    /// # Safety
    /// `from` points to `LANES` numbers.
    unsafe fn load(self, from: *const T) -> Self::V;
    /// # Safety
    /// `to` points to room for `LANES` numbers.
    unsafe fn store(self, to: *mut T, v: Self::V);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a b + c`, rounded once where [`FUSED`](Self::FUSED).
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The smaller of a limit and `x`; NaN stays NaN.
    fn at_most(self, limit: Self::V, x: Self::V) -> Self::V;
    /// The larger of a limit and `x`; NaN stays NaN.
    fn at_least(self, limit: Self::V, x: Self::V) -> Self::V;
    fn abs(self, x: Self::V) -> Self::V;
    /// The magnitude of `x` with the sign of `sign`.
    fn copysign(self, x: Self::V, sign: Self::V) -> Self::V;
    /// Lane by lane `if a < b { yes } else { no }`.
    fn select_less(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The lanes whose number has the bit `distance` change places with those of the other vector that
    /// have not: lane `l + distance` of `a` with lane `l` of `b`. `distance` is a power of two below
    /// `LANES`.
    fn exchange(self, a: Self::V, b: Self::V, distance: usize) -> (Self::V, Self::V);
    /// 2^n, where the lowest bits of `shifted` hold the whole number n (see `math`), and the result
    /// is a normal number.
    fn power(self, shifted: Self::V) -> Self::V;
    /// Asks for the cache line of an address that will be read soon. The address may be any.
    #[inline(always)]
    fn prefetch(self, _at: *const T) {}
    /// 1 / x for a normal x whose reciprocal is normal, within a unit in the last place.
    #[inline(always)]
    fn recip(self, x: Self::V) -> Self::V {
        self.div(self.splat(T::ONE), x)
    }
    /// The first `count` numbers, and zeros.
    ///
    /// # Safety
    /// `from` points to `count` numbers, and `count` is at most `LANES`.
    unsafe fn load_first(self, from: *const T, count: usize) -> Self::V;
    /// Stores the first `count` lanes.
    ///
    /// # Safety
    /// `to` points to room for `count` numbers, and `count` is at most `LANES`.
    unsafe fn store_first(self, to: *mut T, v: Self::V, count: usize);
    /// The first `count` lanes, and zeros; `count` is at most `LANES`.
    fn first(self, v: Self::V, count: usize) -> Self::V;
}

/// Work that is compiled for every level.
pub(crate) trait Task<T: Element> {
    fn run<S: Simd<T>>(self, s: S);
}

/// Runs a task at a level that this machine has.
pub(crate) fn dispatch<T: Element>(level: SimdLevel, task: impl Task<T>) {
    T::dispatch(level, task);
}

/// The body of [`Element::dispatch`], once for each number type.
macro_rules! dispatch_to {
    ($t:ty, $level:expr, $task:expr) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma")]
            fn avx2<K: $crate::simd::Task<$t>>(s: $crate::simd::Avx2, task: K) {
                task.run(s);
            }
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn avx512<K: $crate::simd::Task<$t>>(s: $crate::simd::Avx512, task: K) {
                task.run(s);
            }
            if let Some(s) = $crate::simd::Avx512::new($level) {
                // SAFETY: `s` exists only where AVX-512 F, AVX2 and FMA were detected.
                return unsafe { avx512(s, $task) };
            }
            if let Some(s) = $crate::simd::Avx2::new($level) {
                // SAFETY: `s` exists only where AVX2 and FMA were detected.
                return unsafe { avx2(s, $task) };
            }
        }
        let _ = $level;
        $task.run($crate::simd::Portable)
    }};
}
pub(crate) use dispatch_to;
pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};
