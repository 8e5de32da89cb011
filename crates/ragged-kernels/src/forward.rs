//! The forward pass: gates in tiles, the cell right behind them.
//!
//! `[i f g o] = W_ih x + b + W_hh h`, `c' = f c + i g`, `h' = o tanh(c')`. A narrow input is taken
//! into the tile of the recurrent product; for a wide one, `W_ih x + b` is computed for all rows
//! beforehand, where each weight that is loaded serves many rows.

use std::ops::Range;

use crate::buffer::{Buffer, Shared};
use crate::layout::{Before, Geometry};
use crate::lstm::{LstmInput, LstmOutput, LstmWeights};
use crate::math::{sigmoid, tanh};
use crate::simd::{Simd, Task, dispatch};
use crate::states;
use crate::threads::{split, threads};
use crate::tile::{Tile, accumulate, for_tiles};
use crate::{Element, pack};

/// The widest input that is taken into the recurrent product.
const NARROW: usize = 32;

/// Rows of a task of the input's product.
const ROWS: usize = 384;

/// Gates and cells, which the backward pass needs.
#[derive(Debug, Clone)]
pub(crate) struct Activations<T: Element> {
    /// After the non-linearity, `[block][row][gate][lane]`.
    pub(crate) gates: Buffer<T>,
    /// `[block][row][lane]`.
    pub(crate) cells: Buffer<T>,
}

/// Runs the forward pass; all slices fit the geometry. Unless `record` is set, the activations that
/// come back are of no use.
pub(crate) fn forward<T: Element>(
    geometry: &Geometry,
    weights: &LstmWeights<T>,
    input: &LstmInput<T>,
    output: LstmOutput<T>,
    record: bool,
) -> Activations<T> {
    let parts = threads();
    let LstmOutput { output, h_n, c_n } = output;
    let narrow = geometry.input <= NARROW;
    let bias = pack::biases(geometry, [weights.bias_ih, weights.bias_hh]);
    let ih = (weights.weight_ih, geometry.input);
    let hh = (weights.weight_hh, geometry.hidden);
    let mut gates = Buffer::new(if record || !narrow { geometry.gates_len() } else { 0 });
    let mut cells = Buffer::new(if record { geometry.cells_len() } else { 0 });
    let mut running = Buffer::new(geometry.states_len());
    states::load(geometry, input.c_0, running.as_mut_slice());
    let shared_gates = Shared::new(gates.as_mut_slice());

    if !narrow {
        let panels = &pack::gate_panels(geometry, &[ih], parts);
        let chunks = geometry.rows.div_ceil(ROWS);
        split(geometry.blocks * chunks, parts, &|tasks| {
            for task in tasks {
                let (block, from) = (task / chunks, task % chunks * ROWS);
                let rows = from..geometry.rows.min(from + ROWS);
                let (x, gates, bias) = (input.x, shared_gates, &bias);
                dispatch(geometry.level, Project { geometry, x, panels, bias, gates, block, rows });
            }
        });
    }

    let columns = if narrow { &[ih, hh][..] } else { &[hh] };
    let panels = &pack::gate_panels(geometry, columns, parts);
    let cells_shared = Shared::new(cells.as_mut_slice());
    let (running_shared, output_shared) =
        (Shared::new(running.as_mut_slice()), Shared::new(output));
    let groups = geometry.groups(parts);
    split(groups.len(), groups.len(), &|range| {
        for group in &groups[range] {
            let recurrence = Recurrence {
                geometry,
                x: narrow.then_some(input.x),
                h_0: input.h_0,
                panels,
                bias: &bias,
                gates: shared_gates,
                cells: cells_shared,
                running: running_shared,
                output: output_shared,
                record,
                group: group.clone(),
            };
            dispatch(geometry.level, recurrence);
        }
    });
    states::last_rows(geometry, output, input.h_0, h_n);
    states::store(geometry, running.as_mut_slice(), c_n);
    Activations { gates, cells }
}

/// `W_ih x + b` of one block of units for some rows, into the gates.
struct Project<'a, T: Element> {
    geometry: &'a Geometry,
    x: &'a [T],
    panels: &'a Buffer<T>,
    bias: &'a Buffer<T>,
    gates: Shared<T>,
    block: usize,
    rows: Range<usize>,
}

impl<T: Element> Task<T> for Project<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { geometry, block, .. } = self;
        let (i, four) = (geometry.input, 4 * S::LANES);
        for_tiles!(<S as Simd<T>>::ROWS, self.rows.clone(), |R, row| {
            // SAFETY: x is [N, I], the panel of a block [I][4][LANES], and the gates of these rows
            // and this block are written by this task alone.
            unsafe {
                let bias = self.bias.as_ptr().add(block * four);
                let panel = self.panels.as_ptr().add(block * i * four);
                let x = self.x.as_ptr().add(row * i);
                let sums = broadcast::<T, S, R>(s, bias);
                let sums = accumulate::<T, S, R, 4>(s, sums, i, x, i, 1, panel);
                let gates = self.gates.get().add(geometry.gates_at(block, row));
                for r in 0..R {
                    for gate in 0..4 {
                        s.store(gates.add((r * 4 + gate) * S::LANES), sums[r][gate]);
                    }
                }
            }
        });
    }
}

/// The same four vectors for all rows of a tile.
///
/// # Safety
/// `bias` points to four vectors.
#[inline(always)]
unsafe fn broadcast<T: Element, S: Simd<T>, const R: usize>(
    s: S,
    bias: *const T,
) -> Tile<T, S, R, 4> {
    let mut sums = crate::tile::zero::<T, S, R, 4>(s);
    for sums in &mut sums {
        for (gate, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller vouches for four vectors.
            *sum = unsafe { s.load(bias.add(gate * S::LANES)) };
        }
    }
    sums
}

/// All time steps of a group of sequences.
struct Recurrence<'a, T: Element> {
    geometry: &'a Geometry,
    /// `[N, I]` where the input is narrow; else the gates hold its part already.
    x: Option<&'a [T]>,
    h_0: &'a [T],
    panels: &'a Buffer<T>,
    bias: &'a Buffer<T>,
    gates: Shared<T>,
    cells: Shared<T>,
    running: Shared<T>,
    output: Shared<T>,
    record: bool,
    group: Range<usize>,
}

impl<T: Element> Task<T> for Recurrence<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { geometry, .. } = self;
        let h = geometry.hidden;
        for (k, step) in geometry.steps.iter().enumerate() {
            let before = Before::new(&geometry.steps, k);
            let end = self.group.end.min(step.running);
            let begun = end.min(before.begun);
            // SAFETY: rows of the step before are written (this group's sequences are this task's
            // alone) and h_0 is [B, H]; the ranges below index within the one or the other.
            let output = unsafe { self.output.get().cast_const().add(before.start * h) };
            for block in 0..geometry.blocks {
                self.block(s, step.start, block, self.group.start..begun, output);
                let beginning = self.group.start.max(begun)..end;
                self.block(s, step.start, block, beginning, self.h_0.as_ptr());
            }
        }
    }
}

impl<T: Element> Recurrence<'_, T> {
    /// One block of units of one step for some sequences, whose hidden states lie at `hidden`,
    /// `[sequence, H]`.
    #[inline(always)]
    fn block<S: Simd<T>>(
        &self,
        s: S,
        start: usize,
        block: usize,
        sequences: Range<usize>,
        hidden: *const T,
    ) {
        let geometry = self.geometry;
        let (h, four) = (geometry.hidden, 4 * S::LANES);
        let inputs = self.x.map_or(0, |_| geometry.input);
        let units = geometry.units(block);
        for_tiles!(<S as Simd<T>>::ROWS, sequences.clone(), |R, sequence| {
            let row = start + sequence;
            // SAFETY: rows `row..row + R` lie within the step, hence within [N, ..]; the panel of a
            // block is [I + H][4][LANES], or [H][4][LANES] without an input; and the gates, cells,
            // running states and outputs of these rows are this task's alone.
            unsafe {
                let panel = self.panels.as_ptr().add(block * (inputs + h) * four);
                let gates = self.gates.get().add(match self.record || self.x.is_none() {
                    true => geometry.gates_at(block, row),
                    false => 0,
                });
                let sums = match self.x {
                    Some(x) => {
                        let sums = broadcast::<T, S, R>(s, self.bias.as_ptr().add(block * four));
                        let x = x.as_ptr().add(row * inputs);
                        accumulate::<T, S, R, 4>(s, sums, inputs, x, inputs, 1, panel)
                    }
                    None => {
                        let mut sums = crate::tile::zero::<T, S, R, 4>(s);
                        for r in 0..R {
                            for gate in 0..4 {
                                sums[r][gate] = s.load(gates.add((r * 4 + gate) * S::LANES));
                            }
                        }
                        sums
                    }
                };
                let hidden = hidden.add(sequence * h);
                let panel = panel.add(inputs * four);
                let sums = accumulate::<T, S, R, 4>(s, sums, h, hidden, h, 1, panel);
                for r in 0..R {
                    let [i, f, g, o] = sums[r];
                    let (i, f, g, o) = (sigmoid(s, i), sigmoid(s, f), tanh(s, g), sigmoid(s, o));
                    let c = self.running.get().add(geometry.state_at(block, sequence + r));
                    let cell = s.mul_add(f, s.load(c), s.mul(i, g));
                    s.store(c, cell);
                    let output = self.output.get().add((row + r) * h + block * S::LANES);
                    s.store_first(output, s.mul(o, tanh(s, cell)), units);
                    if self.record {
                        let gates = gates.add(r * four);
                        s.store(gates, i);
                        s.store(gates.add(S::LANES), f);
                        s.store(gates.add(2 * S::LANES), g);
                        s.store(gates.add(3 * S::LANES), o);
                        let cells = self.cells.get().add(geometry.cells_at(block, row + r));
                        s.store(cells, cell);
                    }
                }
            }
        });
    }
}
