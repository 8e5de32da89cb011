//! Weights in the order in which the inner loops read them.

use crate::Element;
use crate::buffer::{Buffer, Shared};
use crate::layout::Geometry;
use crate::threads::split;

/// Columns of a weight that are packed together: they fill cache lines on both sides.
const COLUMNS: usize = 16;

/// `[4H, columns]` weights, one behind the other along the columns, as `[block][k][gate][lane]` with
/// zeros for the lanes beyond H.
pub(crate) fn gate_panels<T: Element>(
    geometry: &Geometry,
    weights: &[(&[T], usize)],
    parts: usize,
) -> Buffer<T> {
    let (lanes, h) = (geometry.lanes, geometry.hidden);
    let width: usize = weights.iter().map(|(_, columns)| columns).sum();
    let panel = width * 4 * lanes;
    let mut packed = Buffer::<T>::new(geometry.blocks * panel);
    let out = Shared::new(packed.as_mut_slice());
    split(geometry.blocks, parts, &|blocks| {
        for block in blocks {
            // SAFETY: each block is packed by one call, into a panel of its own within `packed`.
            let panel =
                unsafe { std::slice::from_raw_parts_mut(out.get().add(block * panel), panel) };
            let units = geometry.units(block);
            let mut first = 0;
            for &(weight, columns) in weights {
                for from in (0..columns).step_by(COLUMNS) {
                    let count = COLUMNS.min(columns - from);
                    for gate in 0..4 {
                        for lane in 0..lanes {
                            let to = ((first + from) * 4 + gate) * lanes + lane;
                            let to = panel[to..].iter_mut().step_by(4 * lanes).take(count);
                            if lane < units {
                                let row = gate * h + block * lanes + lane;
                                let row = &weight[row * columns + from..][..count];
                                to.zip(row).for_each(|(to, &w)| *to = w);
                            } else {
                                to.for_each(|to| *to = T::default());
                            }
                        }
                    }
                }
                first += columns;
            }
        }
    });
    packed
}

/// The sum of both biases as `[block][gate][lane]`.
pub(crate) fn biases<T: Element>(geometry: &Geometry, biases: [Option<&[T]>; 2]) -> Buffer<T> {
    let (lanes, h) = (geometry.lanes, geometry.hidden);
    let mut packed = Buffer::<T>::new(geometry.blocks * 4 * lanes);
    let out = packed.as_mut_slice();
    out.fill(T::default());
    for bias in biases.into_iter().flatten() {
        for gate in 0..4 {
            for unit in 0..h {
                let (block, lane) = (unit / lanes, unit % lanes);
                out[(block * 4 + gate) * lanes + lane] += bias[gate * h + unit];
            }
        }
    }
    packed
}

/// Vectors of columns that a tile of the backward pass takes at most.
pub(crate) const VECTORS: usize = 4;

/// A weight `[4H, columns]` for products from the left by gate gradients: panels of up to
/// [`VECTORS`] vectors of columns, each `[block][gate][lane][column]`, zeros where there is no unit
/// or no column.
pub(crate) fn column_panels<T: Element>(
    geometry: &Geometry,
    weight: &[T],
    columns: usize,
    parts: usize,
) -> Buffer<T> {
    let (lanes, h) = (geometry.lanes, geometry.hidden);
    let filled = columns.div_ceil(lanes) * lanes;
    let depth = geometry.blocks * 4 * lanes;
    let mut packed = Buffer::<T>::new(depth * filled);
    let out = Shared::new(packed.as_mut_slice());
    let wide = VECTORS * lanes;
    split(filled.div_ceil(wide), parts, &|panels| {
        for from in panels.map(|panel| panel * wide) {
            let (width, real) = (wide.min(filled - from), wide.min(columns - from));
            for block in 0..geometry.blocks {
                for gate in 0..4 {
                    for lane in 0..lanes {
                        let k = (block * 4 + gate) * lanes + lane;
                        // SAFETY: each panel is packed by one call. Panels begin at `depth * from`
                        // and hold `depth` rows of `width`, so this row lies within `packed`.
                        let row = unsafe {
                            let row = out.get().add(depth * from + k * width);
                            std::slice::from_raw_parts_mut(row, width)
                        };
                        row.fill(T::default());
                        if lane < geometry.units(block) {
                            let source = (gate * h + block * lanes + lane) * columns + from;
                            row[..real].copy_from_slice(&weight[source..source + real]);
                        }
                    }
                }
            }
        }
    });
    packed
}
