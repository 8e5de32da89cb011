//! The products that do not depend on the order of the steps: `W_ih x + b` of a wide input, the gradient
//! `dx = W_ih^T da`, and `W_hh h` where all hidden states are known.

use std::ops::Range;

use crate::cell::gru::Gru;
use crate::cell::kind::Side;
use crate::cell::lstm::Lstm;
use crate::cell::step::CellStep;
use crate::element::Float;
use crate::gemm::forward_weights::ForwardWeights;
use crate::gemm::microkernel::{for_tiles, repeat_rows, zero_tile};
use crate::gemm::product::{Lhs, Sums, product};
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::row_spans::{CHUNK_ROWS, ChunkedSpans, RowSpan, split_at_chunks};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// Rows per task of the forward product: enough that the weights of a block, which each task reads again from
/// the second-level cache, cost little next to the multiplications.
const FORWARD_ROWS: usize = 384;

/// Rows per task of the backward product, for which 4 H gradients per row are read: few, so that they stay in
/// the second-level cache while the panels of weights pass by.
const BACKWARD_ROWS: usize = 96;

/// Computes `W_ih x + b` of all rows into `gates` `[block][row][slot][lane]`.
///
/// `x` is `[N, I]`.
pub(crate) fn project_input<T: SimdFloat>(
    layout: &KernelLayout,
    x: &[T],
    weights: &ForwardWeights<T>,
    gates: SyncPtr<T>,
    team: &Team,
) {
    let (panels, bias) = (&weights.input, &weights.bias);
    let chunks = layout.rows.div_ceil(FORWARD_ROWS);
    team.parallel_for(layout.blocks * chunks, team.num_threads(), &|tasks| {
        for task in tasks {
            let (block, from) = (task / chunks, task % chunks * FORWARD_ROWS);
            let rows = from..layout.rows.min(from + FORWARD_ROWS);
            // The cells differ in the number of slots only, and two instances compile faster than one per cell.
            if layout.cell.slots(Side::Input).len() == 3 {
                let task =
                    InputProjection { cell: Gru, layout, x, panels, bias, gates, block, rows };
                dispatch(layout.level, task);
            } else {
                let task =
                    InputProjection { cell: Lstm, layout, x, panels, bias, gates, block, rows };
                dispatch(layout.level, task);
            }
        }
    });
}

/// `W_ih x + b` of one block of units for some rows.
struct InputProjection<'a, T: Float, A> {
    /// One with the slots of the layer's cell.
    cell: A,
    layout: &'a KernelLayout,
    /// `[N, I]`.
    x: &'a [T],
    /// `[block][column][slot of the side][lane]`.
    panels: &'a PooledBuffer<T>,
    /// `[block][slot][lane]`.
    bias: &'a PooledBuffer<T>,
    /// `[block][row][slot][lane]`.
    gates: SyncPtr<T>,
    block: usize,
    rows: Range<usize>,
}

impl<T: Float, A: CellStep<T, 1>> Task<T> for InputProjection<'_, T, A> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        for_tiles!(<S as Simd<T>>::ROWS, self.rows.clone(), |R, row| self.tile::<S, R>(s, row));
    }
}

impl<T: Float, A: CellStep<T, 1>> InputProjection<'_, T, A> {
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(&self, s: S, row: usize) {
        let (layout, i) = (self.layout, self.layout.input_size);
        // SAFETY: x is [N, I], the panel of a block has a vector for each of I columns and slots,
        // and the gates of these rows and this block are written by this task only.
        unsafe {
            let panel = self.panels.as_ptr().add(self.block * layout.panel_len(Side::Input, i));
            let x = self.x.as_ptr().add(row * i);
            let bias = self.bias.as_ptr().add(self.block * 4 * S::LANES);
            let sums = repeat_rows::<T, S, R>(s, bias);
            let sums = self.cell.product::<S, R>(s, Side::Input, sums, x, i, panel);
            let gates = self.gates.get().add(layout.gates_at(self.block, row));
            for (r, sums) in sums.into_iter().enumerate() {
                for (slot, sum) in sums.into_iter().enumerate() {
                    s.store(gates.add((r * 4 + slot) * S::LANES), sum);
                }
            }
        }
    }
}

/// Adds the products with the hidden states before each row, which lie in these spans, to the sums of all rows in
/// `gates` `[block][row][slot][lane]`.
pub(crate) fn add_hidden_product<T: SimdFloat>(
    layout: &KernelLayout,
    spans: Vec<RowSpan<T>>,
    weights: &ForwardWeights<T>,
    gates: SyncPtr<T>,
    team: &Team,
) {
    let (panels, chunks) = (&weights.hidden, split_at_chunks(spans, layout.output_size));
    let at_once = FORWARD_ROWS / CHUNK_ROWS;
    let parts = chunks.0.len().div_ceil(at_once);
    team.parallel_for(layout.blocks * parts, team.num_threads(), &|tasks| {
        for task in tasks {
            let (block, from) = (task / parts, task % parts * at_once);
            // All of the wrapper, which is what threads may share.
            let ChunkedSpans(chunks) = &chunks;
            let chunks = &chunks[from..chunks.len().min(from + at_once)];
            if layout.cell.slots(Side::Hidden).len() == 3 {
                let task = HiddenProduct { cell: Gru, layout, chunks, panels, gates, block };
                dispatch(layout.level, task);
            } else {
                let task = HiddenProduct { cell: Lstm, layout, chunks, panels, gates, block };
                dispatch(layout.level, task);
            }
        }
    });
}

/// `W_hh h` of one block of units for some rows.
struct HiddenProduct<'a, T: Float, A> {
    /// One with the slots of the layer's cell.
    cell: A,
    layout: &'a KernelLayout,
    chunks: &'a [Vec<RowSpan<T>>],
    /// `[block][column][slot of the side][lane]`.
    panels: &'a PooledBuffer<T>,
    /// `[block][row][slot][lane]`.
    gates: SyncPtr<T>,
    block: usize,
}

impl<T: Float, A: CellStep<T, 1>> Task<T> for HiddenProduct<'_, T, A> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        for span in self.chunks.iter().flatten() {
            for_tiles!(<S as Simd<T>>::ROWS, 0..span.rows.len(), |R, at| {
                self.tile::<S, R>(s, span, at)
            });
        }
    }
}

impl<T: Float, A: CellStep<T, 1>> HiddenProduct<'_, T, A> {
    /// Computes `R` rows of a span, from its row `at` on.
    #[inline(always)]
    fn tile<S: Simd<T>, const R: usize>(&self, s: S, span: &RowSpan<T>, at: usize) {
        let (layout, p) = (self.layout, self.layout.output_size);
        // SAFETY: the operand of a span is [rows, P], the panel of a block has a vector for each of P columns and
        // slots, and only this task accesses the gates of these rows and this block.
        unsafe {
            let panel = self.panels.as_ptr().add(self.block * layout.panel_len(Side::Hidden, p));
            let gates = self.gates.get().add(layout.gates_at(self.block, span.rows.start + at));
            let mut sums = zero_tile::<T, S, R, 4>(s);
            for (r, sums) in sums.iter_mut().enumerate() {
                for (slot, sum) in sums.iter_mut().enumerate() {
                    *sum = s.load(gates.add((r * 4 + slot) * S::LANES));
                }
            }
            let hidden = span.start.add(at * p);
            let sums = self.cell.product::<S, R>(s, Side::Hidden, sums, hidden, p, panel);
            for (r, sums) in sums.into_iter().enumerate() {
                for (slot, sum) in sums.into_iter().enumerate() {
                    s.store(gates.add((r * 4 + slot) * S::LANES), sum);
                }
            }
        }
    }
}

/// Stores `dx = W_ih^T da`, `[N, I]`, from `W_ih` in panels whose depth is the slots of all blocks, and `da`
/// `[block][row][slot][lane]`.
pub(crate) fn input_gradient<T: SimdFloat>(
    layout: &KernelLayout,
    panels: &PooledBuffer<T>,
    da: &PooledBuffer<T>,
    dx: SyncPtr<T>,
    team: &Team,
) {
    team.parallel_for(layout.rows.div_ceil(BACKWARD_ROWS), team.num_threads(), &|chunks| {
        for chunk in chunks {
            let rows = chunk * BACKWARD_ROWS..layout.rows.min((chunk + 1) * BACKWARD_ROWS);
            dispatch(layout.level, InputGradient { layout, panels, da, dx, rows });
        }
    });
}

/// `dx` of some rows.
struct InputGradient<'a, T: Float> {
    layout: &'a KernelLayout,
    /// `W_ih` in panels whose depth is the slots of all blocks.
    panels: &'a PooledBuffer<T>,
    /// `[block][row][slot][lane]`.
    da: &'a PooledBuffer<T>,
    /// `[N, I]`.
    dx: SyncPtr<T>,
    rows: Range<usize>,
}

impl<T: Float> Task<T> for InputGradient<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let vectors = self.layout.input_size.div_ceil(S::LANES);
        let lhs = Lhs::of_da(self.layout, self.da.as_ptr());
        let (rows, panels) = (self.rows.clone(), self.panels.as_ptr());
        // SAFETY: `da` has all rows; the panels have its depth.
        unsafe { product(s, lhs, rows, panels, 0..vectors, vectors, &self) }
    }
}

impl<T: Float, S: Simd<T>> Sums<T, S> for InputGradient<'_, T> {
    #[inline(always)]
    unsafe fn store(&self, s: S, row: usize, vector: usize, sum: S::V) {
        let (i, feature) = (self.layout.input_size, vector * S::LANES);
        // SAFETY: only this task writes these rows of dx, and only features that exist are stored.
        unsafe {
            let to = self.dx.get().add(row * i + feature);
            s.store_first(to, sum, S::LANES.min(i - feature));
        }
    }
}
