//! The input's product, normalised over packed rows in bulk, and its gradient.

use std::ops::Range;

use crate::cell::kind::Side;
use crate::element::Float;
use crate::layer_norm::row::{self, SAVED};
use crate::layer_norm::weights::LayerNormWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::recurrence::activations::Activations;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// Rows per task.
const ROWS: usize = 64;

/// Replaces the input's product in the gates of all rows by what is added to the hidden state's: `LN(W_ih x) + b`. With
/// `save`, stores the normalised product for the backward pass as well.
pub(crate) fn normalize_input<T: SimdFloat>(
    layout: &KernelLayout,
    weights: &LayerNormWeights<T>,
    activations: Activations<SyncPtr<T>>,
    save: bool,
    team: &Team,
) {
    team.parallel_for(layout.rows.div_ceil(ROWS), team.num_threads(), &|tasks| {
        let rows = tasks.start * ROWS..layout.rows.min(tasks.end * ROWS);
        dispatch(layout.level, NormalizeInput { layout, weights, activations, save, rows });
    });
}

struct NormalizeInput<'a, T: SimdFloat> {
    layout: &'a KernelLayout,
    weights: &'a LayerNormWeights<T>,
    activations: Activations<SyncPtr<T>>,
    save: bool,
    rows: Range<usize>,
}

impl<T: SimdFloat> Task<T> for NormalizeInput<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { layout, weights, activations, save, rows } = self;
        let groups = layout.cell.groups(Side::Input);
        for at in rows {
            // SAFETY: only this task accesses these rows; the weights have all blocks.
            unsafe {
                let gates = activations.gates.get().add(layout.gates_at(0, at));
                let deviations = row::normalize(s, layout, groups, gates);
                let saved = activations.moments.get().add(at * SAVED);
                saved.write(deviations[0]);
                saved.add(1).write(deviations[1]);
                for block in 0..layout.blocks {
                    let (offset, packed) = (layout.gates_at(block, 0), block * 4 * S::LANES);
                    let normalized = row::load_slots(s, gates.add(offset).cast_const());
                    let weight = row::load_slots(s, weights.input.as_ptr().add(packed));
                    let bias = row::load_slots(s, weights.bias.as_ptr().add(packed));
                    for slot in 0..4 {
                        if save {
                            let to = layout.gates_at(block, at) + slot * S::LANES;
                            s.store(activations.inputs.get().add(to), normalized[slot]);
                        }
                        let sum = s.mul_add(normalized[slot], weight[slot], bias[slot]);
                        s.store(gates.add(offset + slot * S::LANES), sum);
                    }
                }
            }
        }
    }
}

/// Returns the gradient with respect to the input's product of all rows from that with respect to the slots' sums;
/// both are `[block][row][slot][lane]`.
pub(crate) fn input_product_gradient<T: SimdFloat>(
    layout: &KernelLayout,
    weights: &LayerNormWeights<T>,
    activations: Activations<&[T]>,
    da: &PooledBuffer<T>,
    team: &Team,
) -> PooledBuffer<T> {
    let mut gradient = PooledBuffer::new(layout.gates_len());
    let to = SyncPtr::new(gradient.as_mut_slice());
    team.parallel_for(layout.rows.div_ceil(ROWS), team.num_threads(), &|tasks| {
        let rows = tasks.start * ROWS..layout.rows.min(tasks.end * ROWS);
        let weight = &weights.input;
        dispatch(layout.level, InputGradient { layout, weight, activations, da, to, rows });
    });
    gradient
}

struct InputGradient<'a, T: Float> {
    layout: &'a KernelLayout,
    weight: &'a PooledBuffer<T>,
    activations: Activations<&'a [T]>,
    da: &'a PooledBuffer<T>,
    to: SyncPtr<T>,
    rows: Range<usize>,
}

impl<T: Float> Task<T> for InputGradient<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { layout, weight, activations, da, to, rows } = self;
        let groups = layout.cell.groups(Side::Input);
        for at in rows {
            let moments = &activations.moments[at * SAVED..];
            let (deviations, offset) = ([moments[0], moments[1]], layout.gates_at(0, at));
            // SAFETY: rows of the layout, of which only this task writes to these.
            unsafe {
                row::gradient(
                    s,
                    layout,
                    groups,
                    da.as_ptr().add(offset),
                    activations.inputs.as_ptr().add(offset),
                    weight.as_ptr(),
                    deviations,
                    to.get().add(offset),
                );
            }
        }
    }
}
