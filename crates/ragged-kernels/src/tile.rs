//! The inner loop of every product: a tile of a few rows and vectors, held in registers.

use crate::Element;
use crate::simd::Simd;

/// The sums of `R` rows and `V` vectors.
pub(crate) type Tile<T, S, const R: usize, const V: usize> = [[<S as Simd<T>>::V; V]; R];

/// A matrix whose number `[r][k]` lies at `at + r * row + k * column`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<T> {
    pub(crate) at: *const T,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// All zero.
#[inline(always)]
pub(crate) fn zero<T: Element, S: Simd<T>, const R: usize, const V: usize>(
    s: S,
) -> Tile<T, S, R, V> {
    [[s.splat(T::default()); V]; R]
}

/// The same four vectors for all rows of a tile.
///
/// # Safety
/// `from` points to four vectors.
#[inline(always)]
pub(crate) unsafe fn repeat<T: Element, S: Simd<T>, const R: usize>(
    s: S,
    from: *const T,
) -> Tile<T, S, R, 4> {
    let mut sums = zero::<T, S, R, 4>(s);
    for sums in &mut sums {
        for (slot, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller vouches for four vectors.
            *sum = unsafe { s.load(from.add(slot * S::LANES)) };
        }
    }
    sums
}

/// `sums[r][v] += a[r][k] w[k][v]` for each of `ks` in turn.
///
/// `w[k][v]` is the vector at `w + (k * V + v) * LANES`. The order of the sum is that of `ks` whatever
/// `R` is: a row's result does not depend on the rows beside it.
///
/// # Safety
///
/// All those numbers are there to be read.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Element, S: Simd<T>, const R: usize, const V: usize>(
    s: S,
    mut sums: Tile<T, S, R, V>,
    ks: impl Iterator<Item = usize>,
    a: Strided<T>,
    w: *const T,
) -> Tile<T, S, R, V> {
    for k in ks {
        // SAFETY: the caller vouches for the numbers at these places.
        unsafe {
            let w = w.add(k * V * S::LANES);
            let mut weights = [s.splat(T::default()); V];
            for (v, weight) in weights.iter_mut().enumerate() {
                *weight = s.load(w.add(v * S::LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let factor = s.splat(*a.at.add(r * a.row + k * a.column));
                for (sum, &weight) in sums.iter_mut().zip(&weights) {
                    *sum = s.mul_add(factor, weight, *sum);
                }
            }
        }
    }
    sums
}

/// The rows of the next tile where `left` remain and a full one has `full`: the rest is cut into
/// tiles of about one size, since each of them reads all weights.
#[inline(always)]
pub(crate) fn tile_rows(full: usize, left: usize) -> usize {
    match (full, left) {
        (6, 7 | 8) => 4,
        (3, 4) => 2,
        _ => left.min(full),
    }
}

/// Runs `$body` with the constant `$R` for tiles of rows that cover a range. Sizes above `$full` are
/// not even compiled.
macro_rules! for_tiles {
    ($full:expr, $range:expr, |$R:ident, $row:ident| $body:expr) => {{
        let range: std::ops::Range<usize> = $range;
        let mut $row = range.start;
        macro_rules! run {
            ($n:literal) => {{
                if $full >= $n {
                    const $R: usize = $n;
                    $body;
                }
                $row += $n;
            }};
        }
        while $row < range.end {
            match $crate::tile::tile_rows($full, range.end - $row) {
                6 => run!(6),
                5 => run!(5),
                4 => run!(4),
                3 => run!(3),
                2 => run!(2),
                _ => run!(1),
            }
        }
    }};
}
pub(crate) use for_tiles;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_all_rows() {
        for full in [2, 3, 6] {
            for mut left in 1..40 {
                while left > 0 {
                    let rows = tile_rows(full, left);
                    assert!((1..=full.min(left)).contains(&rows));
                    left -= rows;
                }
            }
        }
    }
}
