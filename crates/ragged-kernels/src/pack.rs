//! Weights in the order in which the inner loops read them.

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::cell::Side;
use crate::crew::Crew;
use crate::layout::Geometry;
use crate::simd::{Simd, Task, dispatch};
use crate::transpose::{Matrix, transpose};

/// Numbers that are worth a thread of their own.
const GRAIN: usize = 1 << 15;

/// Weights `[G H, columns]`, side by side along the columns, as `[block][k][slot][lane]` with the
/// slots of each side and zeros for the lanes beyond H.
pub(crate) fn gate_panels<T: Element>(
    geometry: &Geometry,
    weights: &[(Side, &[T], usize)],
    crew: &Crew,
) -> Buffer<T> {
    let panel: usize = weights.iter().map(|&(side, _, n)| geometry.panel_len(side, n)).sum();
    let mut packed = Buffer::<T>::new(geometry.blocks * panel);
    let out = Shared::new(packed.as_mut_slice());
    let parts = geometry.blocks * panel / GRAIN;
    crew.split(geometry.blocks, parts, &|blocks| {
        for block in blocks {
            // SAFETY: each block is packed by one call, into a panel of its own within `packed`.
            let panel =
                unsafe { std::slice::from_raw_parts_mut(out.get().add(block * panel), panel) };
            dispatch(geometry.level, GatePanel { geometry, weights, block, panel });
        }
    });
    packed
}

/// The panel of one block.
struct GatePanel<'a, T> {
    geometry: &'a Geometry,
    weights: &'a [(Side, &'a [T], usize)],
    block: usize,
    panel: &'a mut [T],
}

impl<T: Element> Task<T> for GatePanel<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, s: S) {
        let Self { geometry, weights, block, mut panel } = self;
        for &(side, weight, columns) in weights {
            let slots = geometry.cell.slots(side);
            let (part, rest) = panel.split_at_mut(geometry.panel_len(side, columns));
            panel = rest;
            for (place, &slot) in slots.iter().enumerate() {
                let rows = geometry.weight_rows(block, slot);
                let from = &weight[rows.start * columns..rows.end * columns];
                let from =
                    Matrix { at: from.as_ptr(), distance: columns, rows: rows.len(), columns };
                let to = part.as_mut_ptr().wrapping_add(place * S::LANES);
                // SAFETY: the matrix was cut from the weight; the part holds a vector for each of its
                // columns and slots.
                unsafe { transpose(s, from, to, slots.len() * S::LANES, S::LANES) }
            }
        }
    }
}

/// The biases of both sides, added up slot by slot: `[block][slot][lane]`.
pub(crate) fn biases<T: Element>(
    geometry: &Geometry,
    biases: [(Side, Option<&[T]>); 2],
) -> Buffer<T> {
    let lanes = geometry.lanes;
    let mut packed = Buffer::<T>::new(geometry.blocks * 4 * lanes);
    let out = packed.as_mut_slice();
    out.fill(T::default());
    for (side, bias) in biases {
        let Some(bias) = bias else { continue };
        for &slot in geometry.cell.slots(side) {
            for block in 0..geometry.blocks {
                let rows = geometry.weight_rows(block, slot);
                let out = &mut out[(block * 4 + slot) * lanes..];
                for (out, row) in out.iter_mut().zip(rows) {
                    *out += bias[row];
                }
            }
        }
    }
    packed
}

/// Vectors of columns that a tile of a product with panels takes at most.
pub(crate) const VECTORS: usize = 4;

/// A matrix `[depth, columns]` in panels of up to [`VECTORS`] vectors of columns, each
/// `[k][vector][lane]`, zeros where there is no column. `fill(k, from, row)` writes row k from column
/// `from` on, as far as `row` reaches.
pub(crate) fn panels<T: Element>(
    lanes: usize,
    depth: usize,
    columns: usize,
    crew: &Crew,
    fill: impl Fn(usize, usize, &mut [T]) + Sync,
) -> Buffer<T> {
    let filled = columns.div_ceil(lanes) * lanes;
    let mut packed = Buffer::<T>::new(depth * filled);
    let out = Shared::new(packed.as_mut_slice());
    let wide = VECTORS * lanes;
    crew.split(filled.div_ceil(wide), depth * filled / GRAIN, &|panels| {
        for from in panels.map(|panel| panel * wide) {
            let (width, real) = (wide.min(filled - from), wide.min(columns - from));
            // SAFETY: each panel is packed by one call. Panels begin at `depth * from` and hold
            // `depth` rows of `width`, so this one lies within `packed`.
            let panel = unsafe {
                std::slice::from_raw_parts_mut(out.get().add(depth * from), depth * width)
            };
            for (k, row) in panel.chunks_exact_mut(width).enumerate() {
                let (row, filler) = row.split_at_mut(real);
                fill(k, from, row);
                filler.fill(T::default());
            }
        }
    });
    packed
}

/// A weight `[G H, columns]` for products from the left by gate gradients: its rows lie in the order
/// `[block][slot][lane]`, zeros where a slot or lane has none.
pub(crate) fn column_panels<T: Element>(
    geometry: &Geometry,
    side: Side,
    weight: &[T],
    columns: usize,
    crew: &Crew,
) -> Buffer<T> {
    let lanes = geometry.lanes;
    let slots = geometry.cell.slots(side);
    panels(lanes, geometry.blocks * 4 * lanes, columns, crew, |k, from, row| {
        let (block, slot, lane) = (k / lanes / 4, k / lanes % 4, k % lanes);
        let source = geometry.weight_rows(block, slot).nth(lane);
        match source.filter(|_| slots.contains(&slot)) {
            Some(source) => row.copy_from_slice(&weight[source * columns + from..][..row.len()]),
            None => row.fill(T::default()),
        }
    })
}
