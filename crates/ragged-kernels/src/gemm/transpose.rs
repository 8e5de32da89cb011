//! Transposition between the rows of a weight and vectors of units, in square blocks held in registers.

use crate::element::Float;
use crate::simd::vector::Simd;

/// The lanes of the widest vector.
const MAX_LANES: usize = 16;

/// A row-major matrix.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<T> {
    pub(crate) start: *const T,
    pub(crate) row_stride: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Writes each column of `from` as a row of `width` elements, with zeros after its own; `width` is at
/// least `from.rows`. The rows written have the stride `row_stride`.
///
/// # Safety
///
/// All of `from` can be read, and `to` has room for `from.columns` such rows.
#[inline(always)]
pub(crate) unsafe fn transpose<T: Float, S: Simd<T>>(
    s: S,
    from: Matrix<T>,
    to: *mut T,
    row_stride: usize,
    width: usize,
) {
    for column in (0..from.columns).step_by(S::LANES) {
        let columns = S::LANES.min(from.columns - column);
        for row in (0..width).step_by(S::LANES) {
            let mut block = [s.splat(T::default()); MAX_LANES];
            if columns == S::LANES && row + S::LANES <= from.rows.min(width) {
                // SAFETY: the caller's: a whole block of rows and columns that exist, and of rows that are written.
                unsafe {
                    for (k, vector) in block.iter_mut().enumerate().take(S::LANES) {
                        *vector = s.load(from.start.add((row + k) * from.row_stride + column));
                    }
                    transpose_block::<T, S>(s, &mut block);
                    for (k, &vector) in block.iter().enumerate().take(S::LANES) {
                        s.store(to.add((column + k) * row_stride + row), vector);
                    }
                }
                continue;
            }
            for (k, vector) in block.iter_mut().enumerate().take(S::LANES) {
                if row + k < from.rows {
                    let at = (row + k) * from.row_stride + column;
                    // SAFETY: the caller's: a row and columns that exist.
                    *vector = unsafe { s.load_first(from.start.add(at), columns) };
                }
            }
            transpose_block::<T, S>(s, &mut block);
            for (k, &vector) in block.iter().enumerate().take(columns) {
                // SAFETY: the caller's: within the width of a row that is written.
                unsafe {
                    let to = to.add((column + k) * row_stride + row);
                    s.store_first(to, vector, S::LANES.min(width - row));
                }
            }
        }
    }
}

/// Transposes the first `LANES` vectors. In binary, transposition exchanges the bits of the row index
/// with those of the column index: for each bit, pairs of vectors that differ in it exchange the lanes
/// that differ in it.
#[inline(always)]
fn transpose_block<T: Float, S: Simd<T>>(s: S, block: &mut [S::V; MAX_LANES]) {
    stage::<T, S, 8>(s, block);
    stage::<T, S, 4>(s, block);
    stage::<T, S, 2>(s, block);
    stage::<T, S, 1>(s, block);
}

/// The pairs that differ in `BIT`. A constant lets the compiler unroll the loop and keep the block in registers.
#[inline(always)]
fn stage<T: Float, S: Simd<T>, const BIT: usize>(s: S, block: &mut [S::V; MAX_LANES]) {
    if BIT < S::LANES {
        for k in 0..S::LANES {
            if k & BIT == 0 {
                (block[k], block[k + BIT]) = s.exchange(block[k], block[k + BIT], BIT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::dispatch::{SimdFloat, Task, dispatch};
    use crate::simd::level::SimdLevel;

    /// `transpose` as a task: from, to, row stride, width.
    struct Transpose<'a, T>(Matrix<T>, &'a mut [T], usize, usize);

    impl<T: Float> Task<T> for Transpose<'_, T> {
        fn run<S: Simd<T>>(self, s: S) {
            let Self(from, to, row_stride, width) = self;
            assert!(to.len() >= from.columns * row_stride && row_stride >= width);
            // SAFETY: the matrix of the test, and the room just checked.
            unsafe { transpose(s, from, to.as_mut_ptr(), row_stride, width) }
        }
    }

    fn check<T: SimdFloat>(number: fn(usize) -> T) {
        let untouched = number(usize::MAX >> 32);
        for level in SimdLevel::available() {
            for (rows, columns, width) in
                [(16, 16, 16), (1, 1, 1), (3, 40, 8), (16, 7, 16), (0, 5, 16), (37, 19, 40)]
            {
                let (from_stride, to_stride) = (columns + 3, width + 2);
                let from: Vec<T> = (0..rows * from_stride + 1).map(number).collect();
                let mut to = vec![untouched; columns * to_stride];
                let matrix =
                    Matrix { start: from.as_ptr(), row_stride: from_stride, rows, columns };
                dispatch(level, Transpose(matrix, &mut to, to_stride, width));
                for (column, to) in to.chunks(to_stride).enumerate() {
                    for (row, &to) in to.iter().enumerate() {
                        let expected = match row {
                            _ if row < rows => from[row * from_stride + column],
                            _ if row < width => T::default(),
                            _ => untouched,
                        };
                        assert_eq!(to, expected, "{level:?}: {rows} x {columns}, {row} {column}");
                    }
                }
            }
        }
    }

    #[test]
    fn columns_become_rows_at_every_level() {
        check(|k| k as f32);
        check(|k| k as f64);
    }
}
