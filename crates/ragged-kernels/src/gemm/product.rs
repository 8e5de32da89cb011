//! Products of rows with a matrix in panels.

use std::ops::Range;

use crate::element::Float;
use crate::gemm::microkernel::{Strided, for_tiles, microkernel, zero_tile};
use crate::gemm::weight_panels::PANEL_VECTORS;
use crate::layout::kernel_layout::KernelLayout;
use crate::simd::vector::Simd;

/// The left operand. Each row consists of segments of contiguous elements: element `j` of segment `k` of
/// row `r` lies at `start + r * row_stride + k * segment_stride + j`.
#[derive(Clone, Copy)]
pub(crate) struct Lhs<T> {
    pub(crate) start: *const T,
    pub(crate) row_stride: usize,
    /// Segments per row.
    pub(crate) segments: usize,
    pub(crate) segment_stride: usize,
    /// Elements per segment.
    pub(crate) segment_len: usize,
    /// Whether the sums run from the last element of the last segment to the first.
    pub(crate) reversed: bool,
}

impl<T> Lhs<T> {
    /// `da` `[block][row][slot][lane]`: one segment per block.
    pub(crate) fn of_da(layout: &KernelLayout, start: *const T) -> Self {
        let row = 4 * layout.lanes;
        Self {
            start,
            row_stride: row,
            segments: layout.blocks,
            segment_stride: layout.rows * row,
            segment_len: row,
            reversed: false,
        }
    }
}

/// Takes the vectors of the result of a product. It is not a closure, since that could not be forced to be
/// inlined: without the features of its level, each of its intrinsics would be a call.
pub(crate) trait Sums<T: Float, S: Simd<T>> {
    /// Stores a vector of columns of a row.
    ///
    /// # Safety
    ///
    /// The row and the vector belong to the product whose sums these are.
    unsafe fn store(&self, s: S, row: usize, vector: usize, sum: S::V);
}

/// Computes `lhs x panels` for some rows and some vectors of columns, and stores each vector of the result in
/// `sums`.
///
/// `panels` are those of [`pack_panels`](crate::gemm::weight_panels::pack_panels) with depth
/// `segments * segment_len`. `vectors` starts at the border of a panel; `all` is the number of vectors
/// in the matrix.
///
/// # Safety
///
/// All elements of `lhs` and all panels can be read, and the sums of these rows and vectors can be stored.
#[inline(always)]
pub(crate) unsafe fn product<T: Float, S: Simd<T>>(
    s: S,
    lhs: Lhs<T>,
    rows: Range<usize>,
    panels: *const T,
    vectors: Range<usize>,
    all: usize,
    sums: &impl Sums<T, S>,
) {
    for first in vectors.step_by(PANEL_VECTORS) {
        // SAFETY: the caller's.
        unsafe {
            match all - first {
                1 => panel_product::<T, S, 1>(s, lhs, rows.clone(), panels, first, sums),
                2 => panel_product::<T, S, 2>(s, lhs, rows.clone(), panels, first, sums),
                3 => panel_product::<T, S, 3>(s, lhs, rows.clone(), panels, first, sums),
                _ => {
                    panel_product::<T, S, PANEL_VECTORS>(s, lhs, rows.clone(), panels, first, sums)
                }
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
unsafe fn panel_product<T: Float, S: Simd<T>, const V: usize>(
    s: S,
    lhs: Lhs<T>,
    rows: Range<usize>,
    panels: *const T,
    first: usize,
    sums: &impl Sums<T, S>,
) {
    let panel = MicroPanel::<T, V> { lhs, panels, first };
    // SAFETY: the caller's.
    for_tiles!(<S as Simd<T>>::ROWS, rows, |R, row| panel.tile::<S, R>(s, row, sums));
}

/// A panel of `V` vectors and the left operand; built only where the conditions of [`product`] hold.
struct MicroPanel<T, const V: usize> {
    lhs: Lhs<T>,
    panels: *const T,
    /// The first vector of the panel.
    first: usize,
}

impl<T: Float, const V: usize> MicroPanel<T, V> {
    /// Computes the tile of `R` rows from `row` on.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(&self, s: S, row: usize, to: &impl Sums<T, S>) {
        let Lhs { start, row_stride, segments, segment_stride, segment_len, reversed } = self.lhs;
        let mut sums = zero_tile::<T, S, R, V>(s);
        for k in 0..segments {
            let k = if reversed { segments - 1 - k } else { k };
            // SAFETY: the caller of `product` guarantees all rows, segments and panels; the panels
            // before this one hold depth x LANES elements for each of their vectors.
            unsafe {
                let panel = self.panels.add(segments * segment_len * self.first * S::LANES);
                let panel = panel.add(k * segment_len * V * S::LANES);
                let start = start.add(k * segment_stride + row * row_stride);
                let a = Strided { start, row_stride, column_stride: 1 };
                sums = match reversed {
                    false => microkernel::<T, S, R, V>(s, sums, 0..segment_len, a, panel),
                    true => microkernel::<T, S, R, V>(s, sums, (0..segment_len).rev(), a, panel),
                };
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                // SAFETY: a row and a vector of this product.
                unsafe { to.store(s, row + r, self.first + v, sum) };
            }
        }
    }
}
