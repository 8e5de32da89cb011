//! Segments of a batch: some time steps that follow one another, as a layout of their own.
//!
//! The passes run segment by segment where the activations of all steps would take too much memory. A segment has all
//! sequences of the batch, of which those that take none of its steps pass their states through.

use std::ops::Range;

use crate::element::Float;
use crate::layout::kernel_layout::KernelLayout;
use crate::operands::{Input, OutputGradients};
use crate::shape::{Direction, Step};
use crate::zoneout::{Kept, Zoneout};

/// Some steps of a batch.
pub(crate) struct Segment {
    /// The steps, with rows counted from the first row of the segment.
    pub(crate) layout: KernelLayout,
    /// The rows of the batch.
    pub(crate) rows: Range<usize>,
    /// The number of sequences whose states before the segment are those after the one before it. The others begin
    /// in this segment or later.
    pub(crate) continuing: usize,
}

/// Where a segment lies among all, in the order in which the backward pass takes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Whether sums over the rows begin with this segment.
    pub(crate) first: bool,
    /// Whether they are complete after it.
    pub(crate) last: bool,
}

impl Position {
    /// All steps in one segment.
    pub(crate) const ONLY: Self = Self { first: true, last: true };
}

impl KernelLayout {
    /// The number of segments of `steps` steps; the last may be shorter. A batch without steps has one.
    pub(crate) fn num_segments(&self, steps: usize) -> usize {
        self.steps.len().div_ceil(steps).max(1)
    }

    /// The number of sequences that go on from segment `index - 1` to segment `index` of `steps` steps each.
    pub(crate) fn continuing(&self, index: usize, steps: usize) -> usize {
        if index == 0 { 0 } else { self.previous_states(index * steps).continuing }
    }

    /// Segment `index` of `steps` steps each, in the order of the forward pass.
    pub(crate) fn segment(&self, index: usize, steps: usize) -> Segment {
        let count = self.steps.len();
        let range = count.min(index * steps)..count.min((index + 1).saturating_mul(steps));
        let continuing = self.continuing(index, steps);
        let taken = &self.steps[range.clone()];
        let start = taken.iter().map(|step| step.start).min().unwrap_or(0);
        let rows = taken.iter().map(|step| step.batch_size).sum::<usize>();
        let first_time = match self.direction {
            Direction::Forward => range.start,
            Direction::Reverse => count - range.end,
        };
        let moved = |step: &Step| Step { start: step.start - start, ..*step };
        let layout = Self { rows, steps: taken.iter().map(moved).collect(), first_time, ..*self };
        Segment { layout, rows: start..start + rows, continuing }
    }
}

impl Segment {
    /// The rows of the segment of a matrix `[N, columns]`.
    pub(crate) fn of_rows<'a, T>(&self, matrix: &'a [T], columns: usize) -> &'a [T] {
        &matrix[self.rows.start * columns..self.rows.end * columns]
    }

    /// The input of the segment, whose states before it are `h` `[B, P]` and, for an LSTM, `c` `[B, H]`.
    pub(crate) fn input<'a, T: Float>(
        &self,
        input: &Input<'a, T>,
        h: &'a [T],
        c: Option<&'a [T]>,
    ) -> Input<'a, T> {
        let KernelLayout { input_size, hidden_size, output_size, .. } = self.layout;
        let kept = |kept: Kept<'a, T>, columns: usize| match kept {
            Kept::Rows(rows) => Kept::Rows(self.of_rows(rows, columns)),
            all => all,
        };
        let zoneout = input.zoneout.map(|zoneout| Zoneout {
            hidden: kept(zoneout.hidden, output_size),
            cell: zoneout.cell.map(|cell| kept(cell, hidden_size)),
        });
        let x = self.of_rows(input.x, input_size);
        Input { x, h_0: Some(h), c_0: c, zoneout, ..*input }
    }

    /// The gradients with respect to the outputs of the segment.
    pub(crate) fn output_gradients<'a, T>(
        &self,
        gradients: &OutputGradients<'a, T>,
    ) -> OutputGradients<'a, T> {
        let KernelLayout { hidden_size, output_size, .. } = self.layout;
        OutputGradients {
            output: gradients.output.map(|d| self.of_rows(d, output_size)),
            cell_states: gradients.cell_states.map(|d| self.of_rows(d, hidden_size)),
            ..*gradients
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::kind::CellKind;
    use crate::shape::PackedShape;
    use crate::simd::level::SimdLevel;

    #[test]
    fn segments_cover_all_rows_and_keep_the_times() {
        for direction in [Direction::Forward, Direction::Reverse] {
            for sizes in [&[5, 5, 4, 2, 2, 1, 1][..], &[3], &[]] {
                let shape = PackedShape::new(6, sizes, 2, 3, direction).unwrap();
                let layout = KernelLayout::new::<f32>(CellKind::Gru, &shape, SimdLevel::Portable);
                for steps in [1, 2, 3, 7, usize::MAX] {
                    let count = layout.num_segments(steps);
                    assert_eq!(count, sizes.len().div_ceil(steps).max(1));
                    let mut k = 0;
                    for index in 0..count {
                        let Segment { layout: part, rows, continuing } =
                            layout.segment(index, steps);
                        assert_eq!(part.rows, rows.len());
                        let expected =
                            if index == 0 { 0 } else { layout.previous_states(k).continuing };
                        assert_eq!(continuing, expected);
                        for (at, step) in part.steps.iter().enumerate() {
                            let whole = layout.steps[k];
                            assert_eq!(
                                (rows.start + step.start, step.batch_size),
                                (whole.start, whole.batch_size)
                            );
                            assert_eq!(part.time(at), layout.time(k));
                            k += 1;
                        }
                    }
                    assert_eq!(k, sizes.len());
                }
            }
        }
    }
}
