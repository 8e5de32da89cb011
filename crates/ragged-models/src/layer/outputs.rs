//! The outputs of a recurrent layer, from which a caller takes the parts that it needs.

use candle_core::Tensor;
use ragged_sequence::{PackedLayout, PackedSequence, Pooling, pool};

use crate::cell::CellOutput;
use crate::cell::state::State;
use crate::config::Merge;
use crate::error::Result;

/// The parts of the outputs that a caller needs besides the final states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeededOutputs {
    /// The rows of the last layer.
    pub(crate) rows: bool,
    /// The cell states of all steps.
    pub(crate) cell_states: bool,
}

impl NeededOutputs {
    /// The rows.
    pub(crate) const ROWS: Self = Self { rows: true, cell_states: false };
    /// The final states only.
    pub(crate) const STATES: Self = Self { rows: false, cell_states: false };
}

/// Whether no sequence has the length zero.
pub(crate) fn all_have_steps(layout: &PackedLayout) -> bool {
    layout.batch_sizes().first() == Some(&layout.batch_size())
}

/// The outputs of all layers and directions. They are merged only on demand.
pub(crate) struct LayerOutputs<S> {
    /// Layer by layer, the forward direction before the reverse direction.
    pub(crate) cells: Vec<CellOutput<S>>,
    pub(crate) layout: PackedLayout,
    pub(crate) num_directions: usize,
    pub(crate) merge: Merge,
}

impl<S: State> LayerOutputs<S> {
    /// Returns the packed rows of the last layer, `[N, output_features]`.
    pub(crate) fn rows(&self) -> Result<Tensor> {
        self.merged(|_, cell| Ok(cell.output.clone()))
    }

    /// Returns the rows of the last layer as a packed batch.
    pub(crate) fn output(&self) -> Result<PackedSequence> {
        Ok(PackedSequence::from_layout(self.rows()?, self.layout.clone())?)
    }

    /// Returns the final states of all layers and directions, `[L * D, B, ..]`.
    pub(crate) fn state(&self) -> Result<S> {
        let count = self.cells.first().map_or(0, |cell| cell.state.parts().len());
        let parts = (0..count).map(|k| {
            let parts = self.cells.iter().map(|cell| cell.state.parts()[k]);
            Tensor::stack(&parts.collect::<Vec<_>>(), 0)
        });
        Ok(S::from_parts(parts.collect::<candle_core::Result<_>>()?))
    }

    /// Returns the final hidden states of the last layer, `[B, output_features]`.
    pub(crate) fn last_hidden(&self) -> Result<Tensor> {
        self.merged(|_, cell| Ok(cell.state.parts()[0].clone()))
    }

    /// Returns the outputs of the last layer at the last step of each sequence,
    /// `[B, output_features]`; zero for a sequence of length zero.
    pub(crate) fn last_output(&self) -> Result<Tensor> {
        self.merged(|direction, cell| match direction {
            // The forward direction ends at the last step, so its final state is the output there.
            0 if all_have_steps(&self.layout) => Ok(cell.state.parts()[0].clone()),
            _ => {
                let rows = cell.output.clone();
                let output = PackedSequence::from_layout(rows, self.layout.clone())?;
                Ok(pool(&output, Pooling::Last)?)
            }
        })
    }

    /// Returns the same outputs with the states as lists of tensors.
    pub(crate) fn erase_state(self) -> LayerOutputs<Vec<Tensor>> {
        let erase = |cell: CellOutput<S>| {
            let state = cell.state.parts().into_iter().cloned().collect();
            CellOutput { output: cell.output, state, cell_states: cell.cell_states }
        };
        LayerOutputs {
            cells: self.cells.into_iter().map(erase).collect(),
            layout: self.layout,
            num_directions: self.num_directions,
            merge: self.merge,
        }
    }

    /// Merges one tensor of each direction of the last layer.
    fn merged(&self, part: impl Fn(usize, &CellOutput<S>) -> Result<Tensor>) -> Result<Tensor> {
        let last = &self.cells[self.cells.len() - self.num_directions..];
        let parts = last.iter().enumerate().map(|(direction, cell)| part(direction, cell));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        Ok(match (parts.as_slice(), self.merge) {
            ([one], _) => one.clone(),
            (both, Merge::Concat) => Tensor::cat(both, 1)?,
            (both, Merge::Sum) => Tensor::stack(both, 0)?.sum(0)?,
            (both, Merge::Mean) => Tensor::stack(both, 0)?.mean(0)?,
        })
    }
}
