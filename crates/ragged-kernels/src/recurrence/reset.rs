//! The second part of a step of a GRU that resets h before its product: `W_hn (r h)` needs r of all units.
//!
//! The first part of the forward loop stores r, z and the sum of n without this product, and `r h`. The second part
//! adds the product and applies the cell. The backward loop goes the other way: the gradient with respect to `r h` is a
//! product with that of n, and r and h get their parts of it.

use std::ops::Range;

use crate::cell::kind::Side;
use crate::cell::step::{CellStep, sigmoid_derivative};
use crate::element::Float;
use crate::gemm::microkernel::{for_tiles, zero_tile};
use crate::gemm::product::{Lhs, Sums, product};
use crate::layout::kernel_layout::PreviousStates;
use crate::recurrence::backward::BackwardLoop;
use crate::recurrence::forward::ForwardLoop;
use crate::simd::dispatch::SimdFloat;
use crate::simd::vector::Simd;

impl<T: SimdFloat, A: CellStep<T, U>, const U: usize> ForwardLoop<'_, T, A, U> {
    /// Ends the first part for one block of units and sequence of step `k`: stores r, z and the sum of n, and `r h`.
    /// `hidden` `[P]` is the hidden state before the step, after the mask.
    ///
    /// # Safety
    /// Only the caller accesses this block of the row, and `hidden` can be read.
    #[inline(always)]
    pub(crate) unsafe fn reset<S: Simd<T>>(
        &self,
        s: S,
        k: usize,
        block: usize,
        sequence: usize,
        hidden: *const T,
        sums: [S::V; 4],
    ) {
        let (layout, p) = (self.layout, self.layout.output_size);
        let row = layout.steps[k].start + sequence;
        let (units, column) = (layout.units(block), block * S::LANES);
        let slots = self.cell.reset(s, sums);
        // SAFETY: the caller's; only units that exist are read and stored in rows [.., P].
        unsafe {
            let gates = self.activations.gates.get().add(layout.gates_at(block, row));
            for (slot, value) in slots.into_iter().enumerate() {
                s.store(gates.add(slot * S::LANES), value);
            }
            let hidden = s.load_first(hidden.wrapping_add(column), units);
            let to = self.activations.reset.get().wrapping_add(row * p + column);
            s.store_first(to, s.mul(slots[0], hidden), units);
        }
    }

    /// Runs the second part of step `k` for some sequences and all blocks of units.
    #[inline(always)]
    pub(crate) fn step_after_reset<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let end = group.end.min(self.layout.steps[k].batch_size);
        for block in 0..self.layout.blocks {
            for_tiles!(<S as Simd<T>>::ROWS, group.start..end, |R, sequence| {
                self.tile_after_reset::<S, R>(s, k, block, sequence)
            });
        }
    }

    #[inline(always)]
    fn tile_after_reset<S: Simd<T>, const R: usize>(
        &self,
        s: S,
        k: usize,
        block: usize,
        sequence: usize,
    ) {
        let (layout, p) = (self.layout, self.layout.output_size);
        let row = layout.steps[k].start + sequence;
        // SAFETY: the first part has stored the gates and `r h` of these rows; the panels of a block have a vector for
        // each of P columns.
        let sums = unsafe {
            let gates = self.activations.gates.get().add(layout.gates_at(block, row));
            let mut sums = zero_tile::<T, S, R, 4>(s);
            for (r, sums) in sums.iter_mut().enumerate() {
                for (slot, sum) in sums.iter_mut().enumerate() {
                    *sum = s.load(gates.add((r * 4 + slot) * S::LANES));
                }
            }
            let reset = self.activations.reset.get().cast_const().add(row * p);
            let panel = block * layout.panel_len(Side::Reset, p);
            let panel = self.weights.reset.as_ptr().add(panel);
            self.cell.product::<S, R>(s, Side::Reset, sums, reset, p, panel)
        };
        for (r, sums) in sums.into_iter().enumerate() {
            self.cell(s, k, block, sequence + r, sums);
        }
    }
}

impl<T: Float, A: CellStep<T, U>, const U: usize> BackwardLoop<'_, T, A, U> {
    /// Computes the gradient with respect to `r h` of step `k` from that of n, and from it those of r and, in part, of
    /// h, for some sequences.
    #[inline(always)]
    pub(crate) fn reset_gates<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let layout = self.layout;
        let step = layout.steps[k];
        let all = layout.output_size.div_ceil(S::LANES);
        let rows = step.start + group.start..step.start + group.end.min(step.batch_size);
        let lhs = Lhs::of_da(layout, self.da.get().cast_const());
        let previous = layout.previous_states(k);
        let sums = ResetGradients { backward_loop: self, start: step.start, previous };
        // SAFETY: `da` of all blocks of these rows is written, with zeros for r; the panels have its depth, and zeros
        // for all slots but n, so that it does not matter when r's is overwritten.
        unsafe { product(s, lhs, rows, self.reset_panels.as_ptr(), 0..all, all, &sums) }
    }
}

/// The gradient with respect to `r h` of the step whose rows begin at `start`.
struct ResetGradients<'a, 'b, T: Float, A, const U: usize> {
    backward_loop: &'a BackwardLoop<'b, T, A, U>,
    start: usize,
    previous: PreviousStates,
}

impl<T: Float, A: CellStep<T, U>, S: Simd<T>, const U: usize> Sums<T, S>
    for ResetGradients<'_, '_, T, A, U>
{
    #[inline(always)]
    unsafe fn store(&self, s: S, row: usize, vector: usize, sum: S::V) {
        let BackwardLoop { layout, mask, activations, da, d_reset, .. } = self.backward_loop;
        let sequence = row - self.start;
        let (units, at) = (layout.units(vector), layout.gates_at(vector, row));
        // SAFETY: sequences of a group's step; such a cell has a vector of units per block, whose gradients only this
        // call accesses now.
        unsafe {
            let mut hidden = self.backward_loop.carry_before(s, vector, sequence, self.previous);
            if let Some(mask) = mask {
                let mask = mask.as_ptr().wrapping_add(sequence * layout.output_size);
                let mask = s.load_first(mask.wrapping_add(vector * S::LANES), units);
                hidden = s.mul(hidden, mask);
            }
            let r = s.load(activations.gates.as_ptr().add(at));
            let da_r = s.mul(s.mul(sum, hidden), sigmoid_derivative(s, r));
            s.store(da.get().add(at), s.first(da_r, units));
            s.store(d_reset.get().add(layout.state_at(vector, sequence)), s.mul(sum, r));
        }
    }
}
