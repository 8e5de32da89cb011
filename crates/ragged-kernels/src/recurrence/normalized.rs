//! Cells with layer normalisation: the parts of a step that need all units of a row, before or after the cells' own
//! arithmetic.
//!
//! Forward, the products with the hidden states are stored for all blocks and normalised row by row; then the cell is
//! applied to each block. An LSTM's cell gives o as the hidden state, which is then multiplied with tanh of the
//! normalised cell state. Backward, the same parts follow in the opposite order.

use std::ops::Range;

use crate::cell::kind::Side;
use crate::cell::step::{CellStep, tanh_derivative};
use crate::element::Float;
use crate::layer_norm::row::{self, SAVED, load_slots, mean_of_units, state_moments};
use crate::layer_norm::weights::LayerNormWeights;
use crate::recurrence::backward::BackwardLoop;
use crate::recurrence::forward::ForwardLoop;
use crate::recurrence::norm_gradients::NormGradients;
use crate::simd::dispatch::SimdFloat;
use crate::simd::math::tanh;
use crate::simd::vector::Simd;

impl<T: SimdFloat, A: CellStep<T, U>, const U: usize> ForwardLoop<'_, T, A, U> {
    /// Ends step `k` for some sequences, whose products with the hidden states are stored.
    #[inline(always)]
    pub(crate) fn normalized_cells<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let Some(weights) = &self.weights.layer_norm else { return };
        let (layout, step) = (self.layout, self.layout.steps[k]);
        let groups = layout.cell.groups(Side::Hidden);
        for sequence in group.start..group.end.min(step.batch_size) {
            let at = step.start + sequence;
            // SAFETY: only this call accesses this row; the weights have all blocks.
            unsafe {
                let products = self.activations.products.get().add(layout.gates_at(0, at));
                let deviations = row::normalize(s, layout, groups, products);
                let saved = self.activations.moments.get().add(at * SAVED);
                saved.add(2).write(deviations[0]);
                saved.add(3).write(deviations[1]);
                for block in 0..layout.blocks {
                    let weight = weights.hidden.as_ptr().add(block * 4 * S::LANES);
                    let weight = load_slots(s, weight);
                    let products = products.add(layout.gates_at(block, 0));
                    let products = load_slots(s, products.cast_const());
                    let gates = self.activations.gates.get().add(layout.gates_at(block, at));
                    let mut sums = load_slots(s, gates.cast_const());
                    for slot in 0..4 {
                        sums[slot] = s.mul_add(products[slot], weight[slot], sums[slot]);
                    }
                    self.cell(s, k, block, sequence, sums);
                }
                if layout.cell.has_cell_state() {
                    self.normalized_state(s, weights, at, sequence);
                }
            }
        }
    }

    /// Multiplies o, which is stored as the hidden state, with tanh of the normalised cell state.
    ///
    /// # Safety
    /// Only the caller accesses this row and sequence.
    #[inline(always)]
    unsafe fn normalized_state<S: Simd<T>>(
        &self,
        s: S,
        weights: &LayerNormWeights<T>,
        row: usize,
        sequence: usize,
    ) {
        let (layout, p) = (self.layout, self.layout.output_size);
        // SAFETY: the caller's; only units that exist are accessed in rows [.., P].
        unsafe {
            let state = self.carry.get().add(layout.state_at(0, sequence)).cast_const();
            let (mean, deviation) = state_moments(s, layout, state, layout.state_at(1, 0));
            let saved = self.activations.moments.get().add(row * SAVED);
            saved.add(4).write(mean);
            saved.add(5).write(deviation);
            let (mean, deviation) = (s.splat(mean), s.splat(deviation));
            for vector in 0..layout.vectors() {
                let (units, column) = (layout.units(vector), vector * S::LANES);
                let c = s.load(state.add(layout.state_at(vector, 0)));
                let c = s.mul(s.sub(c, mean), deviation);
                let weight = s.load(weights.cell.as_ptr().add(column));
                let bias = s.load(weights.cell_bias.as_ptr().add(column));
                let o = s.load_first(self.output.get().add(row * p + column), units);
                let hidden = s.mul(o, tanh(s, s.mul_add(c, weight, bias)));
                self.store_hidden(s, row * p, sequence * p, column, hidden, units);
            }
        }
    }
}

impl<T: Float, A: CellStep<T, U>, const U: usize> BackwardLoop<'_, T, A, U> {
    /// Before the cell of step `k` of an LSTM: replaces the gradient with respect to the hidden state by that of o, and
    /// adds to that of the cell state what comes through its normalisation.
    #[inline(always)]
    pub(crate) fn normalized_states_gradient<S: Simd<T>>(
        &self,
        s: S,
        norm: &NormGradients<'_, T>,
        k: usize,
        group: &Range<usize>,
    ) {
        let (layout, step) = (self.layout, self.layout.steps[k]);
        if !layout.cell.has_cell_state() {
            return;
        }
        let zero = s.splat(T::default());
        for sequence in group.start..group.end.min(step.batch_size) {
            let row = step.start + sequence;
            let moments = &self.activations.moments[row * SAVED..];
            let (mean, deviation) = (s.splat(moments[4]), s.splat(moments[5]));
            let (mut sum, mut product) = (zero, zero);
            // SAFETY: only this call accesses the gradients of this sequence and row; only units that exist are read in
            // rows [.., P].
            unsafe {
                for vector in 0..layout.vectors() {
                    let (units, column) = (layout.units(vector), vector * S::LANES);
                    let (at, state) =
                        (layout.row_vector_at(vector, row), layout.state_at(vector, sequence));
                    let c = s.load(self.new_carries.get().cast_const().add(at));
                    let c = s.first(s.mul(s.sub(c, mean), deviation), units);
                    s.store(norm.normalized_cells.get().add(at), c);
                    let weight = s.load(norm.cell.as_ptr().add(column));
                    let bias = s.load(norm.cell_bias.as_ptr().add(column));
                    let tanh_c = tanh(s, s.mul_add(c, weight, bias));
                    let gates = self.activations.gates.as_ptr();
                    let o = s.load(gates.add(layout.gates_at(vector, row) + 3 * S::LANES));
                    let mut dh = s.load(self.dh.get().add(state));
                    if let Some(d_output) = norm.d_output {
                        let from = d_output.as_ptr().add(row * layout.output_size + column);
                        dh = s.add(dh, s.load_first(from, units));
                    }
                    let dy = s.mul(s.mul(dh, o), tanh_derivative(s, tanh_c));
                    let dy = s.first(dy, units);
                    s.store(norm.d_cells.get().add(at), dy);
                    s.store(self.dh.get().add(state), s.mul(dh, tanh_c));
                    let g = s.mul(dy, weight);
                    sum = s.add(sum, g);
                    product = s.mul_add(g, c, product);
                }
                let sum = mean_of_units(s, layout, sum);
                let product = mean_of_units(s, layout, product);
                for vector in 0..layout.vectors() {
                    let at = layout.row_vector_at(vector, row);
                    let c = s.load(norm.normalized_cells.get().add(at));
                    let dy = s.load(norm.d_cells.get().add(at));
                    let weight = s.load(norm.cell.as_ptr().add(vector * S::LANES));
                    let g = s.sub(s.sub(s.mul(dy, weight), sum), s.mul(c, product));
                    let g = s.first(g, layout.units(vector));
                    let to = self.d_carry.get().add(layout.state_at(vector, sequence));
                    s.store(to, s.mul_add(g, deviation, s.load(to)));
                }
            }
        }
    }

    /// After the cell of step `k`: computes the gradient with respect to the product with the hidden state from that
    /// with respect to the slots' sums.
    #[inline(always)]
    pub(crate) fn normalized_product_gradient<S: Simd<T>>(
        &self,
        s: S,
        norm: &NormGradients<'_, T>,
        k: usize,
        group: &Range<usize>,
    ) {
        let (layout, step) = (self.layout, self.layout.steps[k]);
        let groups = layout.cell.groups(Side::Hidden);
        for sequence in group.start..group.end.min(step.batch_size) {
            let row = step.start + sequence;
            let moments = &self.activations.moments[row * SAVED..];
            let (deviations, at) = ([moments[2], moments[3]], layout.gates_at(0, row));
            // SAFETY: `da` of all blocks of this row is written, and only this call accesses the row of the products'
            // gradient.
            unsafe {
                row::gradient(
                    s,
                    layout,
                    groups,
                    self.da.get().cast_const().add(at),
                    self.activations.products.as_ptr().add(at),
                    norm.hidden.as_ptr(),
                    deviations,
                    self.d_products.get().add(at),
                );
            }
        }
    }
}
