//! The forward steps of cells with layer normalisation, whose parts need all units of a row.
//!
//! The products with the hidden states are stored for all blocks. Then follow the deviations of both products, the cell
//! of each block, and the normalisation of an LSTM's cell state. An LSTM's cell gives o as the hidden state, which is
//! then multiplied with tanh of the normalised cell state. `normalized_gradient.rs` has the same parts in the opposite
//! order.
//!
//! Each part takes as many rows as a vector has lanes, block by block: the rows of a block are adjacent in memory, and
//! the operations of one row do not wait for those of another.

use std::ops::Range;

use crate::cell::step::CellStep;
use crate::layer_norm::groups::GroupSums;
use crate::layer_norm::row_sums::RowSums;
use crate::layer_norm::statistics::{
    CELL, HIDDEN, INPUT, RowValues, load_slots, reciprocal_deviations, reciprocal_units,
};
use crate::layer_norm::weights::LayerNormWeights;
use crate::recurrence::forward::ForwardLoop;
use crate::simd::dispatch::SimdFloat;
use crate::simd::math::tanh;
use crate::simd::vector::{Simd, prefetch_vectors};

impl<T: SimdFloat, A: CellStep<T, U>, const U: usize> ForwardLoop<'_, T, A, U> {
    /// Ends step `k` for some sequences, whose products with the hidden states are stored.
    #[inline(always)]
    pub(crate) fn normalized_cells<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let Some(weights) = &self.weights.layer_norm else { return };
        let steps = &self.layout.steps;
        let end = group.end.min(steps[k].batch_size);
        let mut first = group.start;
        while first < end {
            let sequences = first..end.min(first + S::LANES);
            first = sequences.end;
            // The rows after these.
            let next = match steps.get(k + 1) {
                Some(step) if first == end => step.start + group.start,
                _ => steps[k].start + first,
            };
            // SAFETY: only this call accesses the rows of these sequences.
            unsafe {
                self.store_deviations(s, k, &sequences);
                let sums = self.cells_of_rows(s, weights, k, &sequences, next);
                if self.layout.cell.has_cell_state() {
                    self.normalized_states(s, weights, k, &sequences, sums);
                }
            }
        }
    }

    /// Stores the deviations of both products of at most `LANES` sequences.
    ///
    /// # Safety
    /// Only the caller accesses their rows, whose products are stored.
    #[inline(always)]
    unsafe fn store_deviations<S: Simd<T>>(&self, s: S, k: usize, sequences: &Range<usize>) {
        let layout = self.layout;
        let first = layout.steps[k].start + sequences.start;
        let [input_groups, hidden_groups] = A::GROUPS;
        let (mut input, mut hidden) = (GroupSums::zero(s), GroupSums::zero(s));
        // SAFETY: the caller's.
        unsafe {
            for block in 0..layout.blocks {
                let start = layout.gates_at(block, first);
                for row in 0..sequences.len() {
                    let at = start + row * 4 * S::LANES;
                    let x = load_slots(s, self.activations.inputs.get().add(at).cast_const());
                    let h = load_slots(s, self.activations.products.get().add(at).cast_const());
                    input.add_products(s, input_groups, row, x, x);
                    hidden.add_products(s, hidden_groups, row, h, h);
                }
            }
            for (k, groups, squares) in
                [(INPUT, input_groups, input), (HIDDEN, hidden_groups, hidden)]
            {
                for group in 0..groups.count() {
                    let size = s.splat(groups.reciprocal_size(group, layout.hidden_size));
                    let variances = s.mul(squares.totals(s, group), size);
                    let found = reciprocal_deviations(s, variances);
                    self.save(s, k + group, first, found, sequences.len());
                }
            }
        }
    }

    /// Saves statistic `k` of some rows.
    ///
    /// # Safety
    /// Only the caller accesses these rows.
    #[inline(always)]
    unsafe fn save<S: Simd<T>>(&self, s: S, k: usize, first: usize, values: S::V, count: usize) {
        // SAFETY: the caller's; each row has these statistics.
        unsafe {
            let to = self.activations.moments.get().add(k * self.layout.rows + first);
            s.store_first(to, values, count);
        }
    }

    /// Applies the cell to at most `LANES` sequences, and returns the sums of their new carries. Prefetches as many rows
    /// from `next` on.
    ///
    /// # Safety
    /// As [`store_deviations`](Self::store_deviations), which is done.
    #[inline(always)]
    unsafe fn cells_of_rows<S: Simd<T>>(
        &self,
        s: S,
        weights: &LayerNormWeights<T>,
        k: usize,
        sequences: &Range<usize>,
        next: usize,
    ) -> RowSums<T, S> {
        let layout = self.layout;
        let first = layout.steps[k].start + sequences.start;
        let [input_groups, hidden_groups] = A::GROUPS;
        let mut carries = RowSums::zero(s);
        // SAFETY: the caller's; the weights have all blocks.
        unsafe {
            let moments = self.activations.moments.get().add(first);
            let saved = RowValues { start: moments.cast_const(), stride: layout.rows };
            for block in 0..layout.blocks {
                let packed = block * 4 * S::LANES;
                let input_weight = load_slots(s, weights.input.as_ptr().add(packed));
                let hidden_weight = load_slots(s, weights.hidden.as_ptr().add(packed));
                let bias = load_slots(s, weights.bias.as_ptr().add(packed));
                let (start, ahead) = (layout.gates_at(block, first), layout.gates_at(block, next));
                for row in 0..sequences.len() {
                    let at = start + row * 4 * S::LANES;
                    let x = load_slots(s, self.activations.inputs.get().add(at).cast_const());
                    let h = load_slots(s, self.activations.products.get().add(at).cast_const());
                    let at = ahead + row * 4 * S::LANES;
                    prefetch_vectors(s, self.activations.inputs.get().wrapping_add(at), 4);
                    let x_deviations = saved.of_groups(s, input_groups, INPUT, row);
                    let h_deviations = saved.of_groups(s, hidden_groups, HIDDEN, row);
                    let mut sums = bias;
                    for slot in 0..4 {
                        if input_groups.has(slot) {
                            let n = s.mul(x[slot], x_deviations[slot]);
                            sums[slot] = s.mul_add(n, input_weight[slot], sums[slot]);
                        }
                        if hidden_groups.has(slot) {
                            let n = s.mul(h[slot], h_deviations[slot]);
                            sums[slot] = s.mul_add(n, hidden_weight[slot], sums[slot]);
                        }
                    }
                    let carry = self.cell(s, k, block, sequences.start + row, sums);
                    carries.add(s, row, carry[0]);
                }
            }
        }
        carries
    }

    /// Multiplies o, which is stored as the hidden state, with tanh of the normalised cell state, whose `sums` over all
    /// units are known.
    ///
    /// # Safety
    /// Only the caller accesses the rows of these sequences.
    #[inline(always)]
    unsafe fn normalized_states<S: Simd<T>>(
        &self,
        s: S,
        weights: &LayerNormWeights<T>,
        k: usize,
        sequences: &Range<usize>,
        sums: RowSums<T, S>,
    ) {
        let (layout, p) = (self.layout, self.layout.output_size);
        let first = layout.steps[k].start + sequences.start;
        let size = reciprocal_units::<T, S>(s, layout);
        // SAFETY: the caller's; only units that exist are accessed in rows [.., P].
        unsafe {
            self.save(s, CELL, first, s.mul(sums.totals(s), size), sequences.len());
            let moments = self.activations.moments.get().add(first);
            let saved = RowValues { start: moments.cast_const(), stride: layout.rows };
            let cell = |vector: usize, row: usize| {
                let at = layout.state_at(vector, sequences.start + row);
                self.carry.get().wrapping_add(at).cast_const()
            };
            let mut squares = RowSums::zero(s);
            for vector in 0..layout.vectors() {
                let units = layout.units(vector);
                for row in 0..sequences.len() {
                    let c = s.sub(s.load(cell(vector, row)), saved.splat(s, CELL, row));
                    let c = s.first(c, units);
                    squares.add_product(s, row, c, c);
                }
            }
            let found = reciprocal_deviations(s, s.mul(squares.totals(s), size));
            self.save(s, CELL + 1, first, found, sequences.len());
            for vector in 0..layout.vectors() {
                let (units, column) = (layout.units(vector), vector * S::LANES);
                let weight = s.load(weights.cell.as_ptr().add(column));
                let bias = s.load(weights.cell_bias.as_ptr().add(column));
                for row in 0..sequences.len() {
                    let (at, sequence) = ((first + row) * p, (sequences.start + row) * p);
                    let c = s.sub(s.load(cell(vector, row)), saved.splat(s, CELL, row));
                    let c = s.mul(c, saved.splat(s, CELL + 1, row));
                    let o = s.load_first(self.output.get().add(at + column), units);
                    let hidden = s.mul(o, tanh(s, s.mul_add(c, weight, bias)));
                    self.store_hidden(s, at, sequence, column, hidden, units);
                }
            }
        }
    }
}
