//! Rows of numbers times a packed matrix.

use std::ops::Range;

use crate::Element;
use crate::layout::Geometry;
use crate::pack::VECTORS;
use crate::simd::Simd;
use crate::tile::{Strided, accumulate, for_tiles, zero};

/// The matrix from the left: each row is a chain of segments.
#[derive(Clone, Copy)]
pub(crate) struct Left<T> {
    pub(crate) base: *const T,
    /// Segments of a row, the distance from one to the next, and the numbers of each.
    pub(crate) segments: usize,
    pub(crate) segment: usize,
    pub(crate) count: usize,
    /// The distance from a row to the next.
    pub(crate) row: usize,
    /// Whether the sums begin with the last number of the last segment.
    pub(crate) descending: bool,
}

impl<T> Left<T> {
    /// Rows of `da`: a segment a block.
    pub(crate) fn of_da(geometry: &Geometry, base: *const T) -> Self {
        let row = 4 * geometry.lanes;
        let (segments, segment) = (geometry.blocks, geometry.rows * row);
        Self { base, segments, segment, count: row, row, descending: false }
    }
}

/// `left x panels` for some rows and vectors of columns; `store(row, vector, sum)` takes each vector
/// of the result. `vectors` begins on a panel's border; `all` is the number of vectors in the matrix.
///
/// # Safety
///
/// All numbers of `left` and all panels (see `pack::panels`, depth segments x count) are there to be
/// read, and `store` writes where it may.
#[inline(always)]
pub(crate) unsafe fn product<T: Element, S: Simd<T>>(
    s: S,
    left: Left<T>,
    rows: Range<usize>,
    panels: *const T,
    vectors: Range<usize>,
    all: usize,
    store: impl Fn(usize, usize, S::V),
) {
    for first in vectors.step_by(VECTORS) {
        // SAFETY: the caller's.
        unsafe {
            match all - first {
                1 => strip::<T, S, 1>(s, left, rows.clone(), panels, first, &store),
                2 => strip::<T, S, 2>(s, left, rows.clone(), panels, first, &store),
                3 => strip::<T, S, 3>(s, left, rows.clone(), panels, first, &store),
                _ => strip::<T, S, VECTORS>(s, left, rows.clone(), panels, first, &store),
            }
        }
    }
}

/// One panel of `V` vectors.
///
/// # Safety
///
/// As [`product`].
#[inline(always)]
unsafe fn strip<T: Element, S: Simd<T>, const V: usize>(
    s: S,
    left: Left<T>,
    rows: Range<usize>,
    panels: *const T,
    first: usize,
    store: &impl Fn(usize, usize, S::V),
) {
    let tile = Strip::<T, V> { left, panels, first };
    // SAFETY: the caller's.
    for_tiles!(<S as Simd<T>>::ROWS, rows, |R, row| tile.run::<S, R>(s, row, store));
}

/// A panel and what is multiplied with it; built only where `product`'s conditions hold.
struct Strip<T, const V: usize> {
    left: Left<T>,
    panels: *const T,
    first: usize,
}

impl<T: Element, const V: usize> Strip<T, V> {
    #[inline(always)]
    fn run<S: Simd<T>, const R: usize>(
        &self,
        s: S,
        row: usize,
        store: &impl Fn(usize, usize, S::V),
    ) {
        let Left { base, segments, segment, count, row: distance, descending } = self.left;
        let mut sums = zero::<T, S, R, V>(s);
        for k in 0..segments {
            let k = if descending { segments - 1 - k } else { k };
            // SAFETY: the caller of `product` vouches for all rows, segments and panels; panels
            // before this one hold depth x LANES numbers for each of their vectors.
            unsafe {
                let panel = self.panels.add(segments * count * self.first * S::LANES);
                let panel = panel.add(k * count * V * S::LANES);
                let at = base.add(k * segment + row * distance);
                let a = Strided { at, row: distance, column: 1 };
                sums = match descending {
                    false => accumulate::<T, S, R, V>(s, sums, 0..count, a, panel),
                    true => accumulate::<T, S, R, V>(s, sums, (0..count).rev(), a, panel),
                };
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                store(row + r, self.first + v, sum);
            }
        }
    }
}
