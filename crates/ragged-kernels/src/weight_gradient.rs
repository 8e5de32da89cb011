//! `dW_ih = sum da x^T`, `dW_hh = sum da h^T` and `db = sum da` over all rows.
//!
//! The columns x and h are packed in panels as wide as a tile is high, and a tile of the gradient
//! stays in registers while it runs over a chunk of rows: the same inner loop as everywhere, with
//! the rows as the depth. Each task owns a block of units, so every element is summed by one thread
//! in the order of the rows.

use std::ops::Range;

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::layout::{Before, Geometry};
use crate::lstm::LstmInput;
use crate::simd::{Simd, Task, dispatch};
use crate::threads::{split, threads};
use crate::tile::{Tile, accumulate, zero};

/// Rows that a tile of the gradient runs over at a time: 64 rows of four vectors are 16 KiB.
const CHUNK: usize = 64;

/// Panels of a task.
const PANELS: usize = 16;

/// Writes all three gradients; `output` `[N, H]` holds the hidden states.
pub(crate) fn weight_gradient<T: Element>(
    geometry: &Geometry,
    input: &LstmInput<T>,
    output: &[T],
    da: &Buffer<T>,
    weight_ih: &mut [T],
    weight_hh: &mut [T],
    bias: &mut [T],
) {
    let parts = threads();
    let tile = geometry.tile;
    let columns = geometry.input + geometry.hidden;
    let panels = columns.div_ceil(tile);
    let packed = &pack_columns(geometry, input, output, panels, parts);
    let four = 4 * geometry.lanes;
    let mut sums = Buffer::new(geometry.blocks * panels * tile * four);
    let mut biases = Buffer::new(geometry.blocks * four);
    let (to, to_bias) = (Shared::new(sums.as_mut_slice()), Shared::new(biases.as_mut_slice()));
    let chunks = panels.div_ceil(PANELS);
    split(geometry.blocks * chunks, parts, &|tasks| {
        for task in tasks {
            let (block, from) = (task / chunks, task % chunks * PANELS);
            let range = from..panels.min(from + PANELS);
            let (sums, bias) = (to, to_bias);
            let task = Outer { geometry, packed, da, sums, bias, block, panels, range };
            dispatch(geometry.level, task);
        }
    });

    let (ih, hh) = (Shared::new(weight_ih), Shared::new(weight_hh));
    let from = Shared::new(sums.as_mut_slice());
    split(geometry.blocks, parts, &|blocks| {
        for block in blocks {
            // SAFETY: the sums of a block, written above and only read from here on.
            let sums = unsafe {
                let len = panels * tile * four;
                std::slice::from_raw_parts(from.get().cast_const().add(block * len), len)
            };
            for gate in 0..4 {
                for lane in 0..geometry.units(block) {
                    let row = gate * geometry.hidden + block * geometry.lanes + lane;
                    // SAFETY: `row` is one of the 4H rows of both weights, and this block's alone.
                    let (ih, hh) = unsafe {
                        let (i, h) = (geometry.input, geometry.hidden);
                        let ih = std::slice::from_raw_parts_mut(ih.get().add(row * i), i);
                        (ih, std::slice::from_raw_parts_mut(hh.get().add(row * h), h))
                    };
                    let sums = sums[gate * geometry.lanes + lane..].iter().step_by(four);
                    ih.iter_mut().chain(hh).zip(sums).for_each(|(to, &sum)| *to = sum);
                }
            }
        }
    });
    let biases = biases.as_mut_slice();
    for gate in 0..4 {
        for unit in 0..geometry.hidden {
            let (block, lane) = (unit / geometry.lanes, unit % geometry.lanes);
            bias[gate * geometry.hidden + unit] =
                biases[(block * 4 + gate) * geometry.lanes + lane];
        }
    }
}

/// The columns `[x, h]` of all rows as `[panel][row][column]`, h the state before the row's step;
/// zeros for the columns that fill up the last panel.
fn pack_columns<T: Element>(
    geometry: &Geometry,
    input: &LstmInput<T>,
    output: &[T],
    panels: usize,
    parts: usize,
) -> Buffer<T> {
    let (n, i, h, tile) = (geometry.rows, geometry.input, geometry.hidden, geometry.tile);
    let mut packed = Buffer::<T>::new(panels * n * tile);
    let to = Shared::new(packed.as_mut_slice());
    split(geometry.steps.len(), parts, &|steps| {
        for k in steps {
            let (step, before) = (geometry.steps[k], Before::new(&geometry.steps, k));
            for b in 0..step.running {
                let row = step.start + b;
                let (from, at) =
                    if b < before.begun { (output, before.start + b) } else { (input.h_0, b) };
                let (x, hidden) = (&input.x[row * i..][..i], &from[at * h..][..h]);
                for panel in 0..panels {
                    // SAFETY: each row of each panel is written once, by the step it belongs to.
                    let to = unsafe {
                        let to = to.get().add((panel * n + row) * tile);
                        std::slice::from_raw_parts_mut(to, tile)
                    };
                    for (column, to) in (panel * tile..).zip(to) {
                        *to = match column.checked_sub(i) {
                            None => x[column],
                            Some(column) if column < h => hidden[column],
                            Some(_) => T::default(),
                        };
                    }
                }
            }
        }
    });
    packed
}

/// Some panels of the gradient of one block of units.
struct Outer<'a, T: Element> {
    geometry: &'a Geometry,
    packed: &'a Buffer<T>,
    da: &'a Buffer<T>,
    /// `[block][panel][column][gate][lane]`.
    sums: Shared<T>,
    /// `[block][gate][lane]`, by the task with the first panel.
    bias: Shared<T>,
    block: usize,
    panels: usize,
    range: Range<usize>,
}

impl<T: Element> Task<T> for Outer<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        match <S as Simd<T>>::ROWS {
            2 => self.all::<S, 2>(s),
            3 => self.all::<S, 3>(s),
            _ => self.all::<S, 6>(s),
        }
    }
}

impl<T: Element> Outer<'_, T> {
    #[inline(always)]
    fn all<S: Simd<T>, const R: usize>(&self, s: S) {
        let n = self.geometry.rows;
        let four = 4 * S::LANES;
        let mut bias = zero::<T, S, 1, 4>(s);
        for from in (0..n.max(1)).step_by(CHUNK) {
            let count = CHUNK.min(n - from);
            // SAFETY: `da` of a block is [N][4][LANES], a packed panel [N][R]; the sums of these
            // panels and the bias of the block are this task's alone.
            unsafe {
                let da = self.da.as_ptr().add(self.geometry.gates_at(self.block, from));
                for panel in self.range.clone() {
                    let a = self.packed.as_ptr().add((panel * n + from) * R);
                    let to = self.sums.get().add((self.block * self.panels + panel) * R * four);
                    let mut sums: Tile<T, S, R, 4> = zero::<T, S, R, 4>(s);
                    if from > 0 {
                        for r in 0..R {
                            for gate in 0..4 {
                                sums[r][gate] = s.load(to.add((r * 4 + gate) * S::LANES));
                            }
                        }
                    }
                    let sums = accumulate::<T, S, R, 4>(s, sums, count, a, 1, R, da);
                    for r in 0..R {
                        for gate in 0..4 {
                            s.store(to.add((r * 4 + gate) * S::LANES), sums[r][gate]);
                        }
                    }
                }
                if self.range.start == 0 {
                    for row in 0..count {
                        for (gate, sum) in bias[0].iter_mut().enumerate() {
                            let da = da.add(row * four + gate * S::LANES);
                            *sum = s.add(*sum, s.load(da));
                        }
                    }
                }
            }
        }
        if self.range.start == 0 {
            for (gate, &sum) in bias[0].iter().enumerate() {
                // SAFETY: as above.
                unsafe { s.store(self.bias.get().add(self.block * four + gate * S::LANES), sum) };
            }
        }
    }
}
