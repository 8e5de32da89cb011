//! The forward pass: the sums of a block's slots in tiles, the cell right behind them.
//!
//! A narrow input is taken into the tile of the recurrent product; for a wide one, `W_ih x + b` is
//! computed for all rows beforehand, where each weight that is loaded serves many rows.

use std::ops::Range;

use crate::buffer::{Buffer, Shared};
use crate::cell::{Arithmetic, CellKind, Gru, Lstm, Rnn, Side};
use crate::crew::Crew;
use crate::input_product::project_input;
use crate::layer::{Input, Output, Weights};
use crate::layout::{Before, Geometry};
use crate::plan::Plan;
use crate::product::{Left, product};
use crate::simd::{Simd, Task, dispatch};
use crate::tile::{for_tiles, repeat, zero};
use crate::together::{Together, fetch};
use crate::{Element, pack, projection, states};

/// The widest input that is taken into the recurrent product.
const NARROW: usize = 32;

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub(crate) struct Activations<T: Element> {
    /// What each cell records, `[block][row][slot][lane]`.
    pub(crate) gates: Buffer<T>,
    /// The carried state, `[vector][row][lane]`.
    pub(crate) carries: Buffer<T>,
    /// The units before their projection, `[vector][row][lane]`.
    pub(crate) units: Buffer<T>,
    /// The hidden states as the next step's product sees them where a mask lies between, `[N, P]`.
    pub(crate) masked: Buffer<T>,
}

/// Runs the forward pass; all slices fit the geometry. Unless `record` is set, the activations that
/// come back are of no use.
pub(crate) fn forward_pass<T: Element>(
    geometry: &Geometry,
    weights: &Weights<T>,
    input: &Input<T>,
    output: Output<T>,
    record: bool,
    crew: &Crew,
) -> Activations<T> {
    match geometry.cell {
        CellKind::Lstm => run::<T, _, 1>(Lstm, geometry, weights, input, output, record, crew),
        CellKind::Gru => run::<T, _, 1>(Gru, geometry, weights, input, output, record, crew),
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: geometry.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, geometry, weights, input, output, record, crew)
        }
    }
}

fn run<T: Element, A: Arithmetic<T, U>, const U: usize>(
    cell: A,
    geometry: &Geometry,
    weights: &Weights<T>,
    input: &Input<T>,
    output: Output<T>,
    record: bool,
    crew: &Crew,
) -> Activations<T> {
    let Output { output, h_n, c_n, cells } = output;
    let (p, carries) = (geometry.width, geometry.cell.carries());
    let narrow = geometry.input <= NARROW;
    let room = |needed: bool, len: usize| Buffer::<T>::new(if needed { len } else { 0 });
    let mut activations = Activations {
        gates: room(record || !narrow, geometry.gates_len()),
        carries: room(record && carries, geometry.carries_len()),
        units: room(geometry.projects(), geometry.carries_len()),
        masked: room(input.hidden_mask.is_some(), geometry.rows * p),
    };
    let bias =
        pack::biases(geometry, [(Side::Input, weights.bias_ih), (Side::Hidden, weights.bias_hh)]);
    let ih = (Side::Input, weights.weight_ih, geometry.input);
    let hh = (Side::Hidden, weights.weight_hh, p);
    if !narrow {
        let gates = Shared::new(activations.gates.as_mut_slice());
        project_input(cell, geometry, input.x, &bias, ih, gates, crew);
    }

    let columns = if narrow { &[ih, hh][..] } else { &[hh] };
    let initial_carry = if geometry.cell.has_cell_state() { input.c_0 } else { input.h_0 };
    let mut running = states::load(geometry, initial_carry.filter(|_| carries), geometry.hidden);
    let initial = initial_hidden(geometry, input);
    let recurrence = Recurrence::<T, A, U> {
        cell,
        geometry,
        x: narrow.then_some(input.x),
        panels: &pack::gate_panels(geometry, columns, crew),
        bias: &bias,
        initial: &initial,
        mask: input.hidden_mask,
        weight_hr: weights.weight_hr.map(|w| projection::forward_panels(geometry, w, crew)),
        gates: Shared::new(activations.gates.as_mut_slice()),
        carries: Shared::new(activations.carries.as_mut_slice()),
        units: Shared::new(activations.units.as_mut_slice()),
        masked: Shared::new(activations.masked.as_mut_slice()),
        running: Shared::new(running.as_mut_slice()),
        output: Shared::new(output),
        cells: cells.map(Shared::new),
        record,
    };
    recurrence.all(crew, Plan::new::<T>(geometry, crew.parts()));
    states::last_rows(geometry, output, input.h_0, h_n);
    if let Some(c_n) = c_n {
        states::store(geometry, running.as_mut_slice(), c_n, geometry.hidden);
    }
    activations
}

/// The initial hidden states as the first step's product sees them, `[B, P]`.
pub(crate) fn initial_hidden<T: Element>(geometry: &Geometry, input: &Input<T>) -> Buffer<T> {
    let mut initial = Buffer::<T>::new(geometry.batch * geometry.width);
    let to = initial.as_mut_slice();
    match (input.h_0, input.hidden_mask) {
        (None, _) => to.fill(T::default()),
        (Some(h_0), None) => to.copy_from_slice(h_0),
        (Some(h_0), Some(mask)) => {
            to.iter_mut().zip(h_0).zip(mask).for_each(|((to, &h), &m)| *to = h * m);
        }
    }
    initial
}

/// The steps of all sequences.
struct Recurrence<'a, T: Element, A, const U: usize> {
    cell: A,
    geometry: &'a Geometry,
    /// `[N, I]` where the input is narrow; else the gates hold its part already.
    x: Option<&'a [T]>,
    panels: &'a Buffer<T>,
    bias: &'a Buffer<T>,
    /// `[B, P]`, masked.
    initial: &'a Buffer<T>,
    mask: Option<&'a [T]>,
    weight_hr: Option<Buffer<T>>,
    gates: Shared<T>,
    carries: Shared<T>,
    units: Shared<T>,
    masked: Shared<T>,
    running: Shared<T>,
    output: Shared<T>,
    cells: Option<Shared<T>>,
    record: bool,
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> Recurrence<'_, T, A, U> {
    fn all(&self, crew: &Crew, plan: Plan) {
        let level = self.geometry.level;
        match plan {
            Plan::Sequences(groups) => crew.split(groups.len(), crew.parts(), &|range| {
                for group in groups[range].iter().cloned() {
                    dispatch(level, OfGroup { recurrence: self, group });
                }
            }),
            Plan::Units { chunks, parts } => {
                let together = &Together::new(self.geometry.steps.len(), chunks.len(), parts);
                crew.each(&|who| {
                    if who < parts {
                        let chunks = &chunks;
                        dispatch(level, OfUnits { recurrence: self, chunks, together, who });
                    }
                });
            }
        }
    }

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

    /// Asks for what the other threads have just written for a step: all lines at once, where the
    /// product would wait for one after the other.
    #[inline(always)]
    fn fetch<S: Simd<T>>(&self, s: S, k: usize) {
        let p = self.geometry.width;
        let before = Before::new(&self.geometry.steps, k);
        let hidden = if self.mask.is_some() { self.masked } else { self.output };
        fetch(s, hidden.get().cast_const().wrapping_add(before.start * p), before.begun * p);
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

/// All steps of a group of sequences.
struct OfGroup<'a, T: Element, A, const U: usize> {
    recurrence: &'a Recurrence<'a, T, A, U>,
    group: Range<usize>,
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> Task<T> for OfGroup<'_, T, A, U> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let geometry = self.recurrence.geometry;
        for (k, step) in geometry.steps.iter().enumerate() {
            if step.running > self.group.start {
                self.recurrence.step(s, k, &self.group, 0..geometry.blocks);
                self.recurrence.project(s, k, &self.group);
            }
        }
    }
}

/// A thread's part in the steps that are shared by units.
struct OfUnits<'a, T: Element, A, const U: usize> {
    recurrence: &'a Recurrence<'a, T, A, U>,
    chunks: &'a [Range<usize>],
    together: &'a Together,
    who: usize,
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> Task<T> for OfUnits<'_, T, A, U> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let all = 0..self.recurrence.geometry.batch;
        let mut part = self.together.part(self.who);
        let mut fetched = None;
        while let Some((k, chunk)) = part.next() {
            if fetched.replace(k) != Some(k) {
                self.recurrence.fetch(s, k);
            }
            self.recurrence.step(s, k, &all, self.chunks[chunk].clone());
        }
    }
}
