//! The layout of the kernels' own buffers.
//!
//! Hidden units are processed in vectors, the last one padded with zeros, and in blocks whose four slots
//! (see `cell`) lie next to each other, so that one tile yields everything that a step of a block needs:
//!
//! ```text
//! weights   [block][column][slot][lane]   gates, da     [block][row][slot][lane]
//! carries   [vector][row][lane]           states        [vector][sequence][lane]
//! ```
//!
//! *Rows* are the N packed rows; *sequences* are the B sequences of the batch, the longest first.

use std::ops::Range;

use crate::cell::kind::{CellKind, Side};
use crate::element::Float;
use crate::shape::{Direction, PackedShape, Step};
use crate::simd::level::SimdLevel;

/// The sizes of one call at one SIMD level.
#[derive(Debug, Clone)]
pub(crate) struct KernelLayout {
    pub(crate) level: SimdLevel,
    pub(crate) cell: CellKind,
    /// Elements per vector.
    pub(crate) lanes: usize,
    /// Blocks of hidden units.
    pub(crate) blocks: usize,
    /// Rows of a full tile of the micro-kernel.
    pub(crate) tile_rows: usize,
    /// B.
    pub(crate) batch_size: usize,
    /// N.
    pub(crate) rows: usize,
    /// I.
    pub(crate) input_size: usize,
    /// H.
    pub(crate) hidden_size: usize,
    /// P.
    pub(crate) output_size: usize,
    pub(crate) direction: Direction,
    /// In the order of the forward pass.
    pub(crate) steps: Vec<Step>,
    /// The index in time of the earliest step: above 0 in some [segments](crate::layout::segment) of a batch.
    pub(crate) first_time: usize,
}

impl KernelLayout {
    pub(crate) fn new<T: Float>(cell: CellKind, shape: &PackedShape, level: SimdLevel) -> Self {
        let lanes = level.lanes(T::BYTES);
        Self {
            level,
            cell,
            lanes,
            blocks: shape.hidden_size().div_ceil(cell.vectors_per_block() * lanes),
            tile_rows: level.tile_rows(),
            batch_size: shape.batch_size(),
            rows: shape.rows(),
            input_size: shape.input_size(),
            hidden_size: shape.hidden_size(),
            output_size: shape.output_size(),
            direction: shape.direction(),
            steps: shape.steps(),
            first_time: 0,
        }
    }

    /// The same layer over a batch of `rows` sequences of one step each.
    pub(crate) fn with_single_step(&self, rows: usize) -> Self {
        let steps = vec![Step { start: 0, batch_size: rows }];
        Self { batch_size: rows, rows, direction: Direction::Forward, steps, ..*self }
    }

    /// Whether the hidden state is a projection of the units' outputs.
    pub(crate) fn has_projection(&self) -> bool {
        self.output_size != self.hidden_size
    }

    /// Vectors of units, in whole blocks.
    pub(crate) fn vectors(&self) -> usize {
        self.blocks * self.cell.vectors_per_block()
    }

    /// Elements of `[block][row][slot][lane]`.
    pub(crate) fn gates_len(&self) -> usize {
        self.blocks * self.rows * 4 * self.lanes
    }

    /// Elements of `[vector][row][lane]`.
    pub(crate) fn row_vectors_len(&self) -> usize {
        self.vectors() * self.rows * self.lanes
    }

    /// Elements of `[vector][sequence][lane]`.
    pub(crate) fn states_len(&self) -> usize {
        self.vectors() * self.batch_size * self.lanes
    }

    /// The index of `[block][row][0][0]` in `[block][row][slot][lane]`.
    #[inline(always)]
    pub(crate) fn gates_at(&self, block: usize, row: usize) -> usize {
        (block * self.rows + row) * 4 * self.lanes
    }

    /// The index of `[vector][row][0]` in `[vector][row][lane]`.
    #[inline(always)]
    pub(crate) fn row_vector_at(&self, vector: usize, row: usize) -> usize {
        (vector * self.rows + row) * self.lanes
    }

    /// The index of `[vector][sequence][0]` in `[vector][sequence][lane]`.
    #[inline(always)]
    pub(crate) fn state_at(&self, vector: usize, sequence: usize) -> usize {
        (vector * self.batch_size + sequence) * self.lanes
    }

    /// The number of units in a vector: all lanes except at the end, where there may be none.
    #[inline(always)]
    pub(crate) fn units(&self, vector: usize) -> usize {
        self.lanes.min(self.hidden_size.saturating_sub(vector * self.lanes))
    }

    /// The rows of the weights and biases that belong to a slot: one per unit of its vector, all within
    /// one gate.
    pub(crate) fn weight_rows(&self, block: usize, slot: usize) -> Range<usize> {
        let vector = match self.cell.vectors_per_block() {
            1 => block,
            vectors => block * vectors + slot,
        };
        let first =
            self.cell.gate(slot) * self.hidden_size + self.hidden_size.min(vector * self.lanes);
        first..first + self.units(vector)
    }

    /// The index in time of step `k` of the forward pass.
    pub(crate) fn time(&self, k: usize) -> usize {
        match self.direction {
            Direction::Forward => self.first_time + k,
            Direction::Reverse => self.first_time + self.steps.len() - 1 - k,
        }
    }

    /// The number of sequences with at least one step.
    pub(crate) fn active_sequences(&self) -> usize {
        self.steps.iter().map(|step| step.batch_size).max().unwrap_or(0)
    }

    /// The weights of one block and side, `[column][slot of the side][lane]`, as a number of elements.
    pub(crate) fn panel_len(&self, side: Side, columns: usize) -> usize {
        columns * self.cell.slots(side).len() * self.lanes
    }

    /// Where the states before step `k` of the forward pass lie.
    pub(crate) fn previous_states(&self, k: usize) -> PreviousStates {
        let steps = &self.steps;
        match k.checked_sub(1) {
            None => PreviousStates { start: 0, continuing: 0 },
            Some(k) => PreviousStates {
                start: steps[k].start,
                continuing: steps[k].batch_size.min(steps[k + 1].batch_size),
            },
        }
    }
}

/// Where the states before a step lie: in the rows of the step before it for the sequences that took
/// that step, and in the initial states for the others, which start with this step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PreviousStates {
    /// The first row of the step before.
    pub(crate) start: usize,
    /// The number of sequences of this step that took the step before.
    pub(crate) continuing: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_one_lane_of_every_slot() {
        let shape = PackedShape::new(1, &[1], 3, 70, Direction::Forward).unwrap();
        for cell in [CellKind::Lstm, CellKind::Gru, CellKind::RnnTanh] {
            let layout = KernelLayout::new::<f32>(cell, &shape, SimdLevel::Portable);
            for side in [Side::Input, Side::Hidden] {
                let slots = cell.slots(side).iter();
                let mut rows: Vec<usize> = slots
                    .flat_map(|&slot| (0..layout.blocks).map(move |block| (block, slot)))
                    .flat_map(|(block, slot)| layout.weight_rows(block, slot))
                    .collect();
                rows.sort_unstable();
                assert_eq!(rows, (0..cell.gates() * 70).collect::<Vec<_>>(), "{cell:?} {side:?}");
            }
        }
    }
}
