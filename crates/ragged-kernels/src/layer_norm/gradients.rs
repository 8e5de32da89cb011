//! The gradients of the weights and biases of the normalisations, which are sums over all rows, and the gradient with
//! respect to the inputs' products.
//!
//! Each block of units is summed by one thread, from the last step to the first.

use std::marker::PhantomData;

use crate::cell::kind::{CellKind, Side};
use crate::cell::layer_norm_gru::LayerNormGru;
use crate::cell::layer_norm_lstm::LayerNormLstm;
use crate::cell::step::CellStep;
use crate::element::Float;
use crate::layer_norm::statistics::{
    CELL, HIDDEN, INPUT, RowValues, SHIFT, SLOPE, load_slots, product_gradient,
};
use crate::layer_norm::weights::LayerNormWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::row_order::backward_order;
use crate::layout::segment::Position;
use crate::memory::sync_ptr::SyncPtr;
use crate::recurrence::activations::Activations;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// What backpropagation through time leaves for these gradients.
#[derive(Clone, Copy)]
pub(crate) struct NormOperands<'a, T: SimdFloat> {
    pub(crate) weights: &'a LayerNormWeights<T>,
    pub(crate) activations: Activations<&'a [T]>,
    /// The gradient with respect to the slots' sums, `[block][row][slot][lane]`.
    pub(crate) da: SyncPtr<T>,
    /// Whether `da` is replaced by the gradient with respect to the inputs' products.
    pub(crate) replace: bool,
    /// Those of the inputs' products, `[COEFFICIENTS][N]`.
    pub(crate) coefficients: &'a [T],
    /// The cell states as the cell computed them, `[vector][row][lane]`, and the gradient with respect to what they
    /// become by their normalisation, weight and bias; empty for a cell without them.
    pub(crate) cells: &'a [T],
    pub(crate) d_cells: &'a [T],
}

/// The gradients, where they are wanted.
#[derive(Clone, Copy)]
pub(crate) struct NormTargets<T: Float> {
    /// `[G H]` each: of the biases, and of the weights of the normalised products.
    pub(crate) biases: [Option<SyncPtr<T>>; 2],
    pub(crate) weights: [Option<SyncPtr<T>>; 2],
    /// `[H]` each: of the weight and of the bias of the cell state.
    pub(crate) cell: [Option<SyncPtr<T>>; 2],
}

/// Adds the rows of a segment to the gradients. The first segment starts from zero.
pub(crate) fn norm_gradients<T: SimdFloat>(
    layout: &KernelLayout,
    operands: NormOperands<T>,
    to: NormTargets<T>,
    position: Position,
    team: &Team,
) {
    team.parallel_for(layout.blocks, team.num_threads(), &|blocks| {
        for block in blocks {
            if layout.cell == CellKind::LayerNormGru {
                let cell = PhantomData::<LayerNormGru>;
                dispatch(layout.level, Block { cell, layout, operands, to, position, block });
            } else {
                let cell = PhantomData::<LayerNormLstm>;
                dispatch(layout.level, Block { cell, layout, operands, to, position, block });
            }
        }
    });
}

/// One block of units.
struct Block<'a, T: SimdFloat, A> {
    /// Which slots are normalised together is known when this is compiled.
    cell: PhantomData<A>,
    layout: &'a KernelLayout,
    operands: NormOperands<'a, T>,
    to: NormTargets<T>,
    position: Position,
    block: usize,
}

impl<T: SimdFloat, A: CellStep<T, 1>> Task<T> for Block<'_, T, A> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        self.gates(s);
        if self.layout.cell.has_cell_state() && self.to.cell.iter().any(Option::is_some) {
            self.cell_states(s);
        }
    }
}

impl<T: SimdFloat, A: CellStep<T, 1>> Block<'_, T, A> {
    #[inline(always)]
    fn gates<S: Simd<T>>(&self, s: S) {
        let Self { layout, operands, to, position, block, .. } = *self;
        let NormOperands { weights, activations, da, replace, coefficients, .. } = operands;
        let [input_groups, hidden_groups] = A::GROUPS;
        let zeros = [s.splat(T::default()); 4];
        let (mut bias, mut input, mut hidden) = (zeros, zeros, zeros);
        if !position.first {
            for (k, side) in [Side::Input, Side::Hidden].into_iter().enumerate() {
                let weights = if k == 0 { &mut input } else { &mut hidden };
                for (to, sums) in [(to.biases[k], &mut bias), (to.weights[k], weights)] {
                    let Some(to) = to else { continue };
                    for &slot in layout.cell.slots(side) {
                        let rows = layout.weight_rows(block, slot);
                        let from = to.get().cast_const().wrapping_add(rows.start);
                        // SAFETY: only this task accesses these rows.
                        sums[slot] = unsafe { s.load_first(from, rows.len()) };
                    }
                }
            }
        }
        let saved = RowValues { start: activations.moments.as_ptr(), stride: layout.rows };
        let coefficients = RowValues { start: coefficients.as_ptr(), stride: layout.rows };
        // SAFETY: a block and all rows of the layout; only this task accesses `da` of this block.
        unsafe {
            let weight = load_slots(s, weights.input.as_ptr().add(block * 4 * S::LANES));
            for row in backward_order(layout.direction, 0..layout.rows) {
                let at = layout.gates_at(block, row);
                let to_inputs = da.get().add(at);
                let da = load_slots(s, to_inputs.cast_const());
                let x = load_slots(s, activations.inputs.as_ptr().add(at));
                let h = load_slots(s, activations.products.as_ptr().add(at));
                let x_deviations = saved.of_groups(s, input_groups, INPUT, row);
                let h_deviations = saved.of_groups(s, hidden_groups, HIDDEN, row);
                for slot in 0..4 {
                    bias[slot] = s.add(bias[slot], da[slot]);
                    if input_groups.has(slot) {
                        let n = s.mul(x[slot], x_deviations[slot]);
                        input[slot] = s.mul_add(da[slot], n, input[slot]);
                    }
                    if hidden_groups.has(slot) {
                        let n = s.mul(h[slot], h_deviations[slot]);
                        hidden[slot] = s.mul_add(da[slot], n, hidden[slot]);
                    }
                }
                if replace {
                    let shifts = coefficients.of_groups(s, input_groups, SHIFT, row);
                    let slopes = coefficients.of_groups(s, input_groups, SLOPE, row);
                    let values = [x_deviations, shifts, slopes];
                    let d = product_gradient(s, input_groups, [da, weight, x], values);
                    for (slot, d) in d.into_iter().enumerate() {
                        s.store(to_inputs.add(slot * S::LANES), d);
                    }
                }
            }
        }
        for (k, side) in [Side::Input, Side::Hidden].into_iter().enumerate() {
            for (to, sums) in [(to.biases[k], bias), (to.weights[k], [input, hidden][k])] {
                let Some(to) = to else { continue };
                for &slot in layout.cell.slots(side) {
                    let rows = layout.weight_rows(block, slot);
                    // SAFETY: only this task writes these rows.
                    unsafe { s.store_first(to.get().add(rows.start), sums[slot], rows.len()) };
                }
            }
        }
    }

    /// The cell state of an LSTM.
    #[inline(always)]
    fn cell_states<S: Simd<T>>(&self, s: S) {
        let Self { layout, operands, to, position, block, .. } = *self;
        let (column, units) = (block * S::LANES, layout.units(block));
        let moments = operands.activations.moments;
        let saved = RowValues { start: moments.as_ptr(), stride: layout.rows };
        let mut sums = [s.splat(T::default()); 2];
        if !position.first {
            for (to, sum) in to.cell.iter().zip(&mut sums) {
                if let Some(to) = to {
                    // SAFETY: the gradient is [H]; only this task accesses these units.
                    *sum = unsafe { s.load_first(to.get().wrapping_add(column), units) };
                }
            }
        }
        for row in backward_order(layout.direction, 0..layout.rows) {
            let at = layout.row_vector_at(block, row);
            // SAFETY: a vector of units and a row of the layout.
            unsafe {
                let (mean, deviation) = (saved.splat(s, CELL, row), saved.splat(s, CELL + 1, row));
                let dy = s.load(operands.d_cells.as_ptr().add(at));
                let c = s.load(operands.cells.as_ptr().add(at));
                let n = s.mul(s.sub(c, mean), deviation);
                sums = [s.mul_add(dy, n, sums[0]), s.add(sums[1], dy)];
            }
        }
        for (to, sum) in to.cell.into_iter().zip(sums) {
            if let Some(to) = to {
                // SAFETY: the gradient is [H]; only this task writes these units.
                unsafe {
                    s.store_first(to.get().wrapping_add(column), sum, units);
                }
            }
        }
    }
}
