//! Zoneout in the time loops, in passes of its own before and after each step, so that the loops without it do not
//! pay for it.
//!
//! The forward loop mixes the states before a step into those after it. The backward loop divides the gradients
//! before a step: one part passes by the cell and is added again after the step.

use std::ops::Range;

use crate::cell::step::CellStep;
use crate::element::Float;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::sync_ptr::SyncPtr;
use crate::recurrence::backward::BackwardLoop;
use crate::recurrence::forward::ForwardLoop;
use crate::recurrence::kept_states::{KeptForward, KeptGradients, KeptStates, mix};
use crate::simd::dispatch::SimdFloat;
use crate::simd::vector::Simd;

/// The vectors of hidden states that belong to some blocks of units.
fn hidden_vectors<const U: usize>(layout: &KernelLayout, blocks: &Range<usize>) -> Range<usize> {
    let all = layout.output_size.div_ceil(layout.lanes);
    (blocks.start * U).min(all)..(blocks.end * U).min(all)
}

/// The sequences of a group that take a step.
fn active(layout: &KernelLayout, k: usize, group: &Range<usize>) -> Range<usize> {
    group.start..group.end.min(layout.steps[k].batch_size)
}

impl<T: SimdFloat, A: CellStep<T, U>, const U: usize> ForwardLoop<'_, T, A, U> {
    /// Copies the cell states before step `k`.
    #[inline(always)]
    pub(crate) fn remember_cells<S: Simd<T>>(
        &self,
        s: S,
        kept: &KeptForward<'_, T>,
        k: usize,
        group: &Range<usize>,
        blocks: &Range<usize>,
    ) {
        if kept.states.zoneout.cell.is_none() {
            return;
        }
        for vector in blocks.start * U..blocks.end * U {
            for sequence in active(self.layout, k, group) {
                let at = self.layout.state_at(vector, sequence);
                // SAFETY: only this call accesses the states of these blocks and sequences.
                unsafe {
                    s.store(kept.cells_before.get().add(at), s.load(self.carry.get().add(at)))
                };
            }
        }
    }

    /// Mixes the states before step `k` into those after it.
    #[inline(always)]
    pub(crate) fn keep<S: Simd<T>>(
        &self,
        s: S,
        kept: &KeptForward<'_, T>,
        k: usize,
        group: &Range<usize>,
        blocks: &Range<usize>,
    ) {
        let layout = self.layout;
        let (p, step) = (layout.output_size, layout.steps[k]);
        for sequence in active(layout, k, group) {
            let row = step.start + sequence;
            if kept.states.zoneout.cell.is_some() {
                for vector in blocks.start * U..blocks.end * U {
                    // SAFETY: a state of this call.
                    unsafe { self.keep_cell(s, kept, row, vector, sequence) };
                }
            }
            for vector in hidden_vectors::<U>(layout, blocks) {
                let column = vector * S::LANES;
                let (at, count) = (row * p + column, S::LANES.min(p - column));
                // SAFETY: the step before is complete for this sequence, and only this call accesses these
                // elements of the step; only columns that exist are read and stored.
                unsafe {
                    let before = self.hidden_before(s, &kept.states, k, sequence, column, count);
                    let new = s.load_first(self.output.get().add(at), count);
                    let mixed = mix(s, kept.states.of_hidden(s, at, count), before, new);
                    self.store_hidden(s, row * p, sequence * p, column, mixed, count);
                    if layout.cell.has_carry() && !layout.cell.has_cell_state() {
                        // The hidden state is the carry.
                        self.store_carry(s, row, vector, sequence, mixed);
                    }
                }
            }
        }
    }

    /// # Safety
    /// Only the caller accesses the states of this vector and sequence.
    #[inline(always)]
    unsafe fn keep_cell<S: Simd<T>>(
        &self,
        s: S,
        kept: &KeptForward<'_, T>,
        row: usize,
        vector: usize,
        sequence: usize,
    ) {
        let (layout, h) = (self.layout, self.layout.hidden_size);
        let (units, at) = (layout.units(vector), row * h + vector * S::LANES);
        let state = layout.state_at(vector, sequence);
        // SAFETY: the caller's; only units that exist are read in rows [.., H].
        unsafe {
            let Some(fraction) = kept.states.of_cell(s, at, units) else { return };
            let before = s.load(kept.cells_before.get().add(state));
            let mixed = mix(s, fraction, before, s.load(self.carry.get().add(state)));
            self.store_carry(s, row, vector, sequence, mixed);
            if let Some(cell_states) = self.cell_states {
                s.store_first(cell_states.get().wrapping_add(at), mixed, units);
            }
        }
    }

    /// # Safety
    /// As [`keep_cell`](Self::keep_cell).
    #[inline(always)]
    unsafe fn store_carry<S: Simd<T>>(
        &self,
        s: S,
        row: usize,
        vector: usize,
        sequence: usize,
        carry: S::V,
    ) {
        // SAFETY: the caller's.
        unsafe {
            s.store(self.carry.get().add(self.layout.state_at(vector, sequence)), carry);
            if self.save_for_backward {
                let to = self.layout.row_vector_at(vector, row);
                s.store(self.activations.carries.get().add(to), carry);
            }
        }
    }

    /// Returns a vector of a hidden state before step `k`, without the mask.
    ///
    /// # Safety
    /// `column` is an index in P with room for `count`, and the step before is complete for this vector and sequence.
    #[inline(always)]
    unsafe fn hidden_before<S: Simd<T>>(
        &self,
        s: S,
        states: &KeptStates<'_, T>,
        k: usize,
        sequence: usize,
        column: usize,
        count: usize,
    ) -> S::V {
        let (p, previous) = (self.layout.output_size, self.layout.previous_states(k));
        let (start, before) = match states.initial_hidden {
            _ if sequence < previous.continuing => {
                (previous.start * p, Some(self.output.get().cast_const()))
            }
            initial => (0, initial.map(<[T]>::as_ptr)),
        };
        match before {
            // SAFETY: the caller's.
            Some(before) => unsafe {
                s.load_first(before.wrapping_add(start + sequence * p + column), count)
            },
            None => s.splat(T::default()),
        }
    }
}

impl<T: Float, A: CellStep<T, U>, const U: usize> BackwardLoop<'_, T, A, U> {
    /// Before the cell of step `k`: divides the gradients with respect to the states after the step, and computes the
    /// cell states that were mixed.
    #[inline(always)]
    pub(crate) fn divide_kept<S: Simd<T>>(
        &self,
        s: S,
        kept: &KeptGradients<'_, T>,
        k: usize,
        group: &Range<usize>,
        blocks: &Range<usize>,
    ) {
        let layout = self.layout;
        let start = layout.steps[k].start;
        for sequence in active(layout, k, group) {
            if layout.cell.has_cell_state() {
                for block in blocks.clone() {
                    // SAFETY: a block and a sequence of this call.
                    unsafe { self.divide_kept_cells(s, kept, k, block, sequence) };
                }
            }
            for vector in hidden_vectors::<U>(layout, blocks) {
                let column = vector * S::LANES;
                let at = (start + sequence) * layout.output_size + column;
                let count = S::LANES.min(layout.output_size - column);
                let state = layout.state_at(vector, sequence);
                // SAFETY: only this call accesses the gradients of this vector and sequence, and only columns that
                // exist are read.
                unsafe {
                    let mut dh = s.load(self.dh.get().add(state));
                    if let Some(d_output) = kept.d_output {
                        dh = s.add(dh, s.load_first(d_output.as_ptr().add(at), count));
                    }
                    if layout.cell.has_carry() && !layout.cell.has_cell_state() {
                        // The hidden state is the carry.
                        dh = s.add(dh, s.load(self.d_carry.get().add(state)));
                        s.store(self.d_carry.get().add(state), s.splat(T::default()));
                    }
                    let passed = s.mul(kept.states.of_hidden(s, at, count), dh);
                    s.store(kept.d_hidden.get().add(state), passed);
                    s.store(self.dh.get().add(state), s.sub(dh, passed));
                }
            }
        }
    }

    /// # Safety
    /// Only the caller accesses the gradients of this block and sequence, which takes step `k`.
    #[inline(always)]
    unsafe fn divide_kept_cells<S: Simd<T>>(
        &self,
        s: S,
        kept: &KeptGradients<'_, T>,
        k: usize,
        block: usize,
        sequence: usize,
    ) {
        let (layout, previous) = (self.layout, self.layout.previous_states(k));
        let row = layout.steps[k].start + sequence;
        let zero = s.splat(T::default());
        // SAFETY: the caller's; only units that exist are read in rows [.., H].
        unsafe {
            let gates = self.activations.gates.as_ptr().add(layout.gates_at(block, row));
            let mut saved = [zero; 4];
            for (slot, value) in saved.iter_mut().enumerate() {
                *value = s.load(gates.add(slot * S::LANES));
            }
            let mut before = [zero; U];
            for (u, before) in before.iter_mut().enumerate() {
                *before = self.carry_before(s, block * U + u, sequence, previous);
            }
            let new = self.cell.new_carry(s, saved, before);
            for (u, new) in new.into_iter().enumerate() {
                let vector = block * U + u;
                let (units, at) =
                    (layout.units(vector), row * layout.hidden_size + vector * S::LANES);
                let state = layout.state_at(vector, sequence);
                s.store(self.new_carries.get().add(layout.row_vector_at(vector, row)), new);
                let mut d_cell = s.load(self.d_carry.get().add(state));
                if let Some(d_cell_states) = kept.d_cell_states {
                    let from = d_cell_states.as_ptr().wrapping_add(at);
                    d_cell = s.add(d_cell, s.load_first(from, units));
                }
                let passed = match kept.states.of_cell(s, at, units) {
                    Some(fraction) => s.mul(fraction, d_cell),
                    None => zero,
                };
                s.store(kept.d_cells.get().add(state), passed);
                s.store(self.d_carry.get().add(state), s.sub(d_cell, passed));
            }
        }
    }

    /// After the cell of step `k`: adds the gradients with respect to the cell states that passed by it.
    #[inline(always)]
    pub(crate) fn add_kept_cells<S: Simd<T>>(
        &self,
        s: S,
        kept: &KeptGradients<'_, T>,
        k: usize,
        group: &Range<usize>,
        blocks: &Range<usize>,
    ) {
        if self.layout.cell.has_cell_state() {
            let vectors = blocks.start * U..blocks.end * U;
            self.add_kept(s, self.d_carry, kept.d_cells, k, group, vectors);
        }
    }

    /// After the product of step `k`: adds the gradients with respect to the hidden states that passed by the cell.
    #[inline(always)]
    pub(crate) fn add_kept_hidden<S: Simd<T>>(
        &self,
        s: S,
        kept: &KeptGradients<'_, T>,
        k: usize,
        group: &Range<usize>,
        blocks: &Range<usize>,
    ) {
        let vectors = hidden_vectors::<U>(self.layout, blocks);
        self.add_kept(s, self.dh, kept.d_hidden, k, group, vectors);
    }

    #[inline(always)]
    fn add_kept<S: Simd<T>>(
        &self,
        s: S,
        to: SyncPtr<T>,
        passed: SyncPtr<T>,
        k: usize,
        group: &Range<usize>,
        vectors: Range<usize>,
    ) {
        for vector in vectors {
            for sequence in active(self.layout, k, group) {
                let at = self.layout.state_at(vector, sequence);
                // SAFETY: only this call accesses the gradients of these vectors and sequences.
                unsafe {
                    let to = to.get().add(at);
                    s.store(to, s.add(s.load(to), s.load(passed.get().add(at))));
                }
            }
        }
    }
}
