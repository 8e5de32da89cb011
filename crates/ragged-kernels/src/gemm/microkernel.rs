//! The inner loop of every product: a tile of a few rows by a few vectors, held in registers.
//!
//! A tile of R rows and V vectors needs R V accumulators, a register for each of the R broadcast factors or
//! of the V weights, whichever are fewer, and one for the other. With V = 4, six rows take 29 of the 32
//! registers of AVX-512, and three rows all 16 of AVX2.

use crate::element::Float;
use crate::simd::vector::Simd;

/// The sums of `R` rows and `V` vectors.
pub(crate) type Tile<T, S, const R: usize, const V: usize> = [[<S as Simd<T>>::V; V]; R];

/// A matrix whose element `[r][k]` lies at `start + r * row_stride + k * column_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<T> {
    pub(crate) start: *const T,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

/// Returns a tile of zeros.
#[inline(always)]
pub(crate) fn zero_tile<T: Float, S: Simd<T>, const R: usize, const V: usize>(
    s: S,
) -> Tile<T, S, R, V> {
    [[s.splat(T::default()); V]; R]
}

/// Returns a tile whose rows are all the same four vectors.
///
/// # Safety
/// `from` points to four vectors.
#[inline(always)]
pub(crate) unsafe fn repeat_rows<T: Float, S: Simd<T>, const R: usize>(
    s: S,
    from: *const T,
) -> Tile<T, S, R, 4> {
    let mut sums = zero_tile::<T, S, R, 4>(s);
    for sums in &mut sums {
        for (slot, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller guarantees four vectors.
            *sum = unsafe { s.load(from.add(slot * S::LANES)) };
        }
    }
    sums
}

/// Computes `sums[r][v] += a[r][k] w[k][v]` for each of `ks` in turn: `a` `[R, K]` strided, `w`
/// `[K][V][lane]` packed.
///
/// The order of the sum is that of `ks` whatever `R` is: the result of a row does not depend on the
/// other rows of its tile.
///
/// # Safety
///
/// All these elements of `a` and `w` can be read.
#[inline(always)]
pub(crate) unsafe fn microkernel<T: Float, S: Simd<T>, const R: usize, const V: usize>(
    s: S,
    mut sums: Tile<T, S, R, V>,
    ks: impl Iterator<Item = usize>,
    a: Strided<T>,
    w: *const T,
) -> Tile<T, S, R, V> {
    for k in ks {
        // SAFETY: the caller guarantees these elements.
        unsafe {
            let w = w.add(k * V * S::LANES);
            let factor = |r: usize| s.splat(*a.start.add(r * a.row_stride + k * a.column_stride));
            // Keep the smaller operand in registers and load the other one by one, so that the tile fits
            // the register file.
            if R < V {
                let mut factors = [s.splat(T::default()); R];
                for (r, to) in factors.iter_mut().enumerate() {
                    *to = factor(r);
                }
                for v in 0..V {
                    let weight = s.load(w.add(v * S::LANES));
                    for (sums, &factor) in sums.iter_mut().zip(&factors) {
                        sums[v] = s.mul_add(factor, weight, sums[v]);
                    }
                }
            } else {
                let mut weights = [s.splat(T::default()); V];
                for (v, weight) in weights.iter_mut().enumerate() {
                    *weight = s.load(w.add(v * S::LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let factor = factor(r);
                    for (sum, &weight) in sums.iter_mut().zip(&weights) {
                        *sum = s.mul_add(factor, weight, *sum);
                    }
                }
            }
        }
    }
    sums
}

/// Returns the rows of the next tile where `remaining` rows are left and a full tile has `full` rows.
/// The last rows are divided into tiles of similar size, since each tile reads all weights.
#[inline(always)]
pub(crate) fn next_tile_rows(full: usize, remaining: usize) -> usize {
    match (full, remaining) {
        (6, 7 | 8) => 4,
        (3, 4) => 2,
        _ => remaining.min(full),
    }
}

/// Runs `$body` with the constant `$R` for tiles of rows that cover a range. Sizes above `$full` are
/// not compiled.
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
            match $crate::gemm::microkernel::next_tile_rows($full, range.end - $row) {
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
            for mut remaining in 1..40 {
                while remaining > 0 {
                    let rows = next_tile_rows(full, remaining);
                    assert!((1..=full.min(remaining)).contains(&rows));
                    remaining -= rows;
                }
            }
        }
    }
}
