//! Back through time: step by step from the last one, `da` of every row, the derivative by the slots'
//! sums (see `cell`), and from it `dh = W_hh^T da` for the step before.

use std::ops::Range;

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::cell::Arithmetic;
use crate::forward::Activations;
use crate::layout::{Before, Geometry};
use crate::plan::Walk;
use crate::product::{Left, product};
use crate::simd::Simd;
use crate::together::fetch;

/// The steps of all sequences, backward.
pub(crate) struct ThroughTime<'a, T: Element, A, const U: usize> {
    pub(crate) cell: A,
    pub(crate) geometry: &'a Geometry,
    pub(crate) panels: &'a Buffer<T>,
    pub(crate) weight_hr: Option<Buffer<T>>,
    pub(crate) tape: &'a Activations<T>,
    pub(crate) initial_carry: Option<&'a [T]>,
    pub(crate) mask: Option<&'a [T]>,
    pub(crate) d_output: Option<&'a [T]>,
    pub(crate) d_cells: Option<&'a [T]>,
    pub(crate) da: Shared<T>,
    pub(crate) dh: Shared<T>,
    pub(crate) d_carry: Shared<T>,
    pub(crate) dh_rows: Shared<T>,
    /// By the units before their projection, `[vector][sequence][lane]`.
    pub(crate) d_units: Shared<T>,
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> ThroughTime<'_, T, A, U> {
    /// The step of a turn.
    fn step(&self, turn: usize) -> usize {
        self.geometry.steps.len() - 1 - turn
    }

    /// `da` of one step for some sequences and blocks, and the carried state's derivative before it.
    #[inline(always)]
    fn cells<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>, blocks: Range<usize>) {
        let geometry = self.geometry;
        let (step, before) = (geometry.steps[k], Before::new(&geometry.steps, k));
        for block in blocks {
            for sequence in group.start..group.end.min(step.running) {
                self.cell(s, block, sequence, step.start + sequence, before);
            }
        }
    }

    /// One block of units of one row.
    #[inline(always)]
    fn cell<S: Simd<T>>(&self, s: S, block: usize, sequence: usize, row: usize, before: Before) {
        let (geometry, h) = (self.geometry, self.geometry.hidden);
        let zero = s.splat(T::default());
        // SAFETY: row and sequence lie within the step, so all places lie within their buffers;
        // those of `da`, `dh` and `d_carry` are this call's alone. Of rows [.., H], only units that
        // exist are read.
        unsafe {
            let gates = self.tape.gates.as_ptr().add(geometry.gates_at(block, row));
            let mut record = [zero; 4];
            for (slot, value) in record.iter_mut().enumerate() {
                *value = s.load(gates.add(slot * S::LANES));
            }
            let (mut carry_before, mut carry_after) = ([zero; U], [zero; U]);
            let (mut d_hidden, mut d_carry) = ([zero; U], [zero; U]);
            for u in 0..U {
                let vector = block * U + u;
                let (units, column) = (geometry.units(vector), vector * S::LANES);
                let state = geometry.state_at(vector, sequence);
                if geometry.cell.carries() {
                    let carries = self.tape.carries.as_ptr();
                    carry_after[u] = s.load(carries.add(geometry.carry_at(vector, row)));
                    carry_before[u] = if sequence < before.begun {
                        s.load(carries.add(geometry.carry_at(vector, before.start + sequence)))
                    } else if let Some(initial) = self.initial_carry {
                        s.load_first(initial.as_ptr().wrapping_add(sequence * h + column), units)
                    } else {
                        zero
                    };
                    d_carry[u] = s.load(self.d_carry.get().add(state));
                    if let Some(cells) = self.d_cells {
                        let cells = cells.as_ptr().wrapping_add(row * h + column);
                        d_carry[u] = s.add(d_carry[u], s.load_first(cells, units));
                    }
                }
                d_hidden[u] = if self.weight_hr.is_some() {
                    s.load(self.d_units.get().add(state))
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
            let back = self.cell.backward(s, record, carry_before, carry_after, d_hidden, d_carry);
            if geometry.cell.carries() {
                for (u, d_carry) in back.carry.into_iter().enumerate() {
                    s.store(
                        self.d_carry.get().add(geometry.state_at(block * U + u, sequence)),
                        d_carry,
                    );
                }
            }
            let da = self.da.get().add(geometry.gates_at(block, row));
            for (slot, value) in back.slots.into_iter().enumerate() {
                let vector = if U == 1 { block } else { block * U + slot };
                // Lanes beyond H are zero: an infinity times a zero weight must not spread.
                let value = s.first(value, geometry.units(vector));
                s.store(da.add(slot * S::LANES), value);
            }
        }
    }

    /// `dh = W_hh^T da` of one step, for the step before: some sequences and vectors.
    #[inline(always)]
    fn hidden<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>, vectors: Range<usize>) {
        let (geometry, p) = (self.geometry, self.geometry.width);
        let step = geometry.steps[k];
        let all = p.div_ceil(S::LANES);
        let vectors = vectors.start..vectors.end.min(all);
        let rows = step.start + group.start..step.start + group.end.min(step.running);
        let store = |row: usize, vector: usize, sum: S::V| {
            let sequence = row - step.start;
            // SAFETY: sequences of this step and vectors that this call alone writes; only numbers of
            // the mask that exist are read.
            unsafe {
                let sum = match self.mask {
                    None => sum,
                    Some(mask) => {
                        let column = vector * S::LANES;
                        let mask = mask.as_ptr().add(sequence * p + column);
                        s.mul(sum, s.load_first(mask, S::LANES.min(p - column)))
                    }
                };
                s.store(self.dh.get().add(geometry.state_at(vector, sequence)), sum);
            }
        };
        // There and back again: a cache still holds the weights used last. By the time itself, so
        // that what is beside a sequence changes nothing.
        let descending = geometry.time(k) % 2 == 1;
        let left = Left { descending, ..Left::of_da(geometry, self.da.get().cast_const()) };
        // SAFETY: `da` of all blocks of these rows is written; the panels have as much depth.
        unsafe { product(s, left, rows, self.panels.as_ptr(), vectors, all, store) }
    }

    /// With a projection: all of dh of a step, kept for the gradient of `W_hr`, and the derivative by
    /// the units, `dh W_hr`.
    #[inline(always)]
    fn units<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let Some(panels) = &self.weight_hr else { return };
        let (geometry, p) = (self.geometry, self.geometry.width);
        let step = geometry.steps[k];
        let sequences = group.start..group.end.min(step.running);
        for sequence in sequences.clone() {
            for vector in 0..p.div_ceil(S::LANES) {
                let column = vector * S::LANES;
                let (place, count) =
                    ((step.start + sequence) * p + column, S::LANES.min(p - column));
                // SAFETY: rows of this group's step, and only numbers that exist.
                unsafe {
                    let mut dh = s.load(self.dh.get().add(geometry.state_at(vector, sequence)));
                    if let Some(d_output) = self.d_output {
                        dh = s.add(dh, s.load_first(d_output.as_ptr().add(place), count));
                    }
                    s.store_first(self.dh_rows.get().add(place), dh, count);
                }
            }
        }
        let base = self.dh_rows.get().cast_const();
        let left = Left { base, segments: 1, segment: 0, count: p, row: p, descending: false };
        let rows = step.start + sequences.start..step.start + sequences.end;
        let all = geometry.hidden.div_ceil(S::LANES);
        let store = |row: usize, vector: usize, sum: S::V| {
            // SAFETY: sequences of this group's step.
            unsafe {
                let to = self.d_units.get().add(geometry.state_at(vector, row - step.start));
                s.store(to, sum);
            }
        };
        // SAFETY: dh of these rows was written above; the panels have depth P.
        unsafe { product(s, left, rows, panels.as_ptr(), 0..all, all, store) }
    }
}

/// Where threads share a turn, each chunk takes its `dh` from all of the later step's `da`, then its own
/// `da`: there is one turn more than there are steps, for the `dh` behind the first one.
impl<T: Element, A: Arithmetic<T, U>, const U: usize> Walk<T> for ThroughTime<'_, T, A, U> {
    fn turns(&self) -> usize {
        self.geometry.steps.len() + 1
    }

    #[inline(always)]
    fn group<S: Simd<T>>(&self, s: S, group: Range<usize>) {
        let geometry = self.geometry;
        for (k, step) in geometry.steps.iter().enumerate().rev() {
            if step.running > group.start {
                self.units(s, k, &group);
                self.cells(s, k, &group, 0..geometry.blocks);
                self.hidden(s, k, &group, 0..geometry.width.div_ceil(S::LANES));
            }
        }
    }

    #[inline(always)]
    fn fetch<S: Simd<T>>(&self, s: S, turn: usize) {
        let geometry = self.geometry;
        let Some(step) = turn.checked_sub(1).map(|done| geometry.steps[self.step(done)]) else {
            return;
        };
        for block in 0..geometry.blocks {
            let da = self.da.get().cast_const();
            let da = da.wrapping_add(geometry.gates_at(block, step.start));
            fetch(s, da, step.running * 4 * S::LANES);
        }
    }

    #[inline(always)]
    fn chunk<S: Simd<T>>(&self, s: S, turn: usize, blocks: Range<usize>) {
        let all = 0..self.geometry.batch;
        if let Some(done) = turn.checked_sub(1) {
            self.hidden(s, self.step(done), &all, blocks.start * U..blocks.end * U);
        }
        if turn < self.geometry.steps.len() {
            self.cells(s, self.step(turn), &all, blocks);
        }
    }
}
