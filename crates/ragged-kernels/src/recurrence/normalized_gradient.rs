//! The backward steps of cells with layer normalisation, of as many rows at once as a vector has lanes; see
//! `normalized.rs`.
//!
//! Most of what a step reads was written long before. Each part prefetches the next block of its rows, since the rows of
//! a block are too few for the processor's own prefetcher.

use std::ops::Range;

use crate::cell::step::{CellStep, tanh_derivative};
use crate::element::Float;
use crate::layer_norm::groups::GroupSums;
use crate::layer_norm::row_sums::RowSums;
use crate::layer_norm::statistics::{
    CELL, COEFFICIENTS, HIDDEN, INPUT, RowValues, SHIFT, SLOPE, load_slots, product_gradient,
    reciprocal_units, row_coefficients,
};
use crate::recurrence::backward::BackwardLoop;
use crate::recurrence::norm_gradients::NormGradients;
use crate::simd::math::tanh;
use crate::simd::vector::{Simd, prefetch_vectors};

/// The shifts and slopes of at most `LANES` rows: `[COEFFICIENTS][MAX_ROWS]` of a side (see [`product_gradient`]), or
/// `[2][MAX_ROWS]` of the cell state likewise.
type RowCoefficients<T> = [T; COEFFICIENTS * MAX_ROWS];

/// The lanes of the widest vector.
const MAX_ROWS: usize = 16;

impl<T: Float, A: CellStep<T, U>, const U: usize> BackwardLoop<'_, T, A, U> {
    /// Computes `da` of step `k`, the gradient with respect to the products with the hidden states, and that with
    /// respect to the carry before the step, for some sequences.
    #[inline(always)]
    pub(crate) fn normalized_step<S: Simd<T>>(
        &self,
        s: S,
        norm: &NormGradients<'_, T>,
        k: usize,
        group: &Range<usize>,
    ) {
        let step = self.layout.steps[k];
        let end = group.end.min(step.batch_size);
        let mut first = group.start;
        while first < end {
            let sequences = first..end.min(first + S::LANES);
            first = sequences.end;
            // The rows after these: of this step, or of the one before.
            let next = match first == end {
                true => self.layout.previous_states(k).start + group.start,
                false => step.start + first,
            };
            // SAFETY: only this call accesses the rows and gradients of these sequences.
            unsafe {
                let mut coefficients = [T::default(); COEFFICIENTS * MAX_ROWS];
                if self.layout.cell.has_cell_state() {
                    self.states_gradient(s, norm, k, &sequences, &mut coefficients);
                }
                self.gradient_of_rows(s, norm, k, &sequences, next, &coefficients);
            }
        }
    }

    /// Before the cell of step `k` of an LSTM: replaces the gradient with respect to the hidden state by that of o, and
    /// stores that with respect to the scaled cell state, and its coefficients.
    ///
    /// # Safety
    /// Only the caller accesses the rows and gradients of these sequences, at most `LANES`.
    #[inline(always)]
    unsafe fn states_gradient<S: Simd<T>>(
        &self,
        s: S,
        norm: &NormGradients<'_, T>,
        k: usize,
        sequences: &Range<usize>,
        coefficients: &mut RowCoefficients<T>,
    ) {
        let layout = self.layout;
        let first = layout.steps[k].start + sequences.start;
        let (mut sums, mut products) = (RowSums::zero(s), RowSums::zero(s));
        // SAFETY: the caller's; only units that exist are read in rows [.., P].
        unsafe {
            let moments = self.activations.moments.as_ptr().add(first);
            let saved = RowValues { start: moments, stride: layout.rows };
            for vector in 0..layout.vectors() {
                let (units, column) = (layout.units(vector), vector * S::LANES);
                let weight = s.load(norm.cell.as_ptr().add(column));
                let bias = s.load(norm.cell_bias.as_ptr().add(column));
                let (cells, states) =
                    (layout.row_vector_at(vector, first), layout.state_at(vector, sequences.start));
                let (gates, ahead) =
                    (layout.gates_at(vector, first), layout.gates_at(vector + 1, first));
                for row in 0..sequences.len() {
                    let (at, state) = (cells + row * S::LANES, states + row * S::LANES);
                    let of_row = row * 4 * S::LANES;
                    let c = s.load(self.new_carries.get().cast_const().add(at));
                    let c = s.sub(c, saved.splat(s, CELL, row));
                    let c = s.mul(c, saved.splat(s, CELL + 1, row));
                    let tanh_c = tanh(s, s.mul_add(c, weight, bias));
                    let saved_gates = self.activations.gates.as_ptr();
                    prefetch_vectors(s, saved_gates.wrapping_add(ahead + of_row), 4);
                    let o = s.load(saved_gates.add(gates + of_row + 3 * S::LANES));
                    let mut dh = s.load(self.dh.get().add(state));
                    if let Some(d_output) = norm.d_output {
                        let from = (first + row) * layout.output_size + column;
                        dh = s.add(dh, s.load_first(d_output.as_ptr().add(from), units));
                    }
                    let dy = s.mul(s.mul(dh, o), tanh_derivative(s, tanh_c));
                    s.store(norm.d_cells.get().add(at), dy);
                    s.store(self.dh.get().add(state), s.mul(dh, tanh_c));
                    let g = s.first(s.mul(dy, weight), units);
                    sums.add(s, row, g);
                    products.add_product(s, row, g, c);
                }
            }
            // The elements are those that are normalised, not those before.
            let deviations = s.load_first(moments.add((CELL + 1) * layout.rows), sequences.len());
            let factor = s.mul(reciprocal_units::<T, S>(s, layout), deviations);
            let factor = s.sub(s.splat(T::default()), factor);
            let to = coefficients.as_mut_ptr();
            s.store(to, s.mul(sums.totals(s), factor));
            s.store(to.add(MAX_ROWS), s.mul(products.totals(s), factor));
        }
    }

    /// Applies the cell's derivative of step `k`, and computes from `da` the gradient with respect to the products.
    /// Prefetches as many rows from `next` on.
    ///
    /// # Safety
    /// As [`states_gradient`](Self::states_gradient), which gave the `coefficients` of an LSTM.
    #[inline(always)]
    unsafe fn gradient_of_rows<S: Simd<T>>(
        &self,
        s: S,
        norm: &NormGradients<'_, T>,
        k: usize,
        sequences: &Range<usize>,
        next: usize,
        coefficients: &RowCoefficients<T>,
    ) {
        let (layout, previous) = (self.layout, self.layout.previous_states(k));
        let first = layout.steps[k].start + sequences.start;
        let [input_groups, hidden_groups] = A::GROUPS;
        let (inputs, products) =
            (self.activations.inputs.as_ptr(), self.activations.products.as_ptr());
        // The sums of g = da w and of g a.
        let (mut input, mut input_products) = (GroupSums::zero(s), GroupSums::zero(s));
        let (mut hidden, mut hidden_products) = (GroupSums::zero(s), GroupSums::zero(s));
        // SAFETY: the caller's; the weights have all blocks.
        unsafe {
            let moments = self.activations.moments.as_ptr().add(first);
            let saved = RowValues { start: moments, stride: layout.rows };
            let of_state = RowValues { start: coefficients.as_ptr(), stride: MAX_ROWS };
            for block in 0..layout.blocks {
                let packed = block * 4 * S::LANES;
                let start = layout.gates_at(block, first);
                let ahead = match block + 1 < layout.blocks {
                    true => layout.gates_at(block + 1, first),
                    false => layout.gates_at(0, next),
                };
                let (cells, states, carries_ahead) = (
                    layout.row_vector_at(block, first),
                    layout.state_at(block, sequences.start),
                    layout.row_vector_at(block + 1, previous.start + sequences.start),
                );
                for row in 0..sequences.len() {
                    let sequence = sequences.start + row;
                    if layout.cell.has_cell_state() {
                        let at = cells + row * S::LANES;
                        let deviation = saved.splat(s, CELL + 1, row);
                        let c = s.load(self.new_carries.get().cast_const().add(at));
                        let c = s.mul(s.sub(c, saved.splat(s, CELL, row)), deviation);
                        let dy = s.load(norm.d_cells.get().cast_const().add(at));
                        let weight = s.load(norm.cell.as_ptr().add(block * S::LANES));
                        let (shift, slope) = (of_state.splat(s, 0, row), of_state.splat(s, 1, row));
                        let rest = s.mul_add(slope, c, shift);
                        let dc = s.mul_add(s.mul(dy, weight), deviation, rest);
                        let to = self.d_carry.get().add(states + row * S::LANES);
                        s.store(to, s.add(s.load(to), dc));
                    }
                    let da = self.cell(s, block, sequence, first + row, previous);
                    let at = start + row * 4 * S::LANES;
                    let g = times(s, da, load_slots(s, norm.input.as_ptr().add(packed)));
                    input.add(s, input_groups, row, g);
                    input_products.add_products(
                        s,
                        input_groups,
                        row,
                        g,
                        load_slots(s, inputs.add(at)),
                    );
                    let g = times(s, da, load_slots(s, norm.hidden.as_ptr().add(packed)));
                    hidden.add(s, hidden_groups, row, g);
                    hidden_products.add_products(
                        s,
                        hidden_groups,
                        row,
                        g,
                        load_slots(s, products.add(at)),
                    );
                    prefetch_vectors(s, self.d_products.get().wrapping_add(at), 4);
                    let at = ahead + row * 4 * S::LANES;
                    prefetch_vectors(s, inputs.wrapping_add(at), 4);
                    prefetch_vectors(s, products.wrapping_add(at), 4);
                    prefetch_vectors(s, self.da.get().wrapping_add(at), 4);
                    if !layout.cell.has_cell_state() || block + 1 == layout.blocks {
                        let gates = self.activations.gates.as_ptr();
                        prefetch_vectors(s, gates.wrapping_add(at), 4);
                    }
                    let carry = self.activations.carries.as_ptr();
                    s.prefetch(carry.wrapping_add(carries_ahead + row * S::LANES));
                }
            }
            let (h, count) = (layout.hidden_size, sequences.len());
            for group in 0..input_groups.count() {
                let size = s.splat(input_groups.reciprocal_size(group, h));
                let deviations = s.load_first(moments.add((INPUT + group) * layout.rows), count);
                let mean = s.mul(input.totals(s, group), size);
                let product = s.mul(input_products.totals(s, group), size);
                let [shift, slope] = row_coefficients(s, deviations, mean, product);
                let to = norm.coefficients.get().add(first);
                s.store_first(to.add((SHIFT + group) * layout.rows), shift, count);
                s.store_first(to.add((SLOPE + group) * layout.rows), slope, count);
            }
            let mut coefficients = [T::default(); COEFFICIENTS * MAX_ROWS];
            for group in 0..hidden_groups.count() {
                let size = s.splat(hidden_groups.reciprocal_size(group, h));
                let deviations = s.load_first(moments.add((HIDDEN + group) * layout.rows), count);
                let mean = s.mul(hidden.totals(s, group), size);
                let product = s.mul(hidden_products.totals(s, group), size);
                let [shift, slope] = row_coefficients(s, deviations, mean, product);
                let to = coefficients.as_mut_ptr();
                s.store(to.add((SHIFT + group) * MAX_ROWS), shift);
                s.store(to.add((SLOPE + group) * MAX_ROWS), slope);
            }
            let of_rows = RowValues { start: coefficients.as_ptr(), stride: MAX_ROWS };
            for block in 0..layout.blocks {
                let weight = load_slots(s, norm.hidden.as_ptr().add(block * 4 * S::LANES));
                let start = layout.gates_at(block, first);
                for row in 0..count {
                    let at = start + row * 4 * S::LANES;
                    let da = load_slots(s, self.da.get().add(at).cast_const());
                    let a = load_slots(s, products.add(at));
                    let values = [
                        saved.of_groups(s, hidden_groups, HIDDEN, row),
                        of_rows.of_groups(s, hidden_groups, SHIFT, row),
                        of_rows.of_groups(s, hidden_groups, SLOPE, row),
                    ];
                    let d = product_gradient(s, hidden_groups, [da, weight, a], values);
                    for (slot, d) in d.into_iter().enumerate() {
                        s.store(self.d_products.get().add(at + slot * S::LANES), d);
                    }
                }
            }
        }
    }
}

/// The products of four vectors each.
#[inline(always)]
fn times<T: Float, S: Simd<T>>(s: S, mut a: [S::V; 4], b: [S::V; 4]) -> [S::V; 4] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = s.mul(*a, b);
    }
    a
}
