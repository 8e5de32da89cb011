//! How the kernels' own buffers lie.
//!
//! Hidden units are handled in vectors, the last one filled up with zeros, and in blocks whose four
//! slots (see `cell`) lie side by side, so that one tile yields all that a step of a block needs:
//!
//! ```text
//! weights   [block][k][slot][lane]        gates, da       [block][row][slot][lane]
//! carries   [vector][row][lane]           running states  [vector][sequence][lane]
//! ```

use std::ops::Range;

use crate::cell::{CellKind, Side};
use crate::shape::Step;
use crate::simd::SimdLevel;
use crate::tile::tile_rows;
use crate::{Direction, Element, PackedShape};

/// The geometry of a call at a SIMD level.
#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    pub(crate) level: SimdLevel,
    pub(crate) cell: CellKind,
    /// Numbers in a vector.
    pub(crate) lanes: usize,
    /// Blocks of hidden units.
    pub(crate) blocks: usize,
    /// Rows of a full tile.
    pub(crate) tile: usize,
    /// B.
    pub(crate) batch: usize,
    /// N.
    pub(crate) rows: usize,
    /// I.
    pub(crate) input: usize,
    /// H.
    pub(crate) hidden: usize,
    /// P, the numbers of a hidden state: H, or fewer with a projection.
    pub(crate) width: usize,
    pub(crate) direction: Direction,
    /// In the order in which the forward pass takes them.
    pub(crate) steps: Vec<Step>,
}

impl Geometry {
    pub(crate) fn new<T: Element>(cell: CellKind, shape: &PackedShape, level: SimdLevel) -> Self {
        let lanes = level.lanes(T::BYTES);
        Self {
            level,
            cell,
            lanes,
            blocks: shape.hidden_size().div_ceil(cell.spread() * lanes),
            tile: level.rows(),
            batch: shape.batch(),
            rows: shape.rows(),
            input: shape.input_size(),
            hidden: shape.hidden_size(),
            width: shape.output_size(),
            direction: shape.direction(),
            steps: shape.steps(),
        }
    }

    /// Whether the hidden state is a projection of the units.
    pub(crate) fn projects(&self) -> bool {
        self.width != self.hidden
    }

    /// Vectors of units, in whole blocks.
    pub(crate) fn vectors(&self) -> usize {
        self.blocks * self.cell.spread()
    }

    /// Numbers of a gate buffer: N rows of four slots, filled up.
    pub(crate) fn gates_len(&self) -> usize {
        self.blocks * self.rows * 4 * self.lanes
    }

    /// Numbers of a buffer with a vector for each vector of units and row.
    pub(crate) fn carries_len(&self) -> usize {
        self.vectors() * self.rows * self.lanes
    }

    /// Numbers of a buffer with a vector for each vector of units and sequence.
    pub(crate) fn states_len(&self) -> usize {
        self.vectors() * self.batch * self.lanes
    }

    /// Where the slots of a block and row begin.
    #[inline(always)]
    pub(crate) fn gates_at(&self, block: usize, row: usize) -> usize {
        (block * self.rows + row) * 4 * self.lanes
    }

    /// Where the vector of a row begins.
    #[inline(always)]
    pub(crate) fn carry_at(&self, vector: usize, row: usize) -> usize {
        (vector * self.rows + row) * self.lanes
    }

    /// Where the running state of a vector and sequence begins.
    #[inline(always)]
    pub(crate) fn state_at(&self, vector: usize, sequence: usize) -> usize {
        (vector * self.batch + sequence) * self.lanes
    }

    /// The units of a vector: all lanes but at the end, where there may be none.
    #[inline(always)]
    pub(crate) fn units(&self, vector: usize) -> usize {
        self.lanes.min(self.hidden.saturating_sub(vector * self.lanes))
    }

    /// The rows of the weights and biases for the lanes of a slot: as many as it has units, and never
    /// beyond its gate's.
    pub(crate) fn weight_rows(&self, block: usize, slot: usize) -> Range<usize> {
        let vector = match self.cell.spread() {
            1 => block,
            spread => block * spread + slot,
        };
        let first = self.cell.gate(slot) * self.hidden + self.hidden.min(vector * self.lanes);
        first..first + self.units(vector)
    }

    /// Sequences cut into contiguous groups that take about the same time each. How they are cut
    /// changes no result.
    pub(crate) fn groups(&self, parts: usize) -> Vec<Range<usize>> {
        let running = self.running();
        // Steps that run more than b sequences, for every b.
        let mut alive = vec![0; running + 1];
        for step in &self.steps {
            alive[step.running] += 1;
        }
        let mut left = self.steps.len();
        for alive in &mut alive {
            left -= *alive;
            *alive = left;
        }
        // What tiles of n rows cost, in quarters of a row's sums: where the rows are few, the weights
        // that a tile reads take longer than its sums.
        let mut costs = vec![0; running + 1];
        for n in 1..=running {
            let rows = tile_rows(self.tile, n);
            costs[n] = costs[n - rows] + (4 * rows).max(8 + rows);
        }
        let cost = |group: Range<usize>| -> usize {
            let begin = group.start;
            group.map(|b| alive[b] * costs[b + 1 - begin] - alive[b] * costs[b - begin]).sum()
        };
        let mut groups = vec![];
        let mut begin = 0;
        for others in (1..parts.max(1)).rev() {
            // The longest of the groups that this cut leaves is to be as short as it may.
            let longest = |end: usize| cost(begin..end).max(cost(end..running) / others);
            let (mut low, mut high) = (begin, running);
            while low < high {
                let end = (low + high) / 2;
                match cost(begin..end) * others < cost(end..running) {
                    true => low = end + 1,
                    false => high = end,
                }
            }
            let end = low.saturating_sub(1).max(begin);
            let end = if longest(end) < longest(low) { end } else { low };
            groups.push(begin..end);
            begin = end;
        }
        groups.push(begin..running);
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// The time of a step.
    pub(crate) fn time(&self, k: usize) -> usize {
        match self.direction {
            Direction::Forward => k,
            Direction::Reverse => self.steps.len() - 1 - k,
        }
    }

    /// Sequences with at least one step.
    pub(crate) fn running(&self) -> usize {
        self.steps.iter().map(|step| step.running).max().unwrap_or(0)
    }

    /// The slots of one side, and the numbers of a block's panel for it.
    pub(crate) fn panel_len(&self, side: Side, columns: usize) -> usize {
        columns * self.cell.slots(side).len() * self.lanes
    }
}

impl SimdLevel {
    /// Numbers of `bytes` bytes in a vector.
    pub(crate) fn lanes(self, bytes: usize) -> usize {
        match self {
            Self::Portable => 8,
            Self::Avx2 => 32 / bytes,
            Self::Avx512 => 64 / bytes,
        }
    }

    /// Rows of a tile.
    pub(crate) fn rows(self) -> usize {
        match self {
            Self::Portable => 2,
            Self::Avx2 => 3,
            Self::Avx512 => 6,
        }
    }
}

/// Where the states before a step lie: in the rows of the step taken before it, for the sequences
/// that have begun, and in the initial states for those that begin with this step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    /// The first row of the step taken before.
    pub(crate) start: usize,
    /// How many sequences have begun.
    pub(crate) begun: usize,
}

impl Before {
    pub(crate) fn new(steps: &[Step], k: usize) -> Self {
        match k.checked_sub(1) {
            None => Self { start: 0, begun: 0 },
            Some(k) => {
                Self { start: steps[k].start, begun: steps[k].running.min(steps[k + 1].running) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_all_sequences_with_a_step_once() {
        for sizes in [&[64; 50][..], &[30, 30, 7, 2, 1, 1, 1], &[1; 9], &[5, 4, 3], &[]] {
            let batch = sizes.first().copied().unwrap_or(0) + 2;
            let shape = PackedShape::new(batch, sizes, 3, 20, Direction::Forward).unwrap();
            let geometry = Geometry::new::<f32>(CellKind::Lstm, &shape, SimdLevel::current());
            for parts in 1..5 {
                let groups = geometry.groups(parts);
                assert!(groups.len() <= parts);
                let all: Vec<usize> = groups.into_iter().flatten().collect();
                assert_eq!(all, (0..batch - 2).collect::<Vec<_>>(), "{sizes:?} in {parts}");
            }
        }
    }

    #[test]
    fn groups_take_about_the_same_time() {
        let cost = |sizes: &[usize], group: &Range<usize>| -> usize {
            sizes.iter().map(|&r| r.clamp(group.start, group.end) - group.start).sum()
        };
        let descending: Vec<usize> = (0..50).map(|t| 64 - t * 63 / 49).collect();
        for sizes in [&[64; 50][..], &descending] {
            let shape = PackedShape::new(64, sizes, 3, 20, Direction::Forward).unwrap();
            let geometry = Geometry::new::<f32>(CellKind::Lstm, &shape, SimdLevel::current());
            for parts in 2..5 {
                let groups = geometry.groups(parts);
                let longest = groups.iter().map(|group| cost(sizes, group)).max().unwrap();
                // No thread has more than a sixth above its share.
                assert!(longest * parts * 6 <= geometry.rows * 7, "{sizes:?}: {groups:?}");
            }
        }
    }

    #[test]
    fn every_unit_has_one_lane_of_every_slot() {
        let shape = PackedShape::new(1, &[1], 3, 70, Direction::Forward).unwrap();
        for cell in [CellKind::Lstm, CellKind::Gru, CellKind::RnnTanh] {
            let g = Geometry::new::<f32>(cell, &shape, SimdLevel::Portable);
            for side in [Side::Input, Side::Hidden] {
                let slots = cell.slots(side).iter();
                let mut rows: Vec<usize> = slots
                    .flat_map(|&slot| (0..g.blocks).map(move |block| (block, slot)))
                    .flat_map(|(block, slot)| g.weight_rows(block, slot))
                    .collect();
                rows.sort_unstable();
                assert_eq!(rows, (0..cell.gates() * 70).collect::<Vec<_>>(), "{cell:?} {side:?}");
            }
        }
    }
}
