//! The time loop of the backward pass: backpropagation through time. Each step, from the last to the
//! first, applies the cell's derivative to obtain `da`, the gradient with respect to the slots' sums,
//! and from it the gradient with respect to the hidden state of the step before.
//!
//! ```text
//! dh' += d_output                        dm = W_hr^T dh'  with a projection
//! da, d_carry = cell'(dh' or dm, d_carry)
//! dh  = (W_hh^T da) * mask
//! ```
//!
//! With zoneout, a part of both gradients passes by the cell:
//!
//! ```text
//! dh' = (1 - kept) dh',  dh += kept dh'  and likewise for the carry of an LSTM
//! ```
//!
//! `Case::run` in `tests/reference/mod.rs` is the same computation, sequence by sequence.

use std::ops::Range;

use crate::cell::step::CellStep;
use crate::element::Float;
use crate::gemm::product::{Lhs, Sums, product};
use crate::layout::kernel_layout::{KernelLayout, PreviousStates};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::recurrence::activations::Activations;
use crate::recurrence::kept_states::KeptGradients;
use crate::recurrence::norm_gradients::NormGradients;
use crate::simd::vector::{Simd, prefetch_lines};
use crate::threads::plan::TimeLoop;

/// All steps of all sequences, from the last to the first in the layer's direction.
pub(crate) struct BackwardLoop<'a, T: Float, A, const U: usize> {
    pub(crate) cell: A,
    pub(crate) layout: &'a KernelLayout,
    /// `W_hh` in panels whose depth is the slots of all blocks.
    pub(crate) panels: &'a PooledBuffer<T>,
    /// The carry before the first step, `[B, H]`.
    pub(crate) initial_carry: Option<&'a [T]>,
    /// `[B, P]`.
    pub(crate) mask: Option<&'a [T]>,
    /// With zoneout.
    pub(crate) kept: Option<KeptGradients<'a, T>>,
    /// `W_hn` of a GRU with the reset before the product, in panels as `panels`; otherwise empty.
    pub(crate) reset_panels: &'a PooledBuffer<T>,
    /// `W_hr` in panels of depth P.
    pub(crate) weight_hr: Option<&'a PooledBuffer<T>>,
    pub(crate) activations: Activations<&'a [T]>,
    /// The cell state after each step as the cell computed it, `[vector][row][lane]`: the carries, except with zoneout.
    pub(crate) new_carries: SyncPtr<T>,
    /// The gradient with respect to `output`, `[N, P]`. With zoneout, `kept` has it instead, and that of the cell
    /// states.
    pub(crate) d_output: Option<&'a [T]>,
    /// The gradient with respect to the cell states, `[N, H]`.
    pub(crate) d_cell_states: Option<&'a [T]>,
    /// The gradient with respect to the slots' sums, `[block][row][slot][lane]`.
    pub(crate) da: SyncPtr<T>,
    /// The gradient with respect to the product with the hidden state, likewise: `da`, except with layer
    /// normalisation.
    pub(crate) d_products: SyncPtr<T>,
    /// With layer normalisation.
    pub(crate) norm: Option<NormGradients<'a, T>>,
    /// The gradient with respect to the hidden state, `[vector][sequence][lane]`.
    pub(crate) dh: SyncPtr<T>,
    /// The gradient with respect to the carry, `[vector][sequence][lane]`.
    pub(crate) d_carry: SyncPtr<T>,
    /// With a projection: the gradient with respect to the hidden states of all steps, `[N, P]`.
    pub(crate) dh_rows: SyncPtr<T>,
    /// With a projection: the gradient with respect to the unprojected hidden state,
    /// `[vector][sequence][lane]`.
    pub(crate) d_unprojected: SyncPtr<T>,
    /// With the reset before the product: the gradient with respect to the hidden state through it,
    /// `[vector][sequence][lane]`.
    pub(crate) d_reset: SyncPtr<T>,
}

impl<T: Float, A: CellStep<T, U>, const U: usize> BackwardLoop<'_, T, A, U> {
    /// The step of the forward pass that a round takes back.
    fn step_of(&self, round: usize) -> usize {
        self.layout.steps.len() - 1 - round
    }

    /// Computes `da` of step `k` and the gradient with respect to the carry before it, for some
    /// sequences and blocks of units.
    #[inline(always)]
    fn step<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>, blocks: &Range<usize>) {
        let layout = self.layout;
        let (step, previous) = (layout.steps[k], layout.previous_states(k));
        for block in blocks.clone() {
            for sequence in group.start..group.end.min(step.batch_size) {
                self.cell(s, block, sequence, step.start + sequence, previous);
            }
        }
    }

    /// Applies the cell's derivative to one block and row, stores its results, and returns `da`.
    #[inline(always)]
    pub(crate) fn cell<S: Simd<T>>(
        &self,
        s: S,
        block: usize,
        sequence: usize,
        row: usize,
        previous: PreviousStates,
    ) -> [S::V; 4] {
        let (layout, h) = (self.layout, self.layout.hidden_size);
        let zero = s.splat(T::default());
        // SAFETY: row and sequence lie within the step, so all indices lie within their buffers; only
        // this call accesses these elements of `da`, `dh` and `d_carry`. Of rows [.., H], only units
        // that exist are read.
        unsafe {
            let gates = self.activations.gates.as_ptr().add(layout.gates_at(block, row));
            let mut saved = [zero; 4];
            for (slot, value) in saved.iter_mut().enumerate() {
                *value = s.load(gates.add(slot * S::LANES));
            }
            let (mut carry_before, mut carry_after) = ([zero; U], [zero; U]);
            let (mut d_hidden, mut d_carry) = ([zero; U], [zero; U]);
            for u in 0..U {
                let vector = block * U + u;
                let (units, column) = (layout.units(vector), vector * S::LANES);
                let state = layout.state_at(vector, sequence);
                if layout.cell.has_carry() {
                    let carries = self.new_carries.get().cast_const();
                    carry_after[u] = s.load(carries.add(layout.row_vector_at(vector, row)));
                    carry_before[u] = self.carry_before(s, vector, sequence, previous);
                    d_carry[u] = s.load(self.d_carry.get().add(state));
                    if let Some(d_cell_states) = self.d_cell_states {
                        let d_cell_state = d_cell_states.as_ptr().wrapping_add(row * h + column);
                        d_carry[u] = s.add(d_carry[u], s.load_first(d_cell_state, units));
                    }
                }
                d_hidden[u] = if self.weight_hr.is_some() {
                    s.load(self.d_unprojected.get().add(state))
                } else {
                    let d_hidden = s.load(self.dh.get().add(state));
                    match self.d_output {
                        None => d_hidden,
                        Some(d_output) => {
                            let d_output = d_output.as_ptr().wrapping_add(row * h + column);
                            s.add(d_hidden, s.load_first(d_output, units))
                        }
                    }
                };
            }
            let before =
                self.cell.backward(s, block, saved, carry_before, carry_after, d_hidden, d_carry);
            if layout.cell.has_carry() {
                for (u, d_carry) in before.carry.into_iter().enumerate() {
                    s.store(
                        self.d_carry.get().add(layout.state_at(block * U + u, sequence)),
                        d_carry,
                    );
                }
            }
            let to = self.da.get().add(layout.gates_at(block, row));
            let mut da = before.slots;
            for (slot, value) in da.iter_mut().enumerate() {
                let vector = if U == 1 { block } else { block * U + slot };
                // Zero the lanes beyond H: an infinity times a zero weight would be NaN.
                *value = s.first(*value, layout.units(vector));
            }
            for (slot, &value) in da.iter().enumerate() {
                s.store(to.add(slot * S::LANES), value);
            }
            da
        }
    }

    /// Returns a vector of the carry before a step.
    ///
    /// # Safety
    /// `previous` is where the states before the step of this sequence lie.
    #[inline(always)]
    pub(crate) unsafe fn carry_before<S: Simd<T>>(
        &self,
        s: S,
        vector: usize,
        sequence: usize,
        previous: PreviousStates,
    ) -> S::V {
        let (layout, h) = (self.layout, self.layout.hidden_size);
        let (units, column) = (layout.units(vector), vector * S::LANES);
        // SAFETY: the caller's; only units that exist are read.
        unsafe {
            if sequence < previous.continuing {
                let at = layout.row_vector_at(vector, previous.start + sequence);
                s.load(self.activations.carries.as_ptr().add(at))
            } else if let Some(initial) = self.initial_carry {
                s.load_first(initial.as_ptr().wrapping_add(sequence * h + column), units)
            } else {
                s.splat(T::default())
            }
        }
    }

    /// Computes `dh = (W_hh^T da) * mask` from `da` of step `k`, for the step before: some sequences and
    /// vectors of units.
    #[inline(always)]
    fn hidden<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>, vectors: Range<usize>) {
        let (layout, p) = (self.layout, self.layout.output_size);
        let step = layout.steps[k];
        let all = p.div_ceil(S::LANES);
        let vectors = vectors.start..vectors.end.min(all);
        let rows = step.start + group.start..step.start + group.end.min(step.batch_size);
        // Alternate the order of the sums: a cache still holds the weights used last. The order depends
        // on the time, not on `k`, so that a sequence's result does not depend on its batch.
        let reversed = layout.time(k) % 2 == 1;
        let lhs = Lhs { reversed, ..Lhs::of_da(layout, self.d_products.get().cast_const()) };
        let sums = HiddenGradients { backward_loop: self, start: step.start };
        // SAFETY: `da` of all blocks of these rows is written; the panels have its depth.
        unsafe { product(s, lhs, rows, self.panels.as_ptr(), vectors, all, &sums) }
    }

    /// With a projection: stores `dh` of step `k` in `dh_rows`, for the gradient of `W_hr`, and computes
    /// `dm = W_hr^T dh`, the gradient with respect to the unprojected hidden state.
    #[inline(always)]
    fn unproject<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let Some(panels) = self.weight_hr else { return };
        let (layout, p) = (self.layout, self.layout.output_size);
        let step = layout.steps[k];
        let sequences = group.start..group.end.min(step.batch_size);
        for sequence in sequences.clone() {
            for vector in 0..p.div_ceil(S::LANES) {
                let column = vector * S::LANES;
                let (at, count) = ((step.start + sequence) * p + column, S::LANES.min(p - column));
                // SAFETY: rows of this group's step, and only columns that exist.
                unsafe {
                    let mut dh = s.load(self.dh.get().add(layout.state_at(vector, sequence)));
                    if let Some(d_output) = self.d_output {
                        dh = s.add(dh, s.load_first(d_output.as_ptr().add(at), count));
                    }
                    s.store_first(self.dh_rows.get().add(at), dh, count);
                }
            }
        }
        let lhs = Lhs {
            start: self.dh_rows.get().cast_const(),
            row_stride: p,
            segments: 1,
            segment_stride: 0,
            segment_len: p,
            reversed: false,
        };
        let rows = step.start + sequences.start..step.start + sequences.end;
        let all = layout.hidden_size.div_ceil(S::LANES);
        let sums = UnprojectedGradients { backward_loop: self, start: step.start };
        // SAFETY: `dh_rows` of these rows was written above; the panels have depth P.
        unsafe { product(s, lhs, rows, panels.as_ptr(), 0..all, all, &sums) }
    }
}

/// `dh` of the step whose rows begin at `start`.
struct HiddenGradients<'a, 'b, T: Float, A, const U: usize> {
    backward_loop: &'a BackwardLoop<'b, T, A, U>,
    start: usize,
}

impl<T: Float, A: CellStep<T, U>, S: Simd<T>, const U: usize> Sums<T, S>
    for HiddenGradients<'_, '_, T, A, U>
{
    #[inline(always)]
    unsafe fn store(&self, s: S, row: usize, vector: usize, sum: S::V) {
        let BackwardLoop { layout, mask, dh, d_reset, .. } = self.backward_loop;
        let (sequence, p) = (row - self.start, layout.output_size);
        // SAFETY: sequences of a step and vectors that one call alone writes; only elements of the mask that
        // exist are read.
        unsafe {
            let sum = if A::RESETS_FIRST {
                s.add(sum, s.load(d_reset.get().add(layout.state_at(vector, sequence))))
            } else {
                sum
            };
            let sum = match mask {
                None => sum,
                Some(mask) => {
                    let column = vector * S::LANES;
                    let mask = mask.as_ptr().add(sequence * p + column);
                    s.mul(sum, s.load_first(mask, S::LANES.min(p - column)))
                }
            };
            s.store(dh.get().add(layout.state_at(vector, sequence)), sum);
        }
    }
}

/// `dm` of the step whose rows begin at `start`.
struct UnprojectedGradients<'a, 'b, T: Float, A, const U: usize> {
    backward_loop: &'a BackwardLoop<'b, T, A, U>,
    start: usize,
}

impl<T: Float, A: CellStep<T, U>, S: Simd<T>, const U: usize> Sums<T, S>
    for UnprojectedGradients<'_, '_, T, A, U>
{
    #[inline(always)]
    unsafe fn store(&self, s: S, row: usize, vector: usize, sum: S::V) {
        let at = self.backward_loop.layout.state_at(vector, row - self.start);
        // SAFETY: sequences of a group's step.
        unsafe { s.store(self.backward_loop.d_unprojected.get().add(at), sum) }
    }
}

/// A round first computes `dh` from all `da` of the later step, then `da` of its own step: threads that share a
/// step synchronise once per round. So there is one round more than there are steps, for the `dh` of the initial
/// states.
impl<T: Float, A: CellStep<T, U>, const U: usize> TimeLoop<T> for BackwardLoop<'_, T, A, U> {
    fn rounds(&self) -> usize {
        self.layout.steps.len() + 1
    }

    #[inline(always)]
    fn prefetch_round<S: Simd<T>>(&self, s: S, round: usize) {
        let layout = self.layout;
        let Some(step) = round.checked_sub(1).map(|done| layout.steps[self.step_of(done)]) else {
            return;
        };
        for block in 0..layout.blocks {
            let da = self.da.get().cast_const();
            let da = da.wrapping_add(layout.gates_at(block, step.start));
            prefetch_lines(s, da, step.batch_size * 4 * S::LANES);
        }
    }

    #[inline(always)]
    fn run_round<S: Simd<T>>(
        &self,
        s: S,
        round: usize,
        sequences: &Range<usize>,
        blocks: &Range<usize>,
    ) {
        let active = |k: &usize| self.layout.steps[*k].batch_size > sequences.start;
        if let Some(k) = round.checked_sub(1).map(|done| self.step_of(done)).filter(active) {
            self.hidden(s, k, sequences, blocks.start * U..blocks.end * U);
            if let Some(kept) = &self.kept {
                self.add_kept_hidden(s, kept, k, sequences, blocks);
            }
        }
        let own = (round < self.layout.steps.len()).then(|| self.step_of(round));
        if let Some(k) = own.filter(active) {
            if let Some(kept) = &self.kept {
                self.divide_kept(s, kept, k, sequences, blocks);
            }
            if A::NORMALIZES {
                if let Some(norm) = &self.norm {
                    self.normalized_step(s, norm, k, sequences);
                }
            } else {
                self.unproject(s, k, sequences);
                self.step(s, k, sequences, blocks);
            }
            if let Some(kept) = &self.kept {
                self.add_kept_cells(s, kept, k, sequences, blocks);
            }
            if A::RESETS_FIRST {
                self.reset_gates(s, k, sequences);
            }
        }
    }
}
