//! The inner loop of every product: a tile of a few rows and vectors, held in registers.

use crate::Element;
use crate::simd::Simd;

/// The sums of `R` rows and `V` vectors.
pub(crate) type Tile<T, S, const R: usize, const V: usize> = [[<S as Simd<T>>::V; V]; R];

/// All zero.
#[inline(always)]
pub(crate) fn zero<T: Element, S: Simd<T>, const R: usize, const V: usize>(
    s: S,
) -> Tile<T, S, R, V> {
    [[s.splat(T::default()); V]; R]
}

/// `sums[r][v] += a[r][k] w[k][v]` over k.
///
/// `a[r][k]` is the number at `a + r * row + k * column`, `w[k][v]` the vector at
/// `w + (k * V + v) * LANES`. The order of the sum is that of k whatever `R` is: a row's result does
/// not depend on the rows beside it.
///
/// # Safety
///
/// All those numbers are there to be read.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Element, S: Simd<T>, const R: usize, const V: usize>(
    s: S,
    mut sums: Tile<T, S, R, V>,
    count: usize,
    a: *const T,
    row: usize,
    column: usize,
    w: *const T,
) -> Tile<T, S, R, V> {
    for k in 0..count {
        // SAFETY: the caller vouches for the numbers at these places.
        unsafe {
            let w = w.add(k * V * S::LANES);
            let mut weights = [s.splat(T::default()); V];
            for (v, weight) in weights.iter_mut().enumerate() {
                *weight = s.load(w.add(v * S::LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = s.splat(*a.add(r * row + k * column));
                for (sum, &weight) in sums.iter_mut().zip(&weights) {
                    *sum = s.mul_add(a, weight, *sum);
                }
            }
        }
    }
    sums
}

/// Runs `$body` with the constant `$R` for runs of rows that cover a range: full tiles of `$full`,
/// then what is left in fours, twos and a one. Sizes above `$full` are not even compiled.
macro_rules! for_tiles {
    ($full:expr, $range:expr, |$R:ident, $row:ident| $body:expr) => {{
        let range: std::ops::Range<usize> = $range;
        let mut $row = range.start;
        macro_rules! run {
            ($n:literal) => {
                if $full >= $n {
                    while range.end - $row >= $n {
                        const $R: usize = $n;
                        $body;
                        $row += $n;
                    }
                }
            };
        }
        if !range.is_empty() {
            run!(6);
            run!(4);
            if $full == 3 {
                run!(3);
            }
            run!(2);
            run!(1);
        }
    }};
}
pub(crate) use for_tiles;
