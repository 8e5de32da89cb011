//! The gradients of the weights of the normalisations: sums over all rows of the gradients of the scaled elements,
//! times the normalised ones.
//!
//! Each block of units is summed by one thread in the order of the rows.

use crate::cell::kind::Side;
use crate::element::Float;
use crate::layer_norm::row::load_slots;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// Stores the gradient of a side's weight, `[G H]`. `da` and `normalized` are `[block][row][slot][lane]`.
pub(crate) fn side_gradient<T: SimdFloat>(
    layout: &KernelLayout,
    side: Side,
    da: &PooledBuffer<T>,
    normalized: &[T],
    to: SyncPtr<T>,
    team: &Team,
) {
    team.parallel_for(layout.blocks, team.num_threads(), &|blocks| {
        for block in blocks {
            dispatch(layout.level, SideGradient { layout, side, da, normalized, to, block });
        }
    });
}

struct SideGradient<'a, T: Float> {
    layout: &'a KernelLayout,
    side: Side,
    da: &'a PooledBuffer<T>,
    normalized: &'a [T],
    /// `[G H]`.
    to: SyncPtr<T>,
    block: usize,
}

impl<T: Float> Task<T> for SideGradient<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { layout, side, da, normalized, to, block } = self;
        let mut sums = [s.splat(T::default()); 4];
        for row in 0..layout.rows {
            let at = layout.gates_at(block, row);
            // SAFETY: a block and row of the layout.
            let (da, n) = unsafe {
                (load_slots(s, da.as_ptr().add(at)), load_slots(s, normalized.as_ptr().add(at)))
            };
            for slot in 0..4 {
                sums[slot] = s.mul_add(da[slot], n[slot], sums[slot]);
            }
        }
        for &slot in layout.cell.slots(side) {
            let rows = layout.weight_rows(block, slot);
            // SAFETY: only this task writes these rows of the weight.
            unsafe { s.store_first(to.get().add(rows.start), sums[slot], rows.len()) };
        }
    }
}

/// Stores the gradients of the weight and of the bias of the cell state, `[H]` each, where they are wanted. The
/// gradients `dy` of the scaled cell states and the `normalized` ones are `[vector][row][lane]`.
pub(crate) fn state_gradients<T: SimdFloat>(
    layout: &KernelLayout,
    dy: &PooledBuffer<T>,
    normalized: &PooledBuffer<T>,
    to: [Option<SyncPtr<T>>; 2],
    team: &Team,
) {
    team.parallel_for(layout.blocks, team.num_threads(), &|vectors| {
        for vector in vectors {
            dispatch(layout.level, StateGradients { layout, dy, normalized, to, vector });
        }
    });
}

struct StateGradients<'a, T: Float> {
    layout: &'a KernelLayout,
    dy: &'a PooledBuffer<T>,
    normalized: &'a PooledBuffer<T>,
    to: [Option<SyncPtr<T>>; 2],
    vector: usize,
}

impl<T: Float> Task<T> for StateGradients<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { layout, dy, normalized, to, vector } = self;
        let mut sums = [s.splat(T::default()); 2];
        for row in 0..layout.rows {
            let at = layout.row_vector_at(vector, row);
            // SAFETY: a vector and row of the layout.
            let (dy, n) =
                unsafe { (s.load(dy.as_ptr().add(at)), s.load(normalized.as_ptr().add(at))) };
            sums = [s.mul_add(dy, n, sums[0]), s.add(sums[1], dy)];
        }
        for (to, sum) in to.into_iter().zip(sums) {
            if let Some(to) = to {
                let units = layout.units(vector);
                // SAFETY: the gradient is [H]; only this task writes these units.
                unsafe { s.store_first(to.get().wrapping_add(vector * S::LANES), sum, units) };
            }
        }
    }
}
