//! Weights whose products have the mean zero.
//!
//! The mean of `W x` over the rows of W is `(mean of the rows) x`. So with the mean subtracted from the weights once,
//! no product needs it, and the variance of a product is the mean of its squares:
//!
//! ```text
//! LN(W x) = V x / sqrt(mean (V x)^2 + eps)      with V = W - mean of its rows
//! ```

use std::ops::Range;

use crate::cell::kind::Side;
use crate::element::Float;
use crate::gemm::weight_panels::ELEMENTS_PER_THREAD;
use crate::layer_norm::row_sums::RowSums;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// The lanes of the widest vector.
const MAX_LANES: usize = 16;

/// Subtracts from each column of a side's weights, `[block][column][slot of the side][lane]`, its mean over the rows of
/// each group.
pub(crate) fn center<T: SimdFloat>(
    layout: &KernelLayout,
    side: Side,
    columns: usize,
    panels: &mut PooledBuffer<T>,
    team: &Team,
) {
    let block_len = layout.panel_len(side, columns);
    let threads = layout.blocks * block_len / ELEMENTS_PER_THREAD;
    let panels = SyncPtr::new(panels.as_mut_slice());
    team.parallel_for(columns.div_ceil(layout.lanes), threads, &|tasks| {
        let columns = tasks.start * layout.lanes..columns.min(tasks.end * layout.lanes);
        dispatch(layout.level, Center { layout, side, panels, block_len, columns });
    });
}

/// Some columns.
struct Center<'a, T: Float> {
    layout: &'a KernelLayout,
    side: Side,
    panels: SyncPtr<T>,
    /// The elements of a block.
    block_len: usize,
    columns: Range<usize>,
}

impl<T: Float> Task<T> for Center<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { layout, side, panels, block_len, columns } = self;
        let (groups, slots) = (layout.cell.groups(side), layout.cell.slots(side));
        for first in columns.clone().step_by(S::LANES) {
            let count = S::LANES.min(columns.end - first);
            let at = |block: usize, column: usize, place: usize| {
                let column = (first + column) * slots.len();
                panels.get().wrapping_add(block * block_len + (column + place) * S::LANES)
            };
            let mut sums = [RowSums::zero(s); 2];
            for block in 0..layout.blocks {
                for column in 0..count {
                    for (place, &slot) in slots.iter().enumerate() {
                        // SAFETY: a vector of the panels.
                        let weights = unsafe { s.load(at(block, column, place).cast_const()) };
                        sums[groups.0[slot]].add(s, column, weights);
                    }
                }
            }
            let mut means = [T::default(); 2 * MAX_LANES];
            for (group, sums) in sums.into_iter().enumerate() {
                let size = groups.reciprocal_size::<T>(group, layout.hidden_size);
                // SAFETY: no vector has more lanes.
                unsafe {
                    s.store(
                        means.as_mut_ptr().add(group * MAX_LANES),
                        s.mul(sums.totals(s), s.splat(size)),
                    )
                };
            }
            for block in 0..layout.blocks {
                for column in 0..count {
                    for (place, &slot) in slots.iter().enumerate() {
                        let mean = s.splat(means[groups.0[slot] * MAX_LANES + column]);
                        // SAFETY: a vector of the panels, of a column that only this task accesses.
                        unsafe {
                            let to = at(block, column, place);
                            let centered = s.sub(s.load(to.cast_const()), mean);
                            s.store(to, s.first(centered, layout.units(block)));
                        }
                    }
                }
            }
        }
    }
}
