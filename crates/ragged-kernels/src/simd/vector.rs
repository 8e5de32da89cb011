//! The operations on vectors that the kernels are written in.

use crate::element::Float;

/// Vectors of `LANES` numbers. An implementor exists only where its instructions do.
///
/// Multiply-adds are fused at every level but the portable one on x86-64.
pub(crate) trait Simd<T: Float>: Copy {
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
    /// 2^n, where the lowest bits of `shifted` hold the whole number n (see `simd::math`), and the result
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

/// A cache line, in bytes, and how many of them are asked for at once.
const CACHE_LINE: usize = 64;
const PREFETCHED_LINES: usize = 32;

/// Asks for `count` elements that another core has just written: all lines at once, where reading one
/// by one would wait for each. Of many, only the first: behind them a core knows where it goes.
#[inline(always)]
pub(crate) fn prefetch_lines<T: Float, S: Simd<T>>(s: S, from: *const T, count: usize) {
    let line = CACHE_LINE / T::BYTES;
    for at in (0..count + line).step_by(line).take(PREFETCHED_LINES) {
        s.prefetch(from.wrapping_add(at.min(count)));
    }
}
