//! How the kernels' own buffers lie.
//!
//! Hidden units are handled in blocks as wide as a vector, the last one filled up with zeros. For
//! each block the four gates lie side by side, so that one tile yields all that a cell needs:
//!
//! ```text
//! weights   [block][k][gate][lane]        gates, da   [block][row][gate][lane]
//! cells     [block][row][lane]            running c   [block][sequence][lane]
//! ```

use std::ops::Range;

use crate::shape::Step;
use crate::simd::SimdLevel;
use crate::{Direction, Element, PackedShape};

/// The geometry of a call at a SIMD level.
#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    pub(crate) level: SimdLevel,
    /// Numbers in a vector: units in a block.
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
    pub(crate) direction: Direction,
    /// In the order in which the forward pass takes them.
    pub(crate) steps: Vec<Step>,
}

impl Geometry {
    pub(crate) fn new<T: Element>(shape: &PackedShape) -> Self {
        let level = shape.simd();
        let lanes = level.lanes(T::BYTES);
        Self {
            level,
            lanes,
            blocks: shape.hidden_size().div_ceil(lanes),
            tile: level.rows(),
            batch: shape.batch(),
            rows: shape.rows(),
            input: shape.input_size(),
            hidden: shape.hidden_size(),
            direction: shape.direction(),
            steps: shape.steps(),
        }
    }

    /// Numbers of a gate buffer: N rows of four gates, filled up.
    pub(crate) fn gates_len(&self) -> usize {
        self.blocks * self.rows * 4 * self.lanes
    }

    /// Numbers of a cell buffer.
    pub(crate) fn cells_len(&self) -> usize {
        self.blocks * self.rows * self.lanes
    }

    /// Numbers of a buffer with a vector for each block and sequence.
    pub(crate) fn states_len(&self) -> usize {
        self.blocks * self.batch * self.lanes
    }

    /// Where the four gates of a block and row begin.
    #[inline(always)]
    pub(crate) fn gates_at(&self, block: usize, row: usize) -> usize {
        (block * self.rows + row) * 4 * self.lanes
    }

    /// Where the cells of a block and row begin.
    #[inline(always)]
    pub(crate) fn cells_at(&self, block: usize, row: usize) -> usize {
        (block * self.rows + row) * self.lanes
    }

    /// Where the running state of a block and sequence begins.
    #[inline(always)]
    pub(crate) fn state_at(&self, block: usize, sequence: usize) -> usize {
        (block * self.batch + sequence) * self.lanes
    }

    /// The units of a block: all lanes but in the last one.
    #[inline(always)]
    pub(crate) fn units(&self, block: usize) -> usize {
        self.lanes.min(self.hidden - block * self.lanes)
    }

    /// Sequences cut into contiguous groups with about the same number of steps each, on borders of
    /// full tiles. How they are cut changes no result.
    pub(crate) fn groups(&self, parts: usize) -> Vec<Range<usize>> {
        let running = self.steps.iter().map(|step| step.running).max().unwrap_or(0);
        // Steps of the first b sequences, for every b.
        let mut longer = vec![0; running + 1];
        for step in &self.steps {
            longer[step.running] += 1;
        }
        let mut groups = vec![];
        let (mut begin, mut done, mut left) = (0, 0, self.steps.len());
        for b in 0..running {
            // `left` steps are run by more than b sequences.
            left -= if b == 0 { longer[0] } else { longer[b] };
            done += left;
            let end = b + 1;
            let due = (groups.len() + 1) * self.rows / parts.max(1);
            let border = (end - begin) % self.tile == 0;
            if end == running || (border && done >= due && groups.len() + 1 < parts) {
                groups.push(begin..end);
                begin = end;
            }
        }
        groups
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
            let geometry = Geometry::new::<f32>(&shape);
            for parts in 1..5 {
                let groups = geometry.groups(parts);
                assert!(groups.len() <= parts);
                let all: Vec<usize> = groups.into_iter().flatten().collect();
                assert_eq!(all, (0..batch - 2).collect::<Vec<_>>(), "{sizes:?} in {parts}");
            }
        }
    }
}
