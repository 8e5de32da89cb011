//! Packs the weights into panels, in the order in which the inner loops read them.

use crate::cell::kind::Side;
use crate::element::Float;
use crate::gemm::transpose::{Matrix, transpose};
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::simd::dispatch::{SimdFloat, Task, dispatch};
use crate::simd::level::SimdLevel;
use crate::simd::vector::Simd;
use crate::threads::team::Team;

/// Elements to pack per thread: copying 128 KiB takes about 10 microseconds.
pub(crate) const ELEMENTS_PER_THREAD: usize = 1 << 15;

/// The number of columns that are packed for all slots before the next columns. A panel is then written from its
/// beginning to its end, and each row is read by whole cache lines.
const COLUMNS_AT_ONCE: usize = 64;

/// The most vectors of columns per panel; with [`Simd::ROWS`] rows they fill the registers.
pub(crate) const PANEL_VECTORS: usize = 4;

/// Packs the weight `[G H, columns]` of a side as `[block][column][slot of the side][lane]`, with zeros for the
/// lanes beyond H.
pub(crate) fn pack_gate_panels<T: SimdFloat>(
    layout: &KernelLayout,
    side: Side,
    weight: &[T],
    columns: usize,
    team: &Team,
) -> PooledBuffer<T> {
    let panel = layout.panel_len(side, columns);
    if panel == 0 {
        return PooledBuffer::new(0);
    }
    let mut packed = PooledBuffer::<T>::new(layout.blocks * panel);
    let out = SyncPtr::new(packed.as_mut_slice());
    let threads = layout.blocks * panel / ELEMENTS_PER_THREAD;
    team.parallel_for(layout.blocks, threads, &|blocks| {
        for block in blocks {
            // SAFETY: each block is packed by one call, into a panel of its own within `packed`.
            let panel =
                unsafe { std::slice::from_raw_parts_mut(out.get().add(block * panel), panel) };
            dispatch(layout.level, GatePanel { layout, side, weight, columns, block, panel });
        }
    });
    packed
}

/// The panel of one block.
struct GatePanel<'a, T> {
    layout: &'a KernelLayout,
    side: Side,
    /// `[G H, columns]`.
    weight: &'a [T],
    columns: usize,
    block: usize,
    /// `[column][slot of the side][lane]`.
    panel: &'a mut [T],
}

impl<T: Float> Task<T> for GatePanel<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { layout, side, weight, columns, block, panel } = self;
        let slots = layout.cell.slots(side);
        let to_stride = slots.len() * S::LANES;
        for first in (0..columns).step_by(COLUMNS_AT_ONCE) {
            let count = COLUMNS_AT_ONCE.min(columns - first);
            for (place, &slot) in slots.iter().enumerate() {
                let rows = layout.weight_rows(block, slot);
                let from = &weight[rows.start * columns..rows.end * columns];
                let start = from.as_ptr().wrapping_add(first);
                let from = Matrix { start, row_stride: columns, rows: rows.len(), columns: count };
                let to = panel.as_mut_ptr().wrapping_add(first * to_stride + place * S::LANES);
                // SAFETY: the columns were cut from the weight; the panel holds a vector for each of
                // its columns and slots.
                unsafe { transpose(s, from, to, to_stride, S::LANES) }
            }
        }
    }
}

/// Adds the biases `[G H]` of both sides slot by slot: `[block][slot][lane]`, with zeros for the lanes
/// beyond H.
pub(crate) fn pack_biases<T: Float>(
    layout: &KernelLayout,
    biases: [(Side, Option<&[T]>); 2],
) -> PooledBuffer<T> {
    let lanes = layout.lanes;
    let mut packed = PooledBuffer::<T>::new(layout.blocks * 4 * lanes);
    let out = packed.as_mut_slice();
    out.fill(T::default());
    for (side, bias) in biases {
        let Some(bias) = bias else { continue };
        for &slot in layout.cell.bias_slots(side) {
            for block in 0..layout.blocks {
                let rows = layout.weight_rows(block, slot);
                let out = &mut out[(block * 4 + slot) * lanes..];
                for (out, row) in out.iter_mut().zip(rows) {
                    *out += bias[row];
                }
            }
        }
    }
    packed
}

/// Packs a matrix `[depth, columns]` into panels of up to [`PANEL_VECTORS`] vectors of columns, each
/// `[k][vector][lane]`, with zeros beyond the last column.
///
/// `fill(k, first, row)` writes row `k` from column `first` on, `row.len()` elements.
pub(crate) fn pack_panels<T: Float>(
    lanes: usize,
    depth: usize,
    columns: usize,
    team: &Team,
    fill: impl Fn(usize, usize, &mut [T]) + Sync,
) -> PooledBuffer<T> {
    for_each_panel(lanes, depth, columns, team, |first, width, panel| {
        let filled = width.min(columns - first);
        for (k, row) in panel.chunks_exact_mut(width).enumerate() {
            let (row, padding) = row.split_at_mut(filled);
            fill(k, first, row);
            padding.fill(T::default());
        }
    })
}

/// Packs the transpose of a matrix `[columns, depth]` into panels, as [`pack_panels`].
pub(crate) fn pack_transposed_panels<T: SimdFloat>(
    level: SimdLevel,
    matrix: &[T],
    depth: usize,
    columns: usize,
    team: &Team,
) -> PooledBuffer<T> {
    for_each_panel(level.lanes(T::BYTES), depth, columns, team, |first, width, panel| {
        let rows = &matrix[first * depth..columns.min(first + width) * depth];
        dispatch(level, TransposedPanel { rows, depth, width, panel });
    })
}

/// Calls `fill(first, width, panel)` for each panel: its first column, its number of columns with padding, and its
/// `depth * width` elements.
fn for_each_panel<T: Float>(
    lanes: usize,
    depth: usize,
    columns: usize,
    team: &Team,
    fill: impl Fn(usize, usize, &mut [T]) + Sync,
) -> PooledBuffer<T> {
    let padded = columns.div_ceil(lanes) * lanes;
    let mut packed = PooledBuffer::<T>::new(depth * padded);
    let out = SyncPtr::new(packed.as_mut_slice());
    let wide = PANEL_VECTORS * lanes;
    team.parallel_for(padded.div_ceil(wide), depth * padded / ELEMENTS_PER_THREAD, &|panels| {
        for first in panels.map(|panel| panel * wide) {
            let width = wide.min(padded - first);
            // SAFETY: each panel is packed by one call. Panels begin at `depth * first` and hold
            // `depth` rows of `width`, so this one lies within `packed`.
            let panel = unsafe {
                std::slice::from_raw_parts_mut(out.get().add(depth * first), depth * width)
            };
            fill(first, width, panel);
        }
    });
    packed
}

/// One panel of a transposed matrix.
struct TransposedPanel<'a, T> {
    /// The rows that become the columns of the panel, each of `depth` elements.
    rows: &'a [T],
    depth: usize,
    /// The columns of the panel with its padding.
    width: usize,
    /// `[depth, width]`.
    panel: &'a mut [T],
}

impl<T: Float> Task<T> for TransposedPanel<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { rows, depth, width, panel } = self;
        for first in (0..depth).step_by(COLUMNS_AT_ONCE) {
            let columns = COLUMNS_AT_ONCE.min(depth - first);
            let start = rows.as_ptr().wrapping_add(first);
            let from = Matrix { start, row_stride: depth, rows: rows.len() / depth, columns };
            let to = panel.as_mut_ptr().wrapping_add(first * width);
            // SAFETY: the columns were cut from the rows; the panel has a row for each of them.
            unsafe { transpose(s, from, to, width, width) }
        }
    }
}

/// Packs `W_hr` `[P, H]` for the product `m W_hr^T`: depth H, padded to whole vectors.
pub(crate) fn pack_projection_panels<T: Float>(
    layout: &KernelLayout,
    weight_hr: &[T],
    team: &Team,
) -> PooledBuffer<T> {
    let (h, lanes) = (layout.hidden_size, layout.lanes);
    pack_panels(lanes, layout.vectors() * lanes, layout.output_size, team, |unit, first, row| {
        for (column, to) in (first..).zip(row) {
            *to = if unit < h { weight_hr[column * h + unit] } else { T::default() };
        }
    })
}

/// Packs a weight `[G H, columns]` as the right operand of products with `da`: its rows are in the order
/// `[block][slot][lane]`, with zeros for the slots that are not of this side and the lanes beyond H.
pub(crate) fn pack_column_panels<T: Float>(
    layout: &KernelLayout,
    side: Side,
    weight: &[T],
    columns: usize,
    team: &Team,
) -> PooledBuffer<T> {
    let lanes = layout.lanes;
    let slots = layout.cell.slots(side);
    pack_panels(lanes, layout.blocks * 4 * lanes, columns, team, |k, first, row| {
        let (block, slot, lane) = (k / lanes / 4, k / lanes % 4, k % lanes);
        let source = layout.weight_rows(block, slot).nth(lane);
        match source.filter(|_| slots.contains(&slot)) {
            Some(source) => row.copy_from_slice(&weight[source * columns + first..][..row.len()]),
            None => row.fill(T::default()),
        }
    })
}
