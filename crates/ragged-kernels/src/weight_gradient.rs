//! `dW_ih = sum da x^T`, `dW_hh = sum da h^T` and `db = sum da` over all rows.
//!
//! A tile of the gradient, a few columns by the four slots of a block, stays in registers while it
//! runs over a chunk of rows: the same inner loop as everywhere, with the rows as the depth. Each task
//! owns some columns of a block of units, so every element is summed by one thread in the order of the
//! rows. The columns of both weights go together: `da` is read once for all of them.

use std::ops::Range;

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::cell::Side;
use crate::crew::Crew;
use crate::fresh::Fresh;
use crate::layout::Geometry;
use crate::runs::{CHUNK, Chunks, Run, chunks_of, runs_before};
use crate::simd::{Simd, Task, dispatch};
use crate::tile::{Strided, accumulate, for_tiles, zero};
use crate::transpose::{Matrix, transpose};

/// Rows from the one that is multiplied to the one that is asked for.
const AHEAD: usize = 8;

/// Columns of a task at most.
const COLUMNS: usize = 96;

/// The gradients of a weight and its bias, where somebody asks for them.
type Sides<T> = [(Option<Vec<T>>, Option<Vec<T>>); 2];

/// The gradients of both sides, of the weights and of the biases that are wanted. The rows of
/// `hidden` `[N, P]` and `initial` `[B, P]` are the hidden states as the product saw them.
pub(crate) fn weight_gradient<T: Element>(
    geometry: &Geometry,
    x: &[T],
    hidden: &[T],
    initial: &[T],
    da: &Buffer<T>,
    [(ih, bias_ih), (hh, bias_hh)]: [(bool, bool); 2],
    crew: &Crew,
) -> Sides<T> {
    let (i, p, four) = (geometry.input, geometry.width, 4 * geometry.lanes);
    let with_biases = bias_ih || bias_hh;
    let all = Run { rows: 0..geometry.rows, from: x.as_ptr() };
    let before = runs_before(geometry, hidden, initial);
    let room = |wanted, numbers| Buffer::new(if wanted { geometry.blocks * numbers } else { 0 });
    let rows = geometry.cell.gates() * geometry.hidden;
    let (ih_columns, hh_columns) = (if ih { i } else { 0 }, if hh { p } else { 0 });
    let (mut weight_ih, mut weight_hh) =
        (Fresh::new(rows * ih_columns), Fresh::new(rows * hh_columns));
    let (mut ih_sums, mut hh_sums) = (room(ih, i * four), room(hh, p * four));
    let mut biases = room(with_biases, four);
    let outer = Outer {
        geometry,
        da,
        sides: [
            Factors {
                side: Side::Input,
                columns: ih_columns,
                distance: i,
                chunks: chunks_of(vec![all], i),
                sums: Shared::new(ih_sums.as_mut_slice()),
                weight: weight_ih.shared(),
            },
            Factors {
                side: Side::Hidden,
                columns: hh_columns,
                distance: p,
                chunks: chunks_of(before, p),
                sums: Shared::new(hh_sums.as_mut_slice()),
                weight: weight_hh.shared(),
            },
        ],
        biases: with_biases.then_some(Shared::new(biases.as_mut_slice())),
    };
    outer.all(crew);
    // SAFETY: every row belongs to a slot of a block (see `layout`), and the spans of each block have
    // written all of its columns.
    let (weight_ih, weight_hh) = unsafe { (weight_ih.written(), weight_hh.written()) };
    let bias = |side, wanted: bool| wanted.then(|| bias(geometry, side, biases.as_slice()));
    [
        (ih.then_some(weight_ih), bias(Side::Input, bias_ih)),
        (hh.then_some(weight_hh), bias(Side::Hidden, bias_hh)),
    ]
}

/// Sums `[block][slot][lane]` as a bias.
fn bias<T: Element>(geometry: &Geometry, side: Side, sums: &[T]) -> Vec<T> {
    let mut bias = vec![T::default(); geometry.cell.gates() * geometry.hidden];
    for block in 0..geometry.blocks {
        for &slot in geometry.cell.slots(side) {
            let sums = &sums[(block * 4 + slot) * geometry.lanes..];
            for (row, &sum) in geometry.weight_rows(block, slot).zip(sums) {
                bias[row] = sum;
            }
        }
    }
    bias
}

/// What stands on the right of one side's outer products.
struct Factors<T: Element> {
    side: Side,
    /// Columns whose gradients are wanted: all or none.
    columns: usize,
    /// From a row's factors to the next row's: the columns of the weight.
    distance: usize,
    chunks: Chunks<T>,
    /// `[block][column][slot][lane]`.
    sums: Shared<T>,
    /// `[G H, columns]`, the gradient.
    weight: Shared<T>,
}

/// The outer products of both sides. Their columns are counted one side after the other.
struct Outer<'a, T: Element> {
    geometry: &'a Geometry,
    da: &'a Buffer<T>,
    sides: [Factors<T>; 2],
    /// `[block][slot][lane]`: `da` summed over all rows.
    biases: Option<Shared<T>>,
}

impl<T: Element> Outer<'_, T> {
    fn all(&self, crew: &Crew) {
        let geometry = self.geometry;
        let columns = self.sides[0].columns + self.sides[1].columns;
        // A block's columns in equal spans, and so many that there is work for all.
        let few = (2 * crew.parts()).div_ceil(geometry.blocks);
        let spans = columns.div_ceil(COLUMNS).max(few.min(columns.div_ceil(geometry.tile))).max(1);
        crew.split(geometry.blocks * spans, crew.parts(), &|tasks| {
            for task in tasks {
                let (block, span) = (task / spans, task % spans);
                let border = |span: usize| {
                    (span * columns / spans).next_multiple_of(geometry.tile).min(columns)
                };
                let range = border(span)..border(span + 1);
                dispatch(geometry.level, Span { outer: self, block, range });
            }
        });
    }
}

/// Some columns of the gradient of one block of units, and the biases with the first of them.
struct Span<'a, T: Element> {
    outer: &'a Outer<'a, T>,
    block: usize,
    range: Range<usize>,
}

impl<T: Element> Task<T> for Span<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { outer, block, range } = self;
        let [ih, hh] = &outer.sides;
        let within = |begin: usize, end: usize| {
            range.start.clamp(begin, end) - begin..range.end.clamp(begin, end) - begin
        };
        let sides =
            [(ih, within(0, ih.columns)), (hh, within(ih.columns, ih.columns + hh.columns))];
        let none = vec![];
        // Without rows the sums are zero.
        let count = ih.chunks.0.len().max(1);
        for k in 0..count {
            for (side, columns) in &sides {
                let runs = side.chunks.0.get(k).unwrap_or(&none);
                for_tiles!(<S as Simd<T>>::ROWS, columns.clone(), |R, column| {
                    outer.tile::<S, R>(s, side, runs, block, column, k == 0)
                });
            }
            if let Some(biases) = outer.biases.filter(|_| range.start == 0) {
                outer.total(s, ih.chunks.0.get(k).unwrap_or(&none), biases, block, k == 0);
            }
        }
        for (side, columns) in sides {
            outer.scatter(s, side, block, columns);
        }
    }
}

impl<T: Element> Outer<'_, T> {
    /// `R` columns over one chunk of rows; the first one begins the sums.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(
        &self,
        s: S,
        side: &Factors<T>,
        runs: &[Run<T>],
        block: usize,
        column: usize,
        first: bool,
    ) {
        let four = 4 * S::LANES;
        // SAFETY: `da` of a block is [N][4][LANES], the factors of a run [rows, columns]; the sums of
        // these columns and this block are this task's alone.
        unsafe {
            let to = side.sums.get().add((block * side.distance + column) * four);
            let mut sums = zero::<T, S, R, 4>(s);
            if !first {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (slot, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(to.add((r * 4 + slot) * S::LANES));
                    }
                }
            }
            for run in runs {
                let da = self.da.as_ptr().add(self.geometry.gates_at(block, run.rows.start));
                let at = run.from.add(column);
                // Rows of the factors lie far apart, where no cache expects the next one, and of the
                // chunk behind this one each tile asks for another quarter.
                let next = da.wrapping_add(CHUNK * four + column / R % 4 * S::LANES);
                let ask = |&k: &usize| {
                    let row = at.wrapping_add((k + AHEAD) * side.distance);
                    s.prefetch(row);
                    s.prefetch(row.wrapping_add(R - 1));
                    s.prefetch(next.wrapping_add(k * four));
                };
                let a = Strided { at, row: 1, column: side.distance };
                let ks = (0..run.rows.len()).inspect(ask);
                sums = accumulate::<T, S, R, 4>(s, sums, ks, a, da);
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (slot, sum) in sums.into_iter().enumerate() {
                    s.store(to.add((r * 4 + slot) * S::LANES), sum);
                }
            }
        }
    }

    /// The sums of some columns, to their places in the rows of the weight.
    #[inline(always)]
    fn scatter<S: Simd<T>>(&self, s: S, side: &Factors<T>, block: usize, columns: Range<usize>) {
        let (geometry, four) = (self.geometry, 4 * S::LANES);
        for &slot in geometry.cell.slots(side.side) {
            let rows = geometry.weight_rows(block, slot);
            let at = (block * side.distance + columns.start) * four + slot * S::LANES;
            let sums = Matrix {
                at: side.sums.get().cast_const().wrapping_add(at),
                distance: four,
                rows: columns.len(),
                columns: rows.len(),
            };
            let to = side.weight.get().wrapping_add(rows.start * side.distance + columns.start);
            // SAFETY: each of these columns has four vectors of sums, and no more than one of them is
            // read; the rows are of the weight, and these columns of them this task's alone.
            unsafe { transpose(s, sums, to, side.distance, columns.len()) }
        }
    }

    /// `da` itself, summed over one chunk of rows; the first one begins the sums.
    #[inline(always)]
    fn total<S: Simd<T>>(
        &self,
        s: S,
        runs: &[Run<T>],
        biases: Shared<T>,
        block: usize,
        first: bool,
    ) {
        // SAFETY: `da` of a block is [N][4][LANES], and the biases' sums have four vectors a block,
        // which are this task's alone.
        unsafe {
            let to = biases.get().add(block * 4 * S::LANES);
            let mut sums = [s.splat(T::default()); 4];
            if !first {
                for (slot, sum) in sums.iter_mut().enumerate() {
                    *sum = s.load(to.add(slot * S::LANES));
                }
            }
            for row in runs.iter().flat_map(|run| run.rows.clone()) {
                let da = self.da.as_ptr().add(self.geometry.gates_at(block, row));
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
