//! The products with `W_ih` that need no order of steps: `W_ih x + b` of a wide input, and `dx`.

use std::ops::Range;

use crate::buffer::{Buffer, Shared};
use crate::cell::{Arithmetic, Side};
use crate::crew::Crew;
use crate::fresh::Fresh;
use crate::layout::Geometry;
use crate::product::{Left, product};
use crate::simd::{Simd, Task, dispatch};
use crate::tile::{for_tiles, repeat};
use crate::{Element, pack};

/// Rows of a task, forward and backward.
const FORWARD_ROWS: usize = 384;
const BACKWARD_ROWS: usize = 96;

/// `W_ih x + b` of all rows, into the gates.
pub(crate) fn project_input<T: Element, A: Arithmetic<T, U>, const U: usize>(
    cell: A,
    geometry: &Geometry,
    x: &[T],
    bias: &Buffer<T>,
    weight_ih: (Side, &[T], usize),
    gates: Shared<T>,
    crew: &Crew,
) {
    let panels = &pack::gate_panels(geometry, &[weight_ih], crew);
    let chunks = geometry.rows.div_ceil(FORWARD_ROWS);
    crew.split(geometry.blocks * chunks, crew.parts(), &|tasks| {
        for task in tasks {
            let (block, from) = (task / chunks, task % chunks * FORWARD_ROWS);
            let rows = from..geometry.rows.min(from + FORWARD_ROWS);
            let project =
                Project::<T, A, U> { cell, geometry, x, panels, bias, gates, block, rows };
            dispatch(geometry.level, project);
        }
    });
}

/// `W_ih x + b` of one block of units for some rows.
struct Project<'a, T: Element, A, const U: usize> {
    cell: A,
    geometry: &'a Geometry,
    x: &'a [T],
    panels: &'a Buffer<T>,
    bias: &'a Buffer<T>,
    gates: Shared<T>,
    block: usize,
    rows: Range<usize>,
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> Task<T> for Project<'_, T, A, U> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        for_tiles!(<S as Simd<T>>::ROWS, self.rows.clone(), |R, row| self.tile::<S, R>(s, row));
    }
}

impl<T: Element, A: Arithmetic<T, U>, const U: usize> Project<'_, T, A, U> {
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(&self, s: S, row: usize) {
        let (geometry, i) = (self.geometry, self.geometry.input);
        // SAFETY: x is [N, I], the panel of a block has a vector for each of I columns and slots,
        // and the gates of these rows and this block are written by this task alone.
        unsafe {
            let panel = self.panels.as_ptr().add(self.block * geometry.panel_len(Side::Input, i));
            let x = self.x.as_ptr().add(row * i);
            let sums = repeat::<T, S, R>(s, self.bias.as_ptr().add(self.block * 4 * S::LANES));
            let sums = self.cell.product::<S, R>(s, Side::Input, sums, x, i, panel);
            let gates = self.gates.get().add(geometry.gates_at(self.block, row));
            for (r, sums) in sums.into_iter().enumerate() {
                for (slot, sum) in sums.into_iter().enumerate() {
                    s.store(gates.add((r * 4 + slot) * S::LANES), sum);
                }
            }
        }
    }
}

/// `dx = W_ih^T da`, `[N, I]`.
pub(crate) fn input_gradient<T: Element>(
    geometry: &Geometry,
    weight_ih: &[T],
    da: &Buffer<T>,
    crew: &Crew,
) -> Vec<T> {
    let panels = &pack::column_panels(geometry, Side::Input, weight_ih, geometry.input, crew);
    let mut fresh = Fresh::new(geometry.rows * geometry.input);
    let dx = fresh.shared();
    crew.split(geometry.rows.div_ceil(BACKWARD_ROWS), crew.parts(), &|chunks| {
        for chunk in chunks {
            let rows = chunk * BACKWARD_ROWS..geometry.rows.min((chunk + 1) * BACKWARD_ROWS);
            dispatch(geometry.level, InputGradient { geometry, panels, da, dx, rows });
        }
    });
    // SAFETY: the chunks hold all rows, and each writes all features of its own.
    unsafe { fresh.written() }
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
        let input = self.geometry.input;
        let vectors = input.div_ceil(S::LANES);
        let left = Left::of_da(self.geometry, self.da.as_ptr());
        let store = |row: usize, vector: usize, sum: S::V| {
            let feature = vector * S::LANES;
            // SAFETY: these rows of dx are this task's alone, and only features that exist are stored.
            unsafe {
                let to = self.dx.get().add(row * input + feature);
                s.store_first(to, sum, S::LANES.min(input - feature));
            }
        };
        // SAFETY: `da` has all rows; the panels have as much depth.
        unsafe { product(s, left, self.rows, self.panels.as_ptr(), 0..vectors, vectors, store) }
    }
}
