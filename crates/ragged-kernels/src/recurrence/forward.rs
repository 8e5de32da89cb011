//! The time loop of the forward pass. Each step sums the slots of each block of units in tiles and
//! applies the cell to the sums while they are in registers.
//!
//! ```text
//! a   = W_ih x + b + W_hh (h * mask)     the slots' sums
//! h'  = cell(a, carry)                   or  h' = W_hr cell(a, carry)  with a projection
//! h' += kept (h - h')                    with zoneout, and c' likewise
//! ```
//!
//! `Case::run` in `tests/reference/mod.rs` is the same computation, sequence by sequence.

use std::ops::Range;

use crate::cell::kind::Side;
use crate::cell::step::CellStep;
use crate::gemm::forward_weights::ForwardWeights;
use crate::gemm::microkernel::{for_tiles, repeat_rows, zero_tile};
use crate::gemm::product::{Lhs, Sums, product};
use crate::layer_norm::statistics::load_slots;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::sync_ptr::SyncPtr;
use crate::recurrence::activations::Activations;
use crate::recurrence::kept_states::KeptForward;
use crate::simd::dispatch::SimdFloat;
use crate::simd::vector::{Simd, prefetch_lines};
use crate::threads::plan::TimeLoop;

/// All steps of all sequences, from the first to the last in the layer's direction.
pub(crate) struct ForwardLoop<'a, T: SimdFloat, A, const U: usize> {
    pub(crate) cell: A,
    pub(crate) layout: &'a KernelLayout,
    /// `[N, I]` where `W_ih x + b` is computed in this loop; otherwise the gates hold it already.
    pub(crate) x: Option<&'a [T]>,
    /// Whether the gates hold the products with the hidden states as well, so that only the cells are left.
    pub(crate) with_hidden_product: bool,
    pub(crate) weights: &'a ForwardWeights<T>,
    /// `h_0 * mask`, `[B, P]`.
    pub(crate) initial_hidden: &'a [T],
    /// `[B, P]`.
    pub(crate) mask: Option<&'a [T]>,
    /// With zoneout.
    pub(crate) kept: Option<KeptForward<'a, T>>,
    pub(crate) activations: Activations<SyncPtr<T>>,
    /// The carry of the present step, `[vector][sequence][lane]`.
    pub(crate) carry: SyncPtr<T>,
    /// The hidden states, `[N, P]`.
    pub(crate) output: SyncPtr<T>,
    /// The cell states, `[N, H]`.
    pub(crate) cell_states: Option<SyncPtr<T>>,
    /// Whether the gates and carries are written for the backward pass.
    pub(crate) save_for_backward: bool,
}

impl<T: SimdFloat, A: CellStep<T, U>, const U: usize> ForwardLoop<'_, T, A, U> {
    /// Computes step `k` for some sequences and blocks of units.
    #[inline(always)]
    fn step<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>, blocks: &Range<usize>) {
        let layout = self.layout;
        let (step, previous) = (layout.steps[k], layout.previous_states(k));
        let end = group.end.min(step.batch_size);
        if self.with_hidden_product {
            return self.cells(s, k, group.start..end, blocks);
        }
        let continuing = end.min(previous.continuing);
        let source = if self.mask.is_some() { self.activations.masked } else { self.output };
        // SAFETY: the rows of the step before, which is complete for these sequences.
        let hidden = unsafe { source.get().cast_const().add(previous.start * layout.output_size) };
        let continuing_part = (group.start.min(continuing)..continuing, hidden);
        let starting_part = (group.start.max(continuing)..end, self.initial_hidden.as_ptr());
        // Alternate the order of the blocks: a cache still holds the weights used last.
        let alternate =
            |at| if k.is_multiple_of(2) { at } else { blocks.start + blocks.end - 1 - at };
        for block in blocks.clone().map(alternate) {
            for (sequences, hidden) in [continuing_part.clone(), starting_part.clone()] {
                for_tiles!(<S as Simd<T>>::ROWS, sequences, |R, sequence| {
                    self.tile::<S, R>(s, k, block, sequence, hidden)
                });
            }
        }
    }

    /// Applies the cell to the sums of step `k` for some sequences and blocks of units.
    #[inline(always)]
    fn cells<S: Simd<T>>(&self, s: S, k: usize, sequences: Range<usize>, blocks: &Range<usize>) {
        let start = self.layout.steps[k].start;
        for block in blocks.clone() {
            for sequence in sequences.clone() {
                let at = self.layout.gates_at(block, start + sequence);
                // SAFETY: the gates of a row and a block of this call.
                let sums = unsafe { load_slots(s, self.activations.gates.get().add(at)) };
                self.cell(s, k, block, sequence, sums);
            }
        }
    }

    /// Computes one block of units for `R` sequences of step `k`. `hidden` `[sequence, P]` are their hidden states
    /// before the step.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(
        &self,
        s: S,
        k: usize,
        block: usize,
        sequence: usize,
        hidden: *const T,
    ) {
        let (layout, cell) = (self.layout, self.cell);
        let (row, p) = (layout.steps[k].start + sequence, layout.output_size);
        // SAFETY: rows `row..row + R` lie within the step, hence within [N, ..], and these hidden
        // states within their source; the panels of a block have a vector for each of their columns
        // and slots; only this call accesses the gates of these rows and this block.
        let sums = unsafe {
            let sums = match self.x {
                _ if A::NORMALIZES => zero_tile::<T, S, R, 4>(s),
                Some(x) => {
                    let i = layout.input_size;
                    let panel = block * layout.panel_len(Side::Input, i);
                    let panel = self.weights.input.as_ptr().add(panel);
                    let bias = self.weights.bias.as_ptr().add(block * 4 * S::LANES);
                    let sums = repeat_rows::<T, S, R>(s, bias);
                    let x = x.as_ptr().add(row * i);
                    cell.product::<S, R>(s, Side::Input, sums, x, i, panel)
                }
                None => {
                    let gates = self.activations.gates.get().add(layout.gates_at(block, row));
                    let mut sums = zero_tile::<T, S, R, 4>(s);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        for (slot, sum) in sums.iter_mut().enumerate() {
                            *sum = s.load(gates.add((r * 4 + slot) * S::LANES));
                        }
                    }
                    sums
                }
            };
            let hidden = hidden.add(sequence * p);
            let panel = block * layout.panel_len(Side::Hidden, p);
            let panel = self.weights.hidden.as_ptr().add(panel);
            cell.product::<S, R>(s, Side::Hidden, sums, hidden, p, panel)
        };
        for (r, sums) in sums.into_iter().enumerate() {
            if A::NORMALIZES {
                let to = self.activations.products.get();
                for (slot, sum) in sums.into_iter().enumerate() {
                    // SAFETY: as above.
                    unsafe {
                        let to = to.add(layout.gates_at(block, row + r) + slot * S::LANES);
                        s.store(to, sum);
                    }
                }
            } else if A::RESETS_FIRST {
                // SAFETY: as above.
                unsafe {
                    let hidden = hidden.add((sequence + r) * p);
                    self.reset(s, k, block, sequence + r, hidden, sums);
                }
            } else {
                self.cell(s, k, block, sequence + r, sums);
            }
        }
    }

    /// Applies the cell to the sums of one block of units and sequence at step `k`, stores its results, and returns the
    /// carry.
    #[inline(always)]
    pub(crate) fn cell<S: Simd<T>>(
        &self,
        s: S,
        k: usize,
        block: usize,
        sequence: usize,
        sums: [S::V; 4],
    ) -> [S::V; U] {
        let layout = self.layout;
        let row = layout.steps[k].start + sequence;
        let (h, p) = (layout.hidden_size, layout.output_size);
        let has_carry = layout.cell.has_carry();
        // SAFETY: row and sequence lie within the step, so all indices lie within their buffers, and
        // only this call accesses the elements of this block. Of rows [.., H], only units that exist
        // are stored.
        unsafe {
            let state = |u: usize| self.carry.get().add(layout.state_at(block * U + u, sequence));
            let mut carry = [s.splat(T::default()); U];
            if has_carry {
                for (u, carry) in carry.iter_mut().enumerate() {
                    *carry = s.load(state(u));
                }
            }
            let after = self.cell.forward(s, block, sums, carry);
            for u in 0..U {
                let vector = block * U + u;
                let units = layout.units(vector);
                let hidden = after.hidden[u];
                if has_carry {
                    s.store(state(u), after.carry[u]);
                    if self.save_for_backward {
                        let to =
                            self.activations.carries.get().add(layout.row_vector_at(vector, row));
                        s.store(to, after.carry[u]);
                    }
                }
                if let Some(cell_states) = self.cell_states {
                    let to = cell_states.get().add(row * h + vector * S::LANES);
                    s.store_first(to, after.carry[u], units);
                }
                if layout.has_projection() {
                    let to =
                        self.activations.unprojected.get().add(layout.row_vector_at(vector, row));
                    s.store(to, hidden);
                } else {
                    self.store_hidden(s, row * p, sequence * p, vector * S::LANES, hidden, units);
                }
            }
            if self.save_for_backward {
                let gates = self.activations.gates.get().add(layout.gates_at(block, row));
                for (slot, value) in after.saved.into_iter().enumerate() {
                    s.store(gates.add(slot * S::LANES), value);
                }
            }
            after.carry
        }
    }

    /// Stores a vector of a hidden state, as output and, times the mask, for the next step's product.
    ///
    /// # Safety
    /// `row + column` and `sequence + column` are indices in [N, P] and [B, P] with room for `count`.
    #[inline(always)]
    pub(crate) unsafe fn store_hidden<S: Simd<T>>(
        &self,
        s: S,
        row: usize,
        sequence: usize,
        column: usize,
        hidden: S::V,
        count: usize,
    ) {
        // SAFETY: the caller's; the rows are those of the calling task's step and units.
        unsafe {
            s.store_first(self.output.get().wrapping_add(row + column), hidden, count);
            if let Some(mask) = self.mask {
                let mask = s.load_first(mask.as_ptr().wrapping_add(sequence + column), count);
                let to = self.activations.masked.get().wrapping_add(row + column);
                s.store_first(to, s.mul(hidden, mask), count);
            }
        }
    }

    /// With a projection: computes the hidden states `W_hr m` of step `k` for some sequences, from the
    /// unprojected `m` that [`step`](Self::step) has stored.
    #[inline(always)]
    fn project<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let Some(panels) = &self.weights.projection else { return };
        let layout = self.layout;
        let step = layout.steps[k];
        let rows = step.start + group.start..step.start + group.end.min(step.batch_size);
        let vectors = layout.output_size.div_ceil(S::LANES);
        let lhs = Lhs {
            start: self.activations.unprojected.get().cast_const(),
            row_stride: S::LANES,
            segments: layout.vectors(),
            segment_stride: layout.rows * S::LANES,
            segment_len: S::LANES,
            reversed: false,
        };
        let sums = ProjectedStates { forward_loop: self, k };
        // SAFETY: `unprojected` of these rows was written by this task; the panels have its depth.
        unsafe { product(s, lhs, rows, panels.as_ptr(), 0..vectors, vectors, &sums) }
    }
}

/// The hidden states of step `k`, as the results of a projection.
struct ProjectedStates<'a, 'b, T: SimdFloat, A, const U: usize> {
    forward_loop: &'a ForwardLoop<'b, T, A, U>,
    k: usize,
}

impl<T: SimdFloat, A: CellStep<T, U>, S: Simd<T>, const U: usize> Sums<T, S>
    for ProjectedStates<'_, '_, T, A, U>
{
    #[inline(always)]
    unsafe fn store(&self, s: S, row: usize, vector: usize, sum: S::V) {
        let Self { forward_loop, k } = self;
        let layout = forward_loop.layout;
        let (p, column) = (layout.output_size, vector * S::LANES);
        let (sequence, count) = (row - layout.steps[*k].start, S::LANES.min(p - column));
        // SAFETY: rows and sequences of a group's step, and only columns that exist.
        unsafe { forward_loop.store_hidden(s, row * p, sequence * p, column, sum, count) }
    }
}

impl<T: SimdFloat, A: CellStep<T, U>, const U: usize> TimeLoop<T> for ForwardLoop<'_, T, A, U> {
    fn rounds(&self) -> usize {
        self.layout.steps.len()
    }

    #[inline(always)]
    fn prefetch_round<S: Simd<T>>(&self, s: S, k: usize) {
        let p = self.layout.output_size;
        let previous = self.layout.previous_states(k);
        let hidden = if self.mask.is_some() { self.activations.masked } else { self.output };
        let hidden = hidden.get().cast_const().wrapping_add(previous.start * p);
        prefetch_lines(s, hidden, previous.continuing * p);
    }

    #[inline(always)]
    fn run_round<S: Simd<T>>(
        &self,
        s: S,
        k: usize,
        sequences: &Range<usize>,
        blocks: &Range<usize>,
    ) {
        if self.layout.steps[k].batch_size > sequences.start {
            if let Some(kept) = &self.kept {
                self.remember_cells(s, kept, k, sequences, blocks);
            }
            self.step(s, k, sequences, blocks);
            if A::NORMALIZES {
                self.normalized_cells(s, k, sequences);
            }
            if A::RESETS_FIRST {
                self.step_after_reset(s, k, sequences);
            }
            self.project(s, k, sequences);
            if let Some(kept) = &self.kept {
                self.keep(s, kept, k, sequences, blocks);
            }
        }
    }
}
