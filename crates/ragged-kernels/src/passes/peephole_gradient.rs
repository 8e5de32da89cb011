//! The gradients of the peepholes: `dw_ci = sum da_i c`, `dw_cf = sum da_f c` and `dw_co = sum da_o c'` over all rows.
//!
//! Each block of units is summed by one thread, from the last step to the first.

use crate::cell::peephole_lstm::PEEPHOLES;
use crate::element::Float;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::segment::Position;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::recurrence::activations::Activations;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// Adds the rows of a segment to the gradients of the peepholes of i, f and o, `[H]` each, where they are wanted. The
/// first segment starts from zero.
///
/// `initial_carry` is `[B, H]`; `da` is `[block][row][slot][lane]`.
pub(crate) fn peephole_gradient<T: SimdFloat>(
    layout: &KernelLayout,
    activations: Activations<&[T]>,
    initial_carry: Option<&[T]>,
    da: &PooledBuffer<T>,
    to: [Option<SyncPtr<T>>; PEEPHOLES],
    position: Position,
    team: &Team,
) {
    if to.iter().all(Option::is_none) {
        return;
    }
    team.parallel_for(layout.blocks, team.num_threads(), &|blocks| {
        for block in blocks {
            let task =
                BlockGradient { layout, activations, initial_carry, da, to, position, block };
            dispatch(layout.level, task);
        }
    });
}

/// The gradients of one block of units.
struct BlockGradient<'a, T: Float> {
    layout: &'a KernelLayout,
    activations: Activations<&'a [T]>,
    initial_carry: Option<&'a [T]>,
    da: &'a PooledBuffer<T>,
    to: [Option<SyncPtr<T>>; PEEPHOLES],
    position: Position,
    block: usize,
}

impl<T: Float> Task<T> for BlockGradient<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { layout, activations, initial_carry, da, to, position, block } = self;
        let (h, units, column) = (layout.hidden_size, layout.units(block), block * S::LANES);
        let mut sums = [s.splat(T::default()); PEEPHOLES];
        if !position.first {
            for (to, sum) in to.iter().zip(&mut sums) {
                if let Some(to) = to {
                    // SAFETY: the gradient is [H]; only this task accesses these units.
                    *sum = unsafe { s.load_first(to.get().wrapping_add(column), units) };
                }
            }
        }
        for (k, step) in layout.steps.iter().enumerate().rev() {
            let previous = layout.previous_states(k);
            for sequence in 0..step.batch_size {
                let row = step.start + sequence;
                // SAFETY: rows and sequences of the layout, and units of `initial_carry` that exist.
                unsafe {
                    let before = if sequence < previous.continuing {
                        let row = previous.start + sequence;
                        let carries = activations.carries.as_ptr();
                        s.load(carries.add(layout.row_vector_at(block, row)))
                    } else if let Some(initial) = initial_carry {
                        s.load_first(initial.as_ptr().wrapping_add(sequence * h + column), units)
                    } else {
                        s.splat(T::default())
                    };
                    let at = layout.gates_at(block, row);
                    let gates = activations.gates.as_ptr().add(at);
                    let gate = |slot: usize| s.load(gates.add(slot * S::LANES));
                    // The new cell state as the cell computes it: with zoneout, another one was saved.
                    let after = s.mul_add(gate(1), before, s.mul(gate(0), gate(2)));
                    let da = da.as_ptr().add(at);
                    let da = |slot: usize| s.load(da.add(slot * S::LANES));
                    sums[0] = s.mul_add(da(0), before, sums[0]);
                    sums[1] = s.mul_add(da(1), before, sums[1]);
                    sums[2] = s.mul_add(da(3), after, sums[2]);
                }
            }
        }
        for (to, sum) in to.into_iter().zip(sums) {
            if let Some(to) = to {
                // SAFETY: the gradient is [H]; only this task writes these units.
                unsafe { s.store_first(to.get().wrapping_add(column), sum, units) };
            }
        }
    }
}
