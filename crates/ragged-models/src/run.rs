//! What a run of a recurrent layer leaves, of which a caller takes what it needs.

use candle_core::Tensor;
use ragged_sequence::{PackedLayout, PackedSequence, Pooling, pool};

use crate::{Merge, Outcome, Result, State};

/// The outcomes of all layers and directions; nothing is joined before somebody asks for it.
pub(crate) struct Run<S> {
    /// Layer by layer, the forward direction before the reverse one.
    pub(crate) outcomes: Vec<Outcome<S>>,
    pub(crate) layout: PackedLayout,
    pub(crate) directions: usize,
    pub(crate) merge: Merge,
}

impl<S: State> Run<S> {
    /// The packed rows of the last layer so far, `[N, output_size]`.
    pub(crate) fn rows(&self) -> Result<Tensor> {
        self.merged(|_, outcome| Ok(outcome.output.clone()))
    }

    /// The same as a packed batch.
    pub(crate) fn output(&self) -> Result<PackedSequence> {
        Ok(PackedSequence::from_layout(self.rows()?, self.layout.clone())?)
    }

    /// The final states of all layers and directions, `[L * D, B, ..]`.
    pub(crate) fn state(&self) -> Result<S> {
        let count = self.outcomes.first().map_or(0, |outcome| outcome.state.parts().len());
        let parts = (0..count).map(|k| {
            let parts = self.outcomes.iter().map(|outcome| outcome.state.parts()[k]);
            Tensor::stack(&parts.collect::<Vec<_>>(), 0)
        });
        Ok(S::from_parts(parts.collect::<candle_core::Result<_>>()?))
    }

    /// The final hidden states of the last layer, `[B, output_size]`.
    pub(crate) fn last_hidden(&self) -> Result<Tensor> {
        self.merged(|_, outcome| Ok(outcome.state.parts()[0].clone()))
    }

    /// The last layer's outputs at each sequence's last step, `[B, output_size]`, zero where it has
    /// none.
    pub(crate) fn last_output(&self) -> Result<Tensor> {
        let everybody_runs = self.layout.batch_sizes().first() == Some(&self.layout.batch_size());
        self.merged(|direction, outcome| match direction {
            // The forward direction ends here: no row needs to be looked for.
            0 if everybody_runs => Ok(outcome.state.parts()[0].clone()),
            _ => {
                let rows = outcome.output.clone();
                let output = PackedSequence::from_layout(rows, self.layout.clone())?;
                Ok(pool(&output, Pooling::Last)?)
            }
        })
    }

    /// The same with a state whose kind is forgotten.
    pub(crate) fn erased(self) -> Run<Vec<Tensor>> {
        let erase = |outcome: Outcome<S>| {
            let state = outcome.state.parts().into_iter().cloned().collect();
            Outcome { output: outcome.output, state, cells: outcome.cells }
        };
        Run {
            outcomes: self.outcomes.into_iter().map(erase).collect(),
            layout: self.layout,
            directions: self.directions,
            merge: self.merge,
        }
    }

    /// One tensor of each direction of the last layer, merged.
    fn merged(&self, part: impl Fn(usize, &Outcome<S>) -> Result<Tensor>) -> Result<Tensor> {
        let last = &self.outcomes[self.outcomes.len() - self.directions..];
        let parts = last.iter().enumerate().map(|(direction, outcome)| part(direction, outcome));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        Ok(match (parts.as_slice(), self.merge) {
            ([one], _) => one.clone(),
            (both, Merge::Concat) => Tensor::cat(both, 1)?,
            (both, Merge::Sum) => Tensor::stack(both, 0)?.sum(0)?,
            (both, Merge::Mean) => Tensor::stack(both, 0)?.mean(0)?,
        })
    }
}
