//! Sums over the units of as many rows as a vector has lanes.
//!
//! Each row has a vector of partial sums. At the end, the lanes of all these vectors are added together, in an order
//! that is the same for each row: so a sum does not depend on the other rows.

use crate::element::Float;
use crate::simd::vector::Simd;

/// One vector of partial sums per row, in a [`Simd::Block`].
#[derive(Clone, Copy)]
pub(crate) struct RowSums<T: Float, S: Simd<T>>(S::Block);

impl<T: Float, S: Simd<T>> RowSums<T, S> {
    #[inline(always)]
    pub(crate) fn zero(s: S) -> Self {
        Self(s.block(s.splat(T::default())))
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, s: S, row: usize, v: S::V) {
        let sum = &mut self.0.as_mut()[row];
        *sum = s.add(*sum, v);
    }

    /// Adds `a b`.
    #[inline(always)]
    pub(crate) fn add_product(&mut self, s: S, row: usize, a: S::V, b: S::V) {
        let sum = &mut self.0.as_mut()[row];
        *sum = s.mul_add(a, b, *sum);
    }

    /// Returns the sum of each row in the lane with its number.
    #[inline(always)]
    pub(crate) fn totals(self, s: S) -> S::V {
        let mut rows = self.0;
        let rows = rows.as_mut();
        halve::<T, S, 8>(s, rows);
        halve::<T, S, 4>(s, rows);
        halve::<T, S, 2>(s, rows);
        halve::<T, S, 1>(s, rows);
        rows[0]
    }
}

/// Adds the lanes that differ in `BIT` of rows that differ in it. Lanes without the bit then have the sums of the row
/// without it, and lanes with the bit those of the other row.
#[inline(always)]
fn halve<T: Float, S: Simd<T>, const BIT: usize>(s: S, rows: &mut [S::V]) {
    if BIT < S::LANES {
        for row in 0..BIT {
            let (a, b) = s.exchange(rows[row], rows[row + BIT], BIT);
            rows[row] = s.add(a, b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::dispatch::{SimdFloat, Task, dispatch};
    use crate::simd::level::SimdLevel;

    /// Adds the rows of a matrix with `LANES` columns, and 2 times them as products.
    struct Totals<'a, T>(&'a dyn Fn(usize, usize) -> T, &'a mut Vec<T>);

    impl<T: Float> Task<T> for Totals<'_, T> {
        fn run<S: Simd<T>>(self, s: S) {
            let Self(value, totals) = self;
            let mut sums = RowSums::zero(s);
            for row in 0..S::LANES {
                let lanes: Vec<T> = (0..S::LANES).map(|lane| value(row, lane)).collect();
                // SAFETY: a vector of lanes.
                let v = unsafe { s.load(lanes.as_ptr()) };
                sums.add(s, row, v);
                sums.add_product(s, row, v, s.splat(T::ONE + T::ONE));
            }
            totals.resize(S::LANES, T::default());
            // SAFETY: room for a vector.
            unsafe { s.store(totals.as_mut_ptr(), sums.totals(s)) };
        }
    }

    fn check<T: SimdFloat>() {
        for level in SimdLevel::available() {
            let value = |row, lane| T::from_f64((1 + row * 100 + lane * lane) as f64);
            let mut totals = vec![];
            dispatch(level, Totals(&value, &mut totals));
            assert_eq!(totals.len(), level.lanes(T::BYTES));
            for (row, total) in totals.iter().enumerate() {
                let sum: f64 = (0..totals.len()).map(|lane| value(row, lane).to_f64()).sum();
                assert_eq!(total.to_f64(), 3.0 * sum, "{level:?}, row {row}");
            }
        }
    }

    #[test]
    fn each_row_has_its_own_sum_at_every_level() {
        check::<f32>();
        check::<f64>();
    }
}
