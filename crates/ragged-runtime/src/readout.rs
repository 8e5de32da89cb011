//! What the head receives of the outputs: one row per sequence, or every step.

use ragged_sequence::PackedLayout;

use crate::config::Readout;

/// What a readout knows of the steps so far of one sequence.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pooled {
    /// The pooled outputs, `[output_features]`; zeros before the first step.
    pub(crate) row: Vec<f32>,
    /// The number of steps.
    pub(crate) steps: u64,
}

impl Pooled {
    pub(crate) fn new(features: usize) -> Self {
        Self { row: vec![0.0; features], steps: 0 }
    }

    /// Copies another sequence's, without an allocation if the sizes are equal.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.row.clone_from(&other.row);
        self.steps = other.steps;
    }

    /// Takes the outputs of the next step.
    pub(crate) fn add(&mut self, readout: Readout, output: &[f32]) {
        let first = self.steps == 0;
        self.steps = self.steps.saturating_add(1);
        match readout {
            // Attention keeps no state.
            Readout::Final | Readout::Steps | Readout::Attention => {}
            Readout::First if !first => {}
            Readout::Mean | Readout::Sum => {
                self.row.iter_mut().zip(output).for_each(|(sum, x)| *sum += x);
            }
            Readout::Max if !first => {
                for (most, x) in self.row.iter_mut().zip(output).filter(|(most, x)| **x > **most) {
                    *most = *x;
                }
            }
            Readout::First | Readout::Last | Readout::Max => self.row.copy_from_slice(output),
        }
    }

    /// Stores the row for the head in `to`. `hidden` is the last hidden state.
    pub(crate) fn read(&self, readout: Readout, hidden: &[f32], to: &mut [f32]) {
        match readout {
            Readout::Final | Readout::Steps => to.copy_from_slice(hidden),
            Readout::Mean => {
                let steps = self.steps.max(1) as f32;
                to.iter_mut().zip(&self.row).for_each(|(to, sum)| *to = sum / steps);
            }
            _ => to.copy_from_slice(&self.row),
        }
    }
}

/// Takes the outputs of packed rows, each for its sequence.
pub(crate) fn add_rows(
    readout: Readout,
    layout: &PackedLayout,
    rows: &[f32],
    pooled: &mut [Pooled],
) {
    let Some(features) = pooled.first().map(|pooled| pooled.row.len()) else { return };
    for ((sequence, _), row) in layout.positions().zip(rows.chunks_exact(features)) {
        pooled[sequence].add(readout, row);
    }
}
