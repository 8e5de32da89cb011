//! The operations on vectors that the kernels are written in.

use crate::element::Float;

/// Operations on vectors of `LANES` elements. A value of an implementing type exists only on a processor that
/// has its instructions.
///
/// Multiply-adds are fused at every level, except at the portable one on x86-64.
pub(crate) trait Simd<T: Float>: Copy {
    /// A vector.
    type V: Copy;
    /// As many vectors as each has lanes.
    type Block: Copy + AsRef<[Self::V]> + AsMut<[Self::V]>;
    /// Elements per vector.
    const LANES: usize;
    /// Rows of a full tile of the micro-kernel: its accumulators, four vectors per row, stay in registers.
    const ROWS: usize;
    /// Whether a multiply-add rounds once.
    const FUSED: bool;

    /// A vector of equal elements.
    fn splat(self, value: T) -> Self::V;
    /// A block of equal vectors.
    fn block(self, v: Self::V) -> Self::Block;
    /// Loads a vector; `from` needs no alignment beyond that of an element.
    ///
    /// # Safety
    ///
    /// `from` points to `LANES` elements.
    unsafe fn load(self, from: *const T) -> Self::V;
    /// Stores a vector; `to` needs no alignment beyond that of an element.
    ///
    /// # Safety
    ///
    /// `to` points to room for `LANES` elements.
    unsafe fn store(self, to: *mut T, v: Self::V);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, x: Self::V) -> Self::V;
    /// `a b + c`, rounded once where [`FUSED`](Self::FUSED).
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The smaller of a limit and `x`; NaN where `x` is NaN.
    fn at_most(self, limit: Self::V, x: Self::V) -> Self::V;
    /// The larger of a limit and `x`; NaN where `x` is NaN.
    fn at_least(self, limit: Self::V, x: Self::V) -> Self::V;
    fn abs(self, x: Self::V) -> Self::V;
    /// The magnitude of `x` with the sign of `sign`.
    fn copysign(self, x: Self::V, sign: Self::V) -> Self::V;
    /// In each lane `if a < b { yes } else { no }`.
    fn select_less(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// Swaps lane `l + distance` of `a` with lane `l` of `b`, for every `l` without the bit `distance`, which is
    /// a power of two below `LANES`: one stage of a transposition.
    fn exchange(self, a: Self::V, b: Self::V, distance: usize) -> (Self::V, Self::V);
    /// 2^n, where the lowest bits of `shifted` hold the integer n (see `simd::math`) and the result is a normal
    /// number.
    fn power(self, shifted: Self::V) -> Self::V;
    /// Prefetches the cache line of an address, which need not be valid.
    #[inline(always)]
    fn prefetch(self, _at: *const T) {}
    /// 1 / x for a normal x whose reciprocal is normal, to within one unit in the last place.
    #[inline(always)]
    fn recip(self, x: Self::V) -> Self::V {
        self.div(self.splat(T::ONE), x)
    }
    /// Loads the first `count` lanes; the others are zero.
    ///
    /// # Safety
    ///
    /// `from` points to `count` elements, and `count` is at most `LANES`.
    unsafe fn load_first(self, from: *const T, count: usize) -> Self::V;
    /// Stores the first `count` lanes.
    ///
    /// # Safety
    ///
    /// `to` points to room for `count` elements, and `count` is at most `LANES`.
    unsafe fn store_first(self, to: *mut T, v: Self::V, count: usize);
    /// Keeps the first `count` lanes, at most `LANES`, and sets the others to zero.
    fn first(self, v: Self::V, count: usize) -> Self::V;
}

/// The bytes from one prefetch to the next: a cache line of x86-64 and of most aarch64 processors. Where lines
/// are longer, some prefetches are redundant.
const CACHE_LINE: usize = 64;

/// The most lines that are prefetched at once. They arrive while the first of them are read; after a few lines
/// in sequence, the hardware prefetcher takes over.
const PREFETCHED_LINES: usize = 32;

/// Prefetches the lines of some vectors, which begin with a line.
#[inline(always)]
pub(crate) fn prefetch_vectors<T: Float, S: Simd<T>>(s: S, from: *const T, vectors: usize) {
    for at in (0..vectors * S::LANES).step_by(CACHE_LINE / T::BYTES) {
        s.prefetch(from.wrapping_add(at));
    }
}

/// Prefetches `count` elements that another core has just written: all lines at once, since reading them one
/// by one would wait for each.
#[inline(always)]
pub(crate) fn prefetch_lines<T: Float, S: Simd<T>>(s: S, from: *const T, count: usize) {
    let line = CACHE_LINE / T::BYTES;
    for at in (0..count + line).step_by(line).take(PREFETCHED_LINES) {
        s.prefetch(from.wrapping_add(at.min(count)));
    }
}
