//! The gradients of the weights and biases: `dW_ih = sum da x^T`, `dW_hh = sum da h^T` and
//! `db = sum da` over all rows.
//!
//! A tile of the gradient, a few columns by the four slots of a block, stays in registers while it sums
//! a chunk of rows: the micro-kernel of every product, with the rows as depth. Each task computes some
//! columns of one block of units, so every element is summed by one thread, from the last step to the first
//! ([`backward_order`]). The columns of both weights are processed together, so that `da` is read once for all of them.

use std::ops::Range;

use crate::cell::kind::Side;
use crate::element::Float;
use crate::gemm::microkernel::{Strided, for_tiles, microkernel, zero_tile};
use crate::gemm::transpose::{Matrix, transpose};
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::row_order::{backward_order, rows_ahead};
use crate::layout::row_spans::{
    CHUNK_ROWS, ChunkedSpans, RowSpan, previous_hidden_spans, split_at_chunks,
};
use crate::layout::segment::Position;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::shape::Direction;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// Rows between the one that is multiplied and the one that is prefetched. Eight rows of 24
/// multiply-adds take about 100 cycles, longer than a read from the third-level cache.
const PREFETCH_DISTANCE: usize = 8;

/// The most columns per task: 96 by 64 elements of the gradient are 24 KiB, which stay in a first-level cache
/// of 32 KiB while the chunks of rows are summed into them.
const MAX_COLUMNS: usize = 96;

/// For each side, where the gradients of the weight and the bias are stored if they are wanted.
type SideTargets<T> = [(Option<SyncPtr<T>>, Option<SyncPtr<T>>); 2];

/// The sums over the rows so far; a part that is not wanted is empty.
pub(crate) struct WeightSums<T: Float> {
    /// Of each side, `[block][column][slot][lane]`.
    sides: [PooledBuffer<T>; 2],
    /// Of `da` of the first side, `[block][slot][lane]`.
    bias: PooledBuffer<T>,
}

impl<T: Float> WeightSums<T> {
    /// Room for the sums of these gradients.
    pub(crate) fn new(layout: &KernelLayout, to: &SideTargets<T>) -> Self {
        let four = 4 * layout.lanes;
        let room = |wanted, len| PooledBuffer::new(if wanted { layout.blocks * len } else { 0 });
        let side = |side: usize, columns: usize| room(to[side].0.is_some(), columns * four);
        Self {
            sides: [side(0, layout.input_size), side(1, layout.output_size)],
            bias: room(to.iter().any(|(_, bias)| bias.is_some()), four),
        }
    }
}

/// Adds the rows of a segment to the sums and, after the last segment, stores the gradients of the weights `[G H, I]`
/// and `[G H, P]` and of the biases `[G H]`, where they are wanted.
///
/// `x` is `[N, I]`, `hidden` `[N, P]` and `initial_hidden` `[B, P]` are the hidden states as the product
/// read them, after the mask; `da` is `[block][row][slot][lane]`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn weight_gradient<T: SimdFloat>(
    layout: &KernelLayout,
    x: &[T],
    hidden: &[T],
    initial_hidden: &[T],
    da: [&PooledBuffer<T>; 2],
    to: SideTargets<T>,
    (sums, position): (&mut WeightSums<T>, Position),
    team: &Team,
) {
    let hidden_spans = previous_hidden_spans(layout, hidden, initial_hidden);
    sum(layout, x, Side::Hidden, hidden_spans, da, to, (sums, position), team);
}

/// Adds the rows of a segment to the sums and, after the last segment, stores the gradient of `W_hn` of a GRU with the
/// reset before the product, the last rows of the gradient of `weight_hh`.
///
/// `x` is `[N, I]`; `reset` `[N, P]` are the hidden states times the reset gate; `da` is `[block][row][slot][lane]`.
pub(crate) fn reset_gradient<T: SimdFloat>(
    layout: &KernelLayout,
    x: &[T],
    reset: &[T],
    da: &PooledBuffer<T>,
    to: SideTargets<T>,
    (sums, position): (&mut WeightSums<T>, Position),
    team: &Team,
) {
    let span = RowSpan { rows: 0..layout.rows, start: reset.as_ptr() };
    sum(layout, x, Side::Reset, vec![span], [da; 2], to, (sums, position), team);
}

/// Adds the rows to the sums of `weight_ih` and of the slots of a second side, whose operands lie in these spans.
#[allow(clippy::too_many_arguments)]
fn sum<T: SimdFloat>(
    layout: &KernelLayout,
    x: &[T],
    side: Side,
    hidden_spans: Vec<RowSpan<T>>,
    da: [&PooledBuffer<T>; 2],
    [(weight_ih, bias_ih), (weight_hh, bias_hh)]: SideTargets<T>,
    (sums, position): (&mut WeightSums<T>, Position),
    team: &Team,
) {
    let (i, p) = (layout.input_size, layout.output_size);
    let (ih, hh) = (weight_ih.is_some(), weight_hh.is_some());
    let with_biases = bias_ih.is_some() || bias_hh.is_some();
    let x_span = RowSpan { rows: 0..layout.rows, start: x.as_ptr() };
    let unwanted = SyncPtr::new(&mut []);
    let WeightSums { sides: [ih_sums, hh_sums], bias: bias_sums } = sums;
    let gradient = WeightGradient {
        layout,
        position,
        sides: [
            SideOperand {
                side: Side::Input,
                da: da[0],
                columns: if ih { i } else { 0 },
                row_stride: i,
                chunks: split_at_chunks(vec![x_span], i),
                sums: SyncPtr::new(ih_sums.as_mut_slice()),
                weight: weight_ih.unwrap_or(unwanted),
            },
            SideOperand {
                side,
                da: da[1],
                columns: if hh { p } else { 0 },
                row_stride: p,
                chunks: split_at_chunks(hidden_spans, p),
                sums: SyncPtr::new(hh_sums.as_mut_slice()),
                weight: weight_hh.unwrap_or(unwanted),
            },
        ],
        bias_sums: with_biases.then_some(SyncPtr::new(bias_sums.as_mut_slice())),
    };
    gradient.run(team);
    if !position.last {
        return;
    }
    for (side, to) in [(Side::Input, bias_ih), (Side::Hidden, bias_hh)] {
        if let Some(to) = to {
            unpack_bias(layout, side, bias_sums.as_slice(), to);
        }
    }
}

/// Converts sums `[block][slot][lane]` to a bias `[G H]`, and writes every element of `to`.
fn unpack_bias<T: Float>(layout: &KernelLayout, side: Side, sums: &[T], to: SyncPtr<T>) {
    for block in 0..layout.blocks {
        for &slot in layout.cell.bias_slots(side) {
            let sums = &sums[(block * 4 + slot) * layout.lanes..];
            for (row, &sum) in layout.weight_rows(block, slot).zip(sums) {
                // SAFETY: a row of the weights, of which the bias has one element each.
                unsafe { to.get().add(row).write(sum) };
            }
        }
    }
}

/// The right operand of one side's outer products, `x` or the hidden states, and their sum.
struct SideOperand<'a, T: Float> {
    side: Side,
    /// `[block][row][slot][lane]`.
    da: &'a PooledBuffer<T>,
    /// The columns whose gradients are wanted: all or none.
    columns: usize,
    /// The stride of the operand and of `weight`: the columns of the weight.
    row_stride: usize,
    chunks: ChunkedSpans<T>,
    /// `[block][column][slot][lane]`.
    sums: SyncPtr<T>,
    /// The gradient, `[G H, columns]`.
    weight: SyncPtr<T>,
}

/// The sums of the outer products of both sides. The columns of the second side are numbered after those
/// of the first.
struct WeightGradient<'a, T: Float> {
    layout: &'a KernelLayout,
    position: Position,
    sides: [SideOperand<'a, T>; 2],
    /// `da` of the first side summed over all rows, `[block][slot][lane]`.
    bias_sums: Option<SyncPtr<T>>,
}

impl<T: SimdFloat> WeightGradient<'_, T> {
    fn run(&self, team: &Team) {
        let layout = self.layout;
        let columns = self.sides[0].columns + self.sides[1].columns;
        // The columns of a block in equal parts, and enough parts for all threads.
        let min_parts = (2 * team.num_threads()).div_ceil(layout.blocks);
        let parts = columns
            .div_ceil(MAX_COLUMNS)
            .max(min_parts.min(columns.div_ceil(layout.tile_rows)))
            .max(1);
        team.parallel_for(layout.blocks * parts, team.num_threads(), &|tasks| {
            for task in tasks {
                let (block, part) = (task / parts, task % parts);
                let border = |part: usize| {
                    (part * columns / parts).next_multiple_of(layout.tile_rows).min(columns)
                };
                let columns = border(part)..border(part + 1);
                dispatch(layout.level, ColumnTask { gradient: self, block, columns });
            }
        });
    }
}

/// Some columns of the gradient of one block of units; the task of the first column also sums the
/// biases.
struct ColumnTask<'a, T: Float> {
    gradient: &'a WeightGradient<'a, T>,
    block: usize,
    columns: Range<usize>,
}

impl<T: Float> Task<T> for ColumnTask<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { gradient, block, columns } = self;
        let [ih, hh] = &gradient.sides;
        let within = |begin: usize, end: usize| {
            columns.start.clamp(begin, end) - begin..columns.end.clamp(begin, end) - begin
        };
        let sides =
            [(ih, within(0, ih.columns)), (hh, within(ih.columns, ih.columns + hh.columns))];
        let none = vec![];
        // Without rows, one empty chunk sets the sums to zero.
        let chunks = ih.chunks.0.len().max(1);
        let mut first = gradient.position.first;
        for k in backward_order(gradient.layout.direction, 0..chunks) {
            for (side, columns) in &sides {
                let spans = side.chunks.0.get(k).unwrap_or(&none);
                for_tiles!(<S as Simd<T>>::ROWS, columns.clone(), |R, column| {
                    gradient.tile::<S, R>(s, side, spans, block, column, first)
                });
            }
            if let Some(bias_sums) = gradient.bias_sums.filter(|_| columns.start == 0) {
                let spans = ih.chunks.0.get(k).unwrap_or(&none);
                gradient.sum_bias(s, spans, bias_sums, block, first);
            }
            first = false;
        }
        if gradient.position.last {
            for (side, columns) in sides {
                gradient.scatter(s, side, block, columns);
            }
        }
    }
}

impl<T: Float> WeightGradient<'_, T> {
    /// Adds one chunk of rows to the sums of `R` columns; the first chunk of all starts from zero.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(
        &self,
        s: S,
        side: &SideOperand<'_, T>,
        spans: &[RowSpan<T>],
        block: usize,
        column: usize,
        first: bool,
    ) {
        let (four, direction) = (4 * S::LANES, self.layout.direction);
        // SAFETY: `da` of a block is [N][4][LANES], the operand of a span [rows, columns]; only this
        // task accesses the sums of these columns and this block.
        unsafe {
            let to = side.sums.get().add((block * side.row_stride + column) * four);
            let mut sums = zero_tile::<T, S, R, 4>(s);
            if !first {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (slot, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(to.add((r * 4 + slot) * S::LANES));
                    }
                }
            }
            for span in backward_order(direction, 0..spans.len()) {
                let span = &spans[span];
                let da = side.da.as_ptr().add(self.layout.gates_at(block, span.rows.start));
                let start = span.start.add(column);
                // The stride of the operand's rows is too large for the hardware prefetcher. Of the
                // next chunk of `da`, each tile prefetches another quarter.
                let next = rows_ahead(direction, CHUNK_ROWS).wrapping_mul(four);
                let next = da.wrapping_add(next).wrapping_add(column / R % 4 * S::LANES);
                let ahead = rows_ahead(direction, PREFETCH_DISTANCE);
                let prefetch = |&k: &usize| {
                    let row = k.wrapping_add(ahead).wrapping_mul(side.row_stride);
                    let row = start.wrapping_add(row);
                    s.prefetch(row);
                    s.prefetch(row.wrapping_add(R - 1));
                    s.prefetch(next.wrapping_add(k * four));
                };
                let a = Strided { start, row_stride: 1, column_stride: side.row_stride };
                let ks = 0..span.rows.len();
                // A loop for each direction, in which the step is a constant.
                sums = match direction {
                    Direction::Forward => {
                        microkernel::<T, S, R, 4>(s, sums, ks.rev().inspect(prefetch), a, da)
                    }
                    Direction::Reverse => {
                        microkernel::<T, S, R, 4>(s, sums, ks.inspect(prefetch), a, da)
                    }
                };
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (slot, sum) in sums.into_iter().enumerate() {
                    s.store(to.add((r * 4 + slot) * S::LANES), sum);
                }
            }
        }
    }

    /// Copies the sums of some columns to their places in the rows of the weight.
    #[inline(always)]
    fn scatter<S: Simd<T>>(
        &self,
        s: S,
        side: &SideOperand<'_, T>,
        block: usize,
        columns: Range<usize>,
    ) {
        let (layout, four) = (self.layout, 4 * S::LANES);
        for &slot in layout.cell.slots(side.side) {
            let rows = layout.weight_rows(block, slot);
            let at = (block * side.row_stride + columns.start) * four + slot * S::LANES;
            let sums = Matrix {
                start: side.sums.get().cast_const().wrapping_add(at),
                row_stride: four,
                rows: columns.len(),
                columns: rows.len(),
            };
            let to = side.weight.get().wrapping_add(rows.start * side.row_stride + columns.start);
            // SAFETY: each of these columns has four vectors of sums, and at most one of them is
            // read; the rows are of the weight, and only this task writes these columns of them.
            unsafe { transpose(s, sums, to, side.row_stride, columns.len()) }
        }
    }

    /// Adds one chunk of rows to the sums of `da`; the first chunk of all starts from zero.
    #[inline(always)]
    fn sum_bias<S: Simd<T>>(
        &self,
        s: S,
        spans: &[RowSpan<T>],
        bias_sums: SyncPtr<T>,
        block: usize,
        first: bool,
    ) {
        // SAFETY: `da` of a block is [N][4][LANES], and `bias_sums` has four vectors per block, which
        // only this task accesses.
        unsafe {
            let to = bias_sums.get().add(block * 4 * S::LANES);
            let mut sums = [s.splat(T::default()); 4];
            if !first {
                for (slot, sum) in sums.iter_mut().enumerate() {
                    *sum = s.load(to.add(slot * S::LANES));
                }
            }
            let direction = self.layout.direction;
            for span in backward_order(direction, 0..spans.len()) {
                for row in backward_order(direction, spans[span].rows.clone()) {
                    let da = self.sides[0].da.as_ptr().add(self.layout.gates_at(block, row));
                    for (slot, sum) in sums.iter_mut().enumerate() {
                        *sum = s.add(*sum, s.load(da.add(slot * S::LANES)));
                    }
                }
            }
            for (slot, sum) in sums.into_iter().enumerate() {
                s.store(to.add(slot * S::LANES), sum);
            }
        }
    }
}
