//! The recurrence: step by step, the sums of a block's slots in tiles, and the cell right behind them.

use std::ops::Range;

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::cell::{Arithmetic, Side};
use crate::layout::{Before, Geometry};
use crate::plan::Walk;
use crate::product::{Left, product};
use crate::simd::Simd;
use crate::tile::{for_tiles, repeat, zero};
use crate::together::fetch;

/// The steps of all sequences.
pub(crate) struct Recurrence<'a, T: Element, A, const U: usize> {
    pub(crate) cell: A,
    pub(crate) geometry: &'a Geometry,
    /// `[N, I]` where the input is narrow; else the gates hold its part already.
    pub(crate) x: Option<&'a [T]>,
    pub(crate) panels: &'a Buffer<T>,
    pub(crate) bias: &'a Buffer<T>,
    /// `[B, P]`, masked.
    pub(crate) initial: &'a Buffer<T>,
    pub(crate) mask: Option<&'a [T]>,
    pub(crate) weight_hr: Option<Buffer<T>>,
    pub(crate) gates: Shared<T>,
    pub(crate) carries: Shared<T>,
    pub(crate) units: Shared<T>,
    pub(crate) masked: Shared<T>,
    pub(crate) running: Shared<T>,
    pub(crate) output: Shared<T>,
    pub(crate) cells: Option<Shared<T>>,
    pub(crate) record: bool,
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> Recurrence<'_, T, A, U> {
    /// One step of some sequences and blocks of units.
    #[inline(always)]
    fn step<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>, blocks: Range<usize>) {
        let geometry = self.geometry;
        let (step, before) = (geometry.steps[k], Before::new(&geometry.steps, k));
        let end = group.end.min(step.running);
        let begun = end.min(before.begun);
        let source = if self.mask.is_some() { self.masked } else { self.output };
        // SAFETY: the rows of the step before, which is done for these sequences.
        let hidden = unsafe { source.get().cast_const().add(before.start * geometry.width) };
        let continuing = (group.start.min(begun)..begun, hidden);
        let beginning = (group.start.max(begun)..end, self.initial.as_ptr());
        // There and back again: a cache still holds the weights of the blocks taken last.
        let turned = |at| if k.is_multiple_of(2) { at } else { blocks.start + blocks.end - 1 - at };
        for block in blocks.clone().map(turned) {
            for (sequences, hidden) in [continuing.clone(), beginning.clone()] {
                for_tiles!(<S as Simd<T>>::ROWS, sequences, |R, sequence| {
                    self.tile::<S, R>(s, step.start, block, sequence, hidden)
                });
            }
        }
    }

    /// One block of units of one step for a few sequences, whose hidden states lie at `hidden`,
    /// `[sequence, P]`.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(
        &self,
        s: S,
        start: usize,
        block: usize,
        sequence: usize,
        hidden: *const T,
    ) {
        let (geometry, cell) = (self.geometry, self.cell);
        let (row, p) = (start + sequence, geometry.width);
        // SAFETY: rows `row..row + R` lie within the step, hence within [N, ..], and these hidden
        // states within their source; the panel of a block has a vector for each of I + P columns
        // and slots, or P without an input; the gates of a row and block are this call's alone.
        let sums = unsafe {
            let narrow = self.x.map_or(0, |_| geometry.panel_len(Side::Input, geometry.input));
            let panel_len = narrow + geometry.panel_len(Side::Hidden, p);
            let panel = self.panels.as_ptr().add(block * panel_len);
            let sums = match self.x {
                Some(x) => {
                    let i = geometry.input;
                    let sums = repeat::<T, S, R>(s, self.bias.as_ptr().add(block * 4 * S::LANES));
                    let x = x.as_ptr().add(row * i);
                    cell.product::<S, R>(s, Side::Input, sums, x, i, panel)
                }
                None => {
                    let gates = self.gates.get().add(geometry.gates_at(block, row));
                    let mut sums = zero::<T, S, R, 4>(s);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        for (slot, sum) in sums.iter_mut().enumerate() {
                            *sum = s.load(gates.add((r * 4 + slot) * S::LANES));
                        }
                    }
                    sums
                }
            };
            let hidden = hidden.add(sequence * p);
            cell.product::<S, R>(s, Side::Hidden, sums, hidden, p, panel.add(narrow))
        };
        for (r, sums) in sums.into_iter().enumerate() {
            self.cell(s, block, sequence + r, row + r, sums);
        }
    }

    /// The cell of one block and row.
    #[inline(always)]
    fn cell<S: Simd<T>>(&self, s: S, block: usize, sequence: usize, row: usize, sums: [S::V; 4]) {
        let geometry = self.geometry;
        let (h, p, carries) = (geometry.hidden, geometry.width, geometry.cell.carries());
        // SAFETY: row and sequence lie within the step, so all places lie within their buffers, and
        // those of this block are this call's alone. Only units that exist are stored in rows.
        unsafe {
            let state =
                |u: usize| self.running.get().add(geometry.state_at(block * U + u, sequence));
            let mut carry = [s.splat(T::default()); U];
            if carries {
                for (u, carry) in carry.iter_mut().enumerate() {
                    *carry = s.load(state(u));
                }
            }
            let after = self.cell.forward(s, sums, carry);
            for u in 0..U {
                let vector = block * U + u;
                let units = geometry.units(vector);
                let hidden = after.hidden[u];
                if carries {
                    s.store(state(u), after.carry[u]);
                    if self.record {
                        let to = self.carries.get().add(geometry.carry_at(vector, row));
                        s.store(to, after.carry[u]);
                    }
                }
                if let Some(cells) = self.cells {
                    let to = cells.get().add(row * h + vector * S::LANES);
                    s.store_first(to, after.carry[u], units);
                }
                if self.weight_hr.is_some() {
                    s.store(self.units.get().add(geometry.carry_at(vector, row)), hidden);
                } else {
                    self.store_hidden(s, row * p, sequence * p, vector * S::LANES, hidden, units);
                }
            }
            if self.record {
                let gates = self.gates.get().add(geometry.gates_at(block, row));
                for (slot, value) in after.record.into_iter().enumerate() {
                    s.store(gates.add(slot * S::LANES), value);
                }
            }
        }
    }

    /// A vector of a hidden state, as output and as the next step's product sees it.
    ///
    /// # Safety
    /// `row + column` and `sequence + column` are places in [N, P] and [B, P] with room for `count`.
    #[inline(always)]
    unsafe fn store_hidden<S: Simd<T>>(
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
                let to = self.masked.get().wrapping_add(row + column);
                s.store_first(to, s.mul(hidden, mask), count);
            }
        }
    }

    /// The hidden states of some sequences after their units are there, `W_hr` times those.
    #[inline(always)]
    fn project<S: Simd<T>>(&self, s: S, k: usize, group: &Range<usize>) {
        let Some(panels) = &self.weight_hr else { return };
        let geometry = self.geometry;
        let step = geometry.steps[k];
        let rows = step.start + group.start..step.start + group.end.min(step.running);
        let (p, vectors) = (geometry.width, geometry.width.div_ceil(S::LANES));
        let left = Left {
            base: self.units.get().cast_const(),
            segments: geometry.vectors(),
            segment: geometry.rows * S::LANES,
            count: S::LANES,
            row: S::LANES,
            descending: false,
        };
        let store = |row: usize, vector: usize, sum: S::V| {
            let (sequence, column) = (row - step.start, vector * S::LANES);
            // SAFETY: rows and sequences of this group's step, and only columns that exist.
            unsafe {
                let count = S::LANES.min(p - column);
                self.store_hidden(s, row * p, sequence * p, column, sum, count);
            }
        };
        // SAFETY: the units of these rows were written by this task; the panels have as much depth.
        unsafe { product(s, left, rows, panels.as_ptr(), 0..vectors, vectors, store) }
    }
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> Walk<T> for Recurrence<'_, T, A, U> {
    fn turns(&self) -> usize {
        self.geometry.steps.len()
    }

    #[inline(always)]
    fn group<S: Simd<T>>(&self, s: S, group: Range<usize>) {
        for (k, step) in self.geometry.steps.iter().enumerate() {
            if step.running > group.start {
                self.step(s, k, &group, 0..self.geometry.blocks);
                self.project(s, k, &group);
            }
        }
    }

    #[inline(always)]
    fn fetch<S: Simd<T>>(&self, s: S, k: usize) {
        let p = self.geometry.width;
        let before = Before::new(&self.geometry.steps, k);
        let hidden = if self.mask.is_some() { self.masked } else { self.output };
        fetch(s, hidden.get().cast_const().wrapping_add(before.start * p), before.begun * p);
    }

    #[inline(always)]
    fn chunk<S: Simd<T>>(&self, s: S, k: usize, blocks: Range<usize>) {
        self.step(s, k, &(0..self.geometry.batch), blocks);
    }
}
