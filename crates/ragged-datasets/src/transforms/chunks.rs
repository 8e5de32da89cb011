//! Long sequences cut into chunks.

use std::sync::Arc;

use crate::dataset::{Dataset, check_index};
use crate::error::{Result, check_size};
use crate::example::Example;
use crate::in_memory::InMemory;
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// Sequences cut into chunks of at most a given number of steps.
///
/// Targets per step stay with their steps. A target per sequence becomes the target of each of its
/// chunks.
///
/// ```
/// use ragged_datasets::{Chunks, Dataset, Example, InMemory, Sequence, Target, TargetKind};
///
/// let sequence = Sequence::new(vec![1.0, 2.0, 3.0, 4.0, 5.0], 1)?;
/// let example = Example::new(sequence, Target::Values(vec![]));
/// let chunks = Chunks::new(InMemory::new(vec![example], TargetKind::NONE)?, 2)?;
/// assert_eq!(chunks.len(), 3);
/// assert_eq!(chunks.get(0, 2)?.sequence.values(), [5.0]);
/// assert_eq!(chunks.origin(2), Some((0, 4)));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Chunks {
    data: Arc<InMemory>,
    /// Sequence, first step, and the step after the last.
    chunks: Vec<(usize, usize, usize)>,
}

impl Chunks {
    /// Cuts after every `size` steps.
    ///
    /// The last chunk of a sequence may be shorter. A sequence without a step becomes one chunk without
    /// a step.
    ///
    /// # Errors
    ///
    /// [`Error::Size`](crate::Error::Size) for a size of zero.
    pub fn new(data: impl Into<Arc<InMemory>>, size: usize) -> Result<Self> {
        check_size("chunk size", size, usize::MAX)?;
        let data = data.into();
        let mut chunks = vec![];
        for (index, example) in data.examples().iter().enumerate() {
            let length = example.sequence.len();
            let begins = (0..length.max(1)).step_by(size);
            chunks
                .extend(begins.map(|begin| (index, begin, length.min(begin.saturating_add(size)))));
        }
        Ok(Self { data, chunks })
    }

    /// Returns the sequence that a chunk comes from, and its first step there; `None` beyond the end.
    pub fn origin(&self, index: usize) -> Option<(usize, usize)> {
        self.chunks.get(index).map(|&(sequence, begin, _)| (sequence, begin))
    }
}

impl Dataset for Chunks {
    fn len(&self) -> usize {
        self.chunks.len()
    }

    fn features(&self) -> usize {
        self.data.features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.data.target_kind()
    }

    fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.chunks.len())?;
        let (sequence, begin, end) = self.chunks[index];
        Ok(self.data.examples()[sequence].cut(begin, end))
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.chunks.len())?;
        let (_, begin, end) = self.chunks[index];
        Ok(end - begin)
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.data.feature_names()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        self.data.token_columns()
    }

    fn static_columns(&self) -> &StaticColumns {
        self.data.static_columns()
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.data.id(self.origin(index)?.0)
    }

    fn notes(&self) -> &[String] {
        self.data.notes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Sequence, Target};

    /// Series of two features, `10 series + t` and its negative.
    fn series(lengths: &[usize]) -> InMemory {
        let example = |(k, &length): (usize, &usize)| {
            let values = (0..length).flat_map(|t| [(10 * k + t) as f32, -((10 * k + t) as f32)]);
            let target = Target::StepClasses((0..length as u32).collect());
            Example::new(Sequence::new(values.collect(), 2).unwrap(), target)
        };
        let labels = (0..10).map(|k| k.to_string()).collect();
        let examples = lengths.iter().enumerate().map(example).collect();
        InMemory::new(examples, TargetKind::StepClasses(labels)).unwrap()
    }

    fn first(example: &Example) -> Vec<f32> {
        example.sequence.steps().map(|step| step[0]).collect()
    }

    #[test]
    fn chunks_hold_all_steps_in_order_with_their_targets() {
        let chunks = Chunks::new(series(&[5, 0, 2]), 2).unwrap();
        let seen: Vec<_> = (0..chunks.len())
            .map(|index| {
                let example = chunks.get(0, index).unwrap();
                assert_eq!(chunks.length(0, index).unwrap(), example.sequence.len());
                (chunks.origin(index).unwrap(), first(&example), example.target)
            })
            .collect();
        let steps = |steps: &[u32]| Target::StepClasses(steps.to_vec());
        assert_eq!(
            seen,
            [
                ((0, 0), vec![0.0, 1.0], steps(&[0, 1])),
                ((0, 2), vec![2.0, 3.0], steps(&[2, 3])),
                ((0, 4), vec![4.0], steps(&[4])),
                ((1, 0), vec![], steps(&[])),
                ((2, 0), vec![20.0, 21.0], steps(&[0, 1])),
            ]
        );
        let error = Chunks::new(series(&[5]), 0).unwrap_err().to_string();
        assert!(error.starts_with("chunk size is 0"), "{error}");
    }
}
