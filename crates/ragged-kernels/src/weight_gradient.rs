//! `dW_ih = sum da x^T`, `dW_hh = sum da h^T` and `db = sum da` over all rows.
//!
//! A tile of the gradient, a few columns by the four slots of a block, stays in registers while it
//! runs over a chunk of rows: the same inner loop as everywhere, with the rows as the depth. Each task
//! owns some columns of a block of units, so every element is summed by one thread in the order of the
//! rows.

use std::ops::Range;

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::cell::Side;
use crate::crew::Crew;
use crate::layout::{Before, Geometry};
use crate::simd::{Simd, Task, dispatch};
use crate::tile::{accumulate, for_tiles, zero};

/// Rows that a tile of the gradient runs over at a time: 64 rows of four vectors are 16 KiB.
const CHUNK: usize = 64;

/// Columns of a task at most.
const COLUMNS: usize = 96;

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
    let (i, p, four) = (geometry.input, geometry.width, 4 * geometry.lanes);
    let all = Run { rows: 0..geometry.rows, from: x.as_ptr() };
    let ((ih, bias_ih), (hh, bias_hh)) = (ih, hh);
    let with_biases = bias_ih.is_some() || bias_hh.is_some();
    let mut biases = Buffer::new(geometry.blocks * four);
    let to_biases = Shared::new(biases.as_mut_slice());
    let sides = [
        (Side::Input, ih, i, chunks_of(vec![all], i), with_biases.then_some(to_biases)),
        (Side::Hidden, hh, p, chunks_of(runs_before(geometry, hidden, initial), p), None),
    ];
    for (side, weight, distance, chunks, biases) in sides {
        let columns = if weight.is_some() { distance } else { 0 };
        if columns == 0 && biases.is_none() {
            continue;
        }
        let mut sums = Buffer::new(geometry.blocks * columns * four);
        let to = Shared::new(sums.as_mut_slice());
        // Few blocks are cut finer, so that there is work for all.
        let share = (geometry.blocks * columns).div_ceil(2 * crew.parts());
        let span = COLUMNS.min(share.next_multiple_of(geometry.tile)).max(1);
        let spans = columns.div_ceil(span).max(1);
        crew.split(geometry.blocks * spans, crew.parts(), &|tasks| {
            for task in tasks {
                let (block, from) = (task / spans, task % spans * span);
                let (chunks, range) = (&chunks, from..columns.min(from + span));
                let biases = biases.filter(|_| from == 0);
                let outer = Outer { geometry, chunks, da, to, biases, block, distance, range };
                dispatch(geometry.level, outer);
            }
        });
        if let Some(weight) = weight {
            scatter(geometry, side, sums.as_slice(), columns, weight, crew);
        }
    }
    for (side, bias) in [(Side::Input, bias_ih), (Side::Hidden, bias_hh)] {
        let Some(bias) = bias else { continue };
        let sums = biases.as_slice();
        for (block, slot, lane, row) in weight_rows(geometry, side, 0..geometry.blocks) {
            bias[row] = sums[(block * 4 + slot) * geometry.lanes + lane];
        }
    }
}

/// Rows whose factors lie one behind the other.
struct Run<T> {
    rows: Range<usize>,
    /// The factors of the first row.
    from: *const T,
}

/// Runs within chunks of rows.
struct Chunks<T>(Vec<Vec<Run<T>>>);

// SAFETY: the pointers are into slices that outlive the tasks and are only read.
unsafe impl<T: Sync> Sync for Chunks<T> {}

/// Where the hidden states before each row's step lie, in the order of the rows.
fn runs_before<T>(geometry: &Geometry, hidden: &[T], initial: &[T]) -> Vec<Run<T>> {
    let p = geometry.width;
    let mut runs: Vec<Run<T>> = vec![];
    let mut add = |rows: Range<usize>, from: &[T]| {
        let from = from.as_ptr();
        match runs.last_mut() {
            _ if rows.is_empty() => {}
            Some(last)
                if last.rows.end == rows.start
                    && last.from.wrapping_add(last.rows.len() * p) == from =>
            {
                last.rows.end = rows.end;
            }
            _ => runs.push(Run { rows, from }),
        }
    };
    let mut order: Vec<usize> = (0..geometry.steps.len()).collect();
    order.sort_by_key(|&k| geometry.steps[k].start);
    for k in order {
        let (step, before) = (geometry.steps[k], Before::new(&geometry.steps, k));
        let begun = before.begun.min(step.running);
        add(step.start..step.start + begun, &hidden[before.start * p..]);
        add(step.start + begun..step.start + step.running, &initial[begun * p..]);
    }
    runs
}

/// Runs cut on the borders of chunks; `width` is the distance between rows.
fn chunks_of<T>(runs: Vec<Run<T>>, width: usize) -> Chunks<T> {
    let mut chunks: Vec<Vec<Run<T>>> = vec![];
    for Run { rows, from } in runs {
        let mut at = rows.start;
        while at < rows.end {
            let end = rows.end.min((at / CHUNK + 1) * CHUNK);
            if chunks.len() <= at / CHUNK {
                chunks.push(vec![]);
            }
            let from = from.wrapping_add((at - rows.start) * width);
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(Run { rows: at..end, from });
            }
            at = end;
        }
    }
    Chunks(chunks)
}

/// Sums `[block][column][slot][lane]` into the rows of a weight.
fn scatter<T: Element>(
    geometry: &Geometry,
    side: Side,
    sums: &[T],
    columns: usize,
    weight: &mut [T],
    crew: &Crew,
) {
    let (lanes, four) = (geometry.lanes, 4 * geometry.lanes);
    let to = Shared::new(weight);
    crew.split(geometry.blocks, geometry.blocks * columns * four / GRAIN, &|blocks| {
        for (block, slot, lane, row) in weight_rows(geometry, side, blocks) {
            // SAFETY: `row` is one of the weight's rows, and this block's alone.
            let to =
                unsafe { std::slice::from_raw_parts_mut(to.get().add(row * columns), columns) };
            let sums = &sums[block * columns * four + slot * lanes + lane..];
            to.iter_mut().zip(sums.iter().step_by(four)).for_each(|(to, &sum)| *to = sum);
        }
    });
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

/// Some columns of the gradient of one block of units.
struct Outer<'a, T: Element> {
    geometry: &'a Geometry,
    chunks: &'a Chunks<T>,
    da: &'a Buffer<T>,
    /// `[block][column][slot][lane]`.
    to: Shared<T>,
    /// `[block][slot][lane]`: `da` summed over all rows, where this task is to do that, too.
    biases: Option<Shared<T>>,
    block: usize,
    /// From a row's factors to the next row's: the columns of the weight.
    distance: usize,
    range: Range<usize>,
}

impl<T: Element> Task<T> for Outer<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let none = vec![];
        // Without rows the sums are zero.
        let empty = self.chunks.0.is_empty().then_some(&none);
        for (k, runs) in self.chunks.0.iter().chain(empty).enumerate() {
            for_tiles!(<S as Simd<T>>::ROWS, self.range.clone(), |R, column| {
                self.tile::<S, R>(s, runs, column, k == 0)
            });
            if let Some(biases) = self.biases {
                self.total(s, runs, biases, k == 0);
            }
        }
    }
}

impl<T: Element> Outer<'_, T> {
    /// `R` columns over one chunk of rows; the first one begins the sums.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(&self, s: S, runs: &[Run<T>], column: usize, first: bool) {
        let four = 4 * S::LANES;
        // SAFETY: `da` of a block is [N][4][LANES], the factors of a run [rows, columns]; the sums of
        // these columns and this block are this task's alone.
        unsafe {
            let to = self.to.get().add((self.block * self.distance + column) * four);
            let mut sums = zero::<T, S, R, 4>(s);
            if !first {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (slot, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(to.add((r * 4 + slot) * S::LANES));
                    }
                }
            }
            for run in runs {
                let da = self.da.as_ptr().add(self.geometry.gates_at(self.block, run.rows.start));
                let (a, count) = (run.from.add(column), run.rows.len());
                sums = accumulate::<T, S, R, 4>(s, sums, count, a, 1, self.distance, da);
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (slot, sum) in sums.into_iter().enumerate() {
                    s.store(to.add((r * 4 + slot) * S::LANES), sum);
                }
            }
        }
    }

    /// `da` itself, summed over one chunk of rows; the first one begins the sums.
    #[inline(always)]
    fn total<S: Simd<T>>(&self, s: S, runs: &[Run<T>], biases: Shared<T>, first: bool) {
        // SAFETY: `da` of a block is [N][4][LANES], and the biases' sums have four vectors a block,
        // which are this task's alone.
        unsafe {
            let to = biases.get().add(self.block * 4 * S::LANES);
            let mut sums = [s.splat(T::default()); 4];
            if !first {
                for (slot, sum) in sums.iter_mut().enumerate() {
                    *sum = s.load(to.add(slot * S::LANES));
                }
            }
            for row in runs.iter().flat_map(|run| run.rows.clone()) {
                let da = self.da.as_ptr().add(self.geometry.gates_at(self.block, row));
                for (slot, sum) in sums.iter_mut().enumerate() {
                    *sum = s.add(*sum, s.load(da.add(slot * S::LANES)));
                }
            }
            for (slot, sum) in sums.into_iter().enumerate() {
                s.store(to.add(slot * S::LANES), sum);
            }
        }
    }
}
