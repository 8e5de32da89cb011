//! The examples of one part of a file.

use crate::example::{Example, Target};

/// Examples whose values are in one piece, so that a block is a few large pieces of memory and not many small ones, between
/// which what is free cannot be used.
pub(super) struct Block {
    /// Without their values.
    examples: Vec<Example>,
    /// The values of all examples, and where those of each end.
    values: Vec<f32>,
    ends: Vec<usize>,
}

impl Block {
    /// Takes examples, with their targets or without them.
    pub(super) fn new(mut examples: Vec<Example>, with_targets: bool) -> Self {
        let count = examples.iter().map(|example| example.sequence.values().len()).sum();
        let (mut values, mut ends) = (Vec::with_capacity(count), vec![]);
        for example in &mut examples {
            values.extend_from_slice(&example.sequence.take_values());
            ends.push(values.len());
            if !with_targets {
                example.target = Target::Values(vec![]);
            }
        }
        examples.shrink_to_fit();
        Self { examples, values, ends }
    }

    /// Returns an example; without its target, if the block has none.
    pub(super) fn get(&self, index: usize) -> Option<Example> {
        let mut example = self.examples.get(index)?.clone();
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        example.sequence.set_values(self.values[begin..self.ends[index]].to_vec());
        Some(example)
    }

    /// Returns the bytes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        4 * self.values.len() + self.examples.iter().map(bytes).sum::<usize>()
    }
}

/// Returns the bytes of an example without its values, about.
fn bytes(example: &Example) -> usize {
    let sequence = &example.sequence;
    let exact = sequence.exact_values().map_or(0, <[f64]>::len);
    let tokens = sequence.tokens().map_or(0, |tokens| tokens.ids().len());
    let target = match &example.target {
        Target::Class(_) => 0,
        Target::Values(values) => values.len(),
        Target::StepClasses(classes) | Target::Labels(classes) => classes.len(),
        Target::StepValues(values) => values.values().len(),
    };
    size_of::<Example>() + size_of::<usize>() + 8 * exact + 4 * (tokens + target)
}
