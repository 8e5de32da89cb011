//! The LSTM's projection `h = W_hr m` of `m = o tanh(c)` (Sak, Senior and Beaufays 2014) in the backward pass: its
//! packed weights, and their gradient.

use std::ops::Range;

use crate::element::Float;
use crate::gemm::microkernel::{Strided, for_tiles, microkernel, zero_tile};
use crate::gemm::weight_panels::pack_panels;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::row_order::backward_order;
use crate::layout::segment::Position;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// Packs `W_hr` `[P, H]` for the product `dh W_hr`: depth P.
pub(crate) fn backward_panels<T: Float>(
    layout: &KernelLayout,
    weight_hr: &[T],
    team: &Team,
) -> PooledBuffer<T> {
    let h = layout.hidden_size;
    pack_panels(layout.lanes, layout.output_size, h, team, |k, first, row| {
        row.copy_from_slice(&weight_hr[k * h + first..][..row.len()]);
    })
}

/// Adds the rows of a segment to `dW_hr = sum dh m^T`, `[P, H]`, in `to`, from `dh` `[N, P]` and `unprojected` (`m`)
/// `[vector][row][lane]`. The first segment starts from zero.
pub(crate) fn weight_gradient<T: SimdFloat>(
    layout: &KernelLayout,
    dh: &PooledBuffer<T>,
    unprojected: &[T],
    to: SyncPtr<T>,
    position: Position,
    team: &Team,
) {
    let vectors = layout.hidden_size.div_ceil(layout.lanes);
    team.parallel_for(vectors, team.num_threads(), &|vectors| {
        let task = ProjectionGradient { layout, dh, unprojected, to, position, vectors };
        dispatch(layout.level, task);
    });
}

/// `dW_hr` of some vectors of units.
struct ProjectionGradient<'a, T: Float> {
    layout: &'a KernelLayout,
    /// `[N, P]`.
    dh: &'a PooledBuffer<T>,
    /// `[vector][row][lane]`.
    unprojected: &'a [T],
    /// `[P, H]`.
    to: SyncPtr<T>,
    position: Position,
    vectors: Range<usize>,
}

impl<T: Float> Task<T> for ProjectionGradient<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        for vector in self.vectors.clone() {
            let columns = 0..self.layout.output_size;
            for_tiles!(<S as Simd<T>>::ROWS, columns, |R, p| self.tile::<S, R>(s, vector, p));
        }
    }
}

impl<T: Float> ProjectionGradient<'_, T> {
    /// Computes `R` rows of the gradient from `p` on, for one vector of units.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(&self, s: S, vector: usize, p: usize) {
        let KernelLayout { rows, hidden_size, output_size, direction, .. } = *self.layout;
        let units = self.layout.units(vector);
        // SAFETY: dh is [N, P], a vector of `unprojected` [N][LANES]; only this task writes these
        // elements of the gradient, and only units that exist are loaded and stored.
        unsafe {
            let start = self.dh.as_ptr().add(p);
            let dh = Strided { start, row_stride: 1, column_stride: output_size };
            let unprojected = self.unprojected.as_ptr().add(self.layout.row_vector_at(vector, 0));
            let to = |r: usize| self.to.get().add((p + r) * hidden_size + vector * S::LANES);
            let mut sums = zero_tile::<T, S, R, 1>(s);
            if !self.position.first {
                for (r, [sum]) in sums.iter_mut().enumerate() {
                    *sum = s.load_first(to(r), units);
                }
            }
            let order = backward_order(direction, 0..rows);
            let sums = microkernel::<T, S, R, 1>(s, sums, order, dh, unprojected);
            for (r, [sum]) in sums.into_iter().enumerate() {
                s.store_first(to(r), sum, units);
            }
        }
    }
}
