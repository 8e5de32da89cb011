//! `dW_ih = sum da x^T`, `dW_hh = sum da h^T` and `db = sum da` over all rows.
//!
//! The columns x and h are packed in panels as wide as a tile is high, and a tile of the gradient
//! stays in registers while it runs over a chunk of rows: the same inner loop as everywhere, with
//! the rows as the depth. Each task owns some panels of a block of units, so every element is summed
//! by one thread in the order of the rows.

use std::ops::Range;

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::cell::Side;
use crate::crew::Crew;
use crate::layout::{Before, Geometry};
use crate::simd::{Simd, Task, dispatch};
use crate::tile::{Tile, accumulate, zero};

/// Rows that a tile of the gradient runs over at a time: 64 rows of four vectors are 16 KiB.
const CHUNK: usize = 64;

/// Panels of a task at most.
const PANELS: usize = 16;

/// Numbers to copy that are worth a thread of their own.
const GRAIN: usize = 1 << 15;

/// A weight's and a bias's gradient, where somebody asks for them.
type Wanted<'a, T> = (Option<&'a mut [T]>, Option<&'a mut [T]>);

/// Writes the gradients of both sides. The rows of `hidden` `[N, P]` and `initial` `[B, P]` are the
/// hidden states as the product saw them.
pub(crate) fn weight_gradient<T: Element>(
    geometry: &Geometry,
    x: &[T],
    hidden: &[T],
    initial: &[T],
    da: &Buffer<T>,
    [ih, hh]: [Wanted<T>; 2],
    crew: &Crew,
) {
    if [&ih, &hh].iter().all(|(weight, bias)| weight.is_none() && bias.is_none()) {
        return;
    }
    let tile = geometry.tile;
    let panels = (geometry.input + geometry.width).div_ceil(tile);
    let packed = &pack_columns(geometry, x, hidden, initial, panels, crew);
    let four = 4 * geometry.lanes;
    let mut sums = Buffer::new(geometry.blocks * panels * tile * four);
    let mut biases = Buffer::new(geometry.blocks * four);
    let (to, to_bias) = (Shared::new(sums.as_mut_slice()), Shared::new(biases.as_mut_slice()));
    // Few blocks are cut finer, so that there is work for all.
    let span = PANELS.min((geometry.blocks * panels).div_ceil(crew.parts())).max(1);
    let chunks = panels.div_ceil(span);
    crew.split(geometry.blocks * chunks, crew.parts(), &|tasks| {
        for task in tasks {
            let (block, from) = (task / chunks, task % chunks * span);
            let range = from..panels.min(from + span);
            let (sums, bias) = (to, to_bias);
            let task = Outer { geometry, packed, da, sums, bias, block, panels, range };
            dispatch(geometry.level, task);
        }
    });
    let sums = sums.as_slice();
    let sides =
        [(Side::Input, ih, 0, geometry.input), (Side::Hidden, hh, geometry.input, geometry.width)];
    for (side, (weight, bias), first, columns) in sides {
        if let Some(weight) = weight {
            let to = Shared::new(weight);
            let copied = geometry.blocks * four * columns;
            crew.split(geometry.blocks, copied / GRAIN, &|blocks| {
                for (block, slot, lane, row) in weight_rows(geometry, side, blocks) {
                    // SAFETY: `row` is one of the weight's rows, and this block's alone.
                    let to = unsafe {
                        std::slice::from_raw_parts_mut(to.get().add(row * columns), columns)
                    };
                    let sums = &sums[(block * panels * tile + first) * four..];
                    let sums = sums[slot * geometry.lanes + lane..].iter().step_by(four);
                    to.iter_mut().zip(sums).for_each(|(to, &sum)| *to = sum);
                }
            });
        }
        if let Some(bias) = bias {
            let biases = biases.as_slice();
            for (block, slot, lane, row) in weight_rows(geometry, side, 0..geometry.blocks) {
                bias[row] = biases[(block * 4 + slot) * geometry.lanes + lane];
            }
        }
    }
}

/// `(block, slot, lane, row)` of every row of a side's weights in some blocks.
fn weight_rows(
    geometry: &Geometry,
    side: Side,
    blocks: Range<usize>,
) -> impl Iterator<Item = (usize, usize, usize, usize)> + '_ {
    let slots = geometry.cell.slots(side);
    let places = blocks.flat_map(move |block| slots.iter().map(move |&slot| (block, slot)));
    places.flat_map(move |(block, slot)| {
        let row = move |lane| Some((block, slot, lane, geometry.weight_row(block, slot, lane)?));
        (0..geometry.lanes).filter_map(row)
    })
}

/// The columns `[x, h]` of all rows as `[panel][row][column]`, h the state before the row's step;
/// zeros for the columns that fill up the last panel.
fn pack_columns<T: Element>(
    geometry: &Geometry,
    x: &[T],
    hidden: &[T],
    initial: &[T],
    panels: usize,
    crew: &Crew,
) -> Buffer<T> {
    let (n, i, p, tile) = (geometry.rows, geometry.input, geometry.width, geometry.tile);
    let mut packed = Buffer::<T>::new(panels * n * tile);
    let to = Shared::new(packed.as_mut_slice());
    crew.split(geometry.steps.len(), panels * n * tile / GRAIN, &|steps| {
        for k in steps {
            let (step, before) = (geometry.steps[k], Before::new(&geometry.steps, k));
            for b in 0..step.running {
                let row = step.start + b;
                let (from, at) =
                    if b < before.begun { (hidden, before.start + b) } else { (initial, b) };
                let sources = [(0, &x[row * i..][..i]), (i, &from[at * p..][..p])];
                // SAFETY: each row of each panel is written once, by the step it belongs to; columns
                // below `panels * tile` lie within `packed`.
                let place = |column: usize| unsafe {
                    to.get().add((column / tile * n + row) * tile + column % tile)
                };
                for (first, source) in sources {
                    for (column, &value) in (first..).zip(source) {
                        // SAFETY: as above.
                        unsafe { *place(column) = value };
                    }
                }
                for column in i + p..panels * tile {
                    // SAFETY: as above.
                    unsafe { *place(column) = T::default() };
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
    /// `[block][panel][column][slot][lane]`.
    sums: Shared<T>,
    /// `[block][slot][lane]`, by the task with the first panel.
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
                        for (r, sums) in sums.iter_mut().enumerate() {
                            for (slot, sum) in sums.iter_mut().enumerate() {
                                *sum = s.load(to.add((r * 4 + slot) * S::LANES));
                            }
                        }
                    }
                    let sums = accumulate::<T, S, R, 4>(s, sums, count, a, 1, R, da);
                    for (r, sums) in sums.into_iter().enumerate() {
                        for (slot, sum) in sums.into_iter().enumerate() {
                            s.store(to.add((r * 4 + slot) * S::LANES), sum);
                        }
                    }
                }
                if self.range.start == 0 {
                    for row in 0..count {
                        for (slot, sum) in bias[0].iter_mut().enumerate() {
                            let da = da.add(row * four + slot * S::LANES);
                            *sum = s.add(*sum, s.load(da));
                        }
                    }
                }
            }
        }
        if self.range.start == 0 {
            for (slot, &sum) in bias[0].iter().enumerate() {
                // SAFETY: as above.
                unsafe { s.store(self.bias.get().add(self.block * four + slot * S::LANES), sum) };
            }
        }
    }
}
