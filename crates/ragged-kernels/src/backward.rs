//! The backward pass through time, then the gradients that need all steps at once.
//!
//! First, for each group of sequences from the last step to the first, `da` of every row (see
//! `lstm_backward`), and `dh = W_hh^T da` for the step before. Then, cut by units instead of
//! sequences so that every sum has one order, `dW = sum da [x h]^T` and `db = sum da`; and
//! `dx = W_ih^T da` row by row.

use std::ops::Range;

use crate::buffer::{Buffer, Shared};
use crate::forward::Activations;
use crate::layout::{Before, Geometry};
use crate::lstm::LstmInput;
use crate::lstm_backward::LstmCotangents;
use crate::math::tanh;
use crate::pack::VECTORS;
use crate::simd::{Simd, Task, dispatch};
use crate::threads::{split, threads};
use crate::tile::{accumulate, for_tiles, zero};
use crate::{Element, pack, states};

/// Rows of a task of the product for dx.
const ROWS: usize = 96;

/// `da` of all rows, `[block][row][gate][lane]`; dh_0 and dc_0 go where they belong.
pub(crate) fn through_time<T: Element>(
    geometry: &Geometry,
    weight_hh: &[T],
    input: &LstmInput<T>,
    activations: &Activations<T>,
    cotangents: &LstmCotangents<T>,
    h_0: Option<&mut [T]>,
    c_0: Option<&mut [T]>,
) -> Buffer<T> {
    let parts = threads();
    let panels = &pack::column_panels(geometry, weight_hh, geometry.hidden, parts);
    let mut da = Buffer::new(geometry.gates_len());
    let (mut dh, mut dc) = (Buffer::new(geometry.states_len()), Buffer::new(geometry.states_len()));
    for (from, to) in [(cotangents.h_n, &mut dh), (cotangents.c_n, &mut dc)] {
        match from {
            Some(from) => states::load(geometry, from, to.as_mut_slice()),
            None => to.as_mut_slice().fill(T::default()),
        }
    }
    let shared = [&mut da, &mut dh, &mut dc].map(|buffer| Shared::new(buffer.as_mut_slice()));
    let groups = geometry.groups(parts);
    split(groups.len(), groups.len(), &|range| {
        for group in &groups[range] {
            let [da, dh, dc] = shared;
            let (group, c_0, d_output) = (group.clone(), input.c_0, cotangents.output);
            let task =
                ThroughTime { geometry, panels, activations, c_0, d_output, da, dh, dc, group };
            dispatch(geometry.level, task);
        }
    });
    for (from, to) in [(&mut dh, h_0), (&mut dc, c_0)] {
        if let Some(to) = to {
            states::store(geometry, from.as_mut_slice(), to);
        }
    }
    da
}

/// All time steps of a group of sequences, backward.
struct ThroughTime<'a, T: Element> {
    geometry: &'a Geometry,
    panels: &'a Buffer<T>,
    activations: &'a Activations<T>,
    c_0: &'a [T],
    d_output: Option<&'a [T]>,
    da: Shared<T>,
    dh: Shared<T>,
    dc: Shared<T>,
    group: Range<usize>,
}

impl<T: Element> Task<T> for ThroughTime<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let geometry = self.geometry;
        for (k, step) in geometry.steps.iter().enumerate().rev() {
            let before = Before::new(&geometry.steps, k);
            let sequences = self.group.start..self.group.end.min(step.running);
            for block in 0..geometry.blocks {
                for sequence in sequences.clone() {
                    self.cell(s, block, sequence, step.start + sequence, before);
                }
            }
            let vectors = geometry.blocks;
            for first in (0..vectors).step_by(VECTORS) {
                match vectors - first {
                    1 => self.hidden::<S, 1>(s, first, step.start, sequences.clone()),
                    2 => self.hidden::<S, 2>(s, first, step.start, sequences.clone()),
                    3 => self.hidden::<S, 3>(s, first, step.start, sequences.clone()),
                    _ => self.hidden::<S, VECTORS>(s, first, step.start, sequences.clone()),
                }
            }
        }
    }
}

impl<T: Element> ThroughTime<'_, T> {
    /// One block of units of one row: `da`, and `dc` for the step before.
    #[inline(always)]
    fn cell<S: Simd<T>>(&self, s: S, block: usize, sequence: usize, row: usize, before: Before) {
        let geometry = self.geometry;
        let (units, one) = (geometry.units(block), s.splat(T::ONE));
        // SAFETY: row and sequence lie within the step, so all places lie within their buffers;
        // those of `da`, `dh` and `dc` are this task's alone.
        unsafe {
            let gates = self.activations.gates.as_ptr().add(geometry.gates_at(block, row));
            let i = s.load(gates);
            let f = s.load(gates.add(S::LANES));
            let g = s.load(gates.add(2 * S::LANES));
            let o = s.load(gates.add(3 * S::LANES));
            let cells = self.activations.cells.as_ptr();
            let tanh_c = tanh(s, s.load(cells.add(geometry.cells_at(block, row))));
            let c = if sequence < before.begun {
                s.load(cells.add(geometry.cells_at(block, before.start + sequence)))
            } else {
                let at = sequence * geometry.hidden + block * S::LANES;
                s.load_first(self.c_0.as_ptr().add(at), units)
            };
            let at = geometry.state_at(block, sequence);
            let (dh, dc) = (self.dh.get().add(at), self.dc.get().add(at));
            let mut d_hidden = s.load(dh);
            if let Some(d_output) = self.d_output {
                let d_output = d_output.as_ptr().add(row * geometry.hidden + block * S::LANES);
                d_hidden = s.add(d_hidden, s.load_first(d_output, units));
            }
            // d tanh = 1 - tanh^2, d sigmoid = y (1 - y).
            let slope = |y| s.sub(one, s.mul(y, y));
            let bell = |y| s.mul(y, s.sub(one, y));
            let d_cell = s.mul_add(s.mul(d_hidden, o), slope(tanh_c), s.load(dc));
            s.store(dc, s.mul(d_cell, f));
            let da = self.da.get().add(geometry.gates_at(block, row));
            let parts = [
                s.mul(s.mul(d_cell, g), bell(i)),
                s.mul(s.mul(d_cell, c), bell(f)),
                s.mul(s.mul(d_cell, i), slope(g)),
                s.mul(s.mul(d_hidden, tanh_c), bell(o)),
            ];
            for (gate, part) in parts.into_iter().enumerate() {
                // Lanes beyond H are zero: an infinity times a zero weight must not spread.
                let to = da.add(gate * S::LANES);
                s.store(to, part);
                for lane in units..S::LANES {
                    *to.add(lane) = T::default();
                }
            }
        }
    }

    /// `dh = W_hh^T da` for the step before: `V` blocks of units from `first` on.
    #[inline(always)]
    fn hidden<S: Simd<T>, const V: usize>(
        &self,
        s: S,
        first: usize,
        start: usize,
        sequences: Range<usize>,
    ) {
        let geometry = self.geometry;
        let four = 4 * S::LANES;
        let depth = geometry.blocks * four;
        for_tiles!(<S as Simd<T>>::ROWS, sequences.clone(), |R, sequence| {
            // SAFETY: the panel of these blocks is [block][4][LANES][V * LANES] and begins behind
            // those of the blocks before; `da` of the step's rows was written by this task, and
            // these running states are its own.
            unsafe {
                let panel = self.panels.as_ptr().add(depth * first * S::LANES);
                let mut sums = zero::<T, S, R, V>(s);
                for block in 0..geometry.blocks {
                    let da = self.da.get().cast_const();
                    let da = da.add(geometry.gates_at(block, start + sequence));
                    let panel = panel.add(block * four * V * S::LANES);
                    sums = accumulate::<T, S, R, V>(s, sums, four, da, four, 1, panel);
                }
                for r in 0..R {
                    for v in 0..V {
                        let to = self.dh.get().add(geometry.state_at(first + v, sequence + r));
                        s.store(to, sums[r][v]);
                    }
                }
            }
        });
    }
}

/// `dx = W_ih^T da`, `[N, I]`.
pub(crate) fn input_gradient<T: Element>(
    geometry: &Geometry,
    weight_ih: &[T],
    da: &Buffer<T>,
    dx: &mut [T],
) {
    let parts = threads();
    let panels = &pack::column_panels(geometry, weight_ih, geometry.input, parts);
    let dx = Shared::new(dx);
    split(geometry.rows.div_ceil(ROWS), parts, &|chunks| {
        for chunk in chunks {
            let rows = chunk * ROWS..geometry.rows.min((chunk + 1) * ROWS);
            dispatch(geometry.level, InputGradient { geometry, panels, da, dx, rows });
        }
    });
}

/// `dx` of some rows.
struct InputGradient<'a, T: Element> {
    geometry: &'a Geometry,
    panels: &'a Buffer<T>,
    da: &'a Buffer<T>,
    dx: Shared<T>,
    rows: Range<usize>,
}

impl<T: Element> Task<T> for InputGradient<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let vectors = self.geometry.input.div_ceil(S::LANES);
        for first in (0..vectors).step_by(VECTORS) {
            match vectors - first {
                1 => self.columns::<S, 1>(s, first),
                2 => self.columns::<S, 2>(s, first),
                3 => self.columns::<S, 3>(s, first),
                _ => self.columns::<S, VECTORS>(s, first),
            }
        }
    }
}

impl<T: Element> InputGradient<'_, T> {
    /// `V` vectors of input features from `first` on.
    #[inline(always)]
    fn columns<S: Simd<T>, const V: usize>(&self, s: S, first: usize) {
        let geometry = self.geometry;
        let four = 4 * S::LANES;
        let depth = geometry.blocks * four;
        for_tiles!(<S as Simd<T>>::ROWS, self.rows.clone(), |R, row| {
            // SAFETY: panels as in `ThroughTime::hidden`; these rows of dx are this task's alone,
            // and only the features that exist are stored.
            unsafe {
                let panel = self.panels.as_ptr().add(depth * first * S::LANES);
                let mut sums = zero::<T, S, R, V>(s);
                for block in 0..geometry.blocks {
                    let da = self.da.as_ptr().add(geometry.gates_at(block, row));
                    let panel = panel.add(block * four * V * S::LANES);
                    sums = accumulate::<T, S, R, V>(s, sums, four, da, four, 1, panel);
                }
                for r in 0..R {
                    for v in 0..V {
                        let feature = (first + v) * S::LANES;
                        let count = S::LANES.min(geometry.input - feature);
                        let to = self.dx.get().add((row + r) * geometry.input + feature);
                        s.store_first(to, sums[r][v], count);
                    }
                }
            }
        });
    }
}
