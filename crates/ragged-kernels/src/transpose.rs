//! Between the rows of a weight and vectors of units: square blocks, transposed in registers.

use crate::Element;
use crate::simd::Simd;

/// The lanes of the widest vector.
const WIDEST: usize = 16;

/// A matrix whose rows lie `distance` apart.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<T> {
    pub(crate) at: *const T,
    pub(crate) distance: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Writes each column of `from` as a row, zeros behind it up to `width`, which is at least as much as
/// `from` has rows. The rows written lie `distance` apart.
///
/// # Safety
///
/// All of `from` is there to be read, and from `to` on there is room for so many rows.
#[inline(always)]
pub(crate) unsafe fn transpose<T: Element, S: Simd<T>>(
    s: S,
    from: Matrix<T>,
    to: *mut T,
    distance: usize,
    width: usize,
) {
    let Matrix { at, distance: apart, rows, columns } = from;
    for column in (0..columns).step_by(S::LANES) {
        let across = S::LANES.min(columns - column);
        for row in (0..width).step_by(S::LANES) {
            let mut block = [s.splat(T::default()); WIDEST];
            for (k, vector) in block.iter_mut().enumerate().take(S::LANES) {
                if row + k < rows {
                    // SAFETY: the caller's: a row that is there, from a column on that is.
                    *vector = unsafe { s.load_first(at.add((row + k) * apart + column), across) };
                }
            }
            turn::<T, S>(s, &mut block);
            for (k, &vector) in block.iter().enumerate().take(across) {
                // SAFETY: the caller's: within the width of a row that is written.
                unsafe {
                    let to = to.add((column + k) * distance + row);
                    s.store_first(to, vector, S::LANES.min(width - row));
                }
            }
        }
    }
}

/// Transposes the first `LANES` vectors. Read as numbers of so many bits, a row and a column change
/// places bit by bit: for each bit, pairs of vectors that differ in it exchange the lanes that do.
#[inline(always)]
fn turn<T: Element, S: Simd<T>>(s: S, block: &mut [S::V; WIDEST]) {
    for distance in [8, 4, 2, 1] {
        if distance < S::LANES {
            for k in (0..S::LANES).filter(|k| k & distance == 0) {
                (block[k], block[k + distance]) =
                    s.exchange(block[k], block[k + distance], distance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{SimdLevel, Task, dispatch};

    struct Turned<'a, T>(Matrix<T>, &'a mut [T], usize, usize);

    impl<T: Element> Task<T> for Turned<'_, T> {
        fn run<S: Simd<T>>(self, s: S) {
            let Self(from, to, distance, width) = self;
            assert!(to.len() >= from.columns * distance && distance >= width);
            // SAFETY: the matrix of the test, and the room just checked.
            unsafe { transpose(s, from, to.as_mut_ptr(), distance, width) }
        }
    }

    fn check<T: Element>(number: fn(usize) -> T) {
        let none = number(usize::MAX >> 32);
        for level in SimdLevel::available() {
            for (rows, columns, width) in
                [(16, 16, 16), (1, 1, 1), (3, 40, 8), (16, 7, 16), (0, 5, 16), (37, 19, 40)]
            {
                let (apart, distance) = (columns + 3, width + 2);
                let from: Vec<T> = (0..rows * apart + 1).map(number).collect();
                let mut to = vec![none; columns * distance];
                let matrix = Matrix { at: from.as_ptr(), distance: apart, rows, columns };
                dispatch(level, Turned(matrix, &mut to, distance, width));
                for (column, to) in to.chunks(distance).enumerate() {
                    for (row, &to) in to.iter().enumerate() {
                        let expected = match row {
                            _ if row < rows => from[row * apart + column],
                            _ if row < width => T::default(),
                            _ => none,
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
