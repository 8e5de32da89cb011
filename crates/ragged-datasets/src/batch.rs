//! Several examples as tensors.

use candle_core::{Device, Tensor, WithDType};
use ragged_sequence::{PackedLayout, PackedSequence};

use crate::{Error, Example, Result, Target};

/// The sequences of a batch, in one of the two forms that models take.
#[derive(Debug, Clone)]
pub enum BatchInput {
    /// The real steps alone.
    Packed(PackedSequence),
    /// A rectangle, zero behind the end of shorter sequences.
    Padded {
        /// `[B, T, features]`.
        input: Tensor,
        /// `[B]`.
        lengths: Vec<usize>,
    },
}

/// B examples.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is given.
    pub input: BatchInput,
    /// What is to be predicted: class indices of dtype `u32`, or values of dtype `f32`.
    ///
    /// A target a sequence is `[B]` (classes) or `[B, K]` (values). A target a step lies as the
    /// steps of the input do: `[N]` or `[N, K]` beside packed rows, `[B, T]` or `[B, T, K]` beside
    /// padded ones, zero in the padding, which a loss must leave out by the lengths.
    pub target: Tensor,
    /// The examples' indices in the data set.
    pub indices: Vec<usize>,
}

impl Batch {
    /// B, the number of sequences.
    pub fn batch_size(&self) -> usize {
        self.indices.len()
    }

    /// The number of steps that are not padding.
    pub fn real_steps(&self) -> usize {
        match &self.input {
            BatchInput::Packed(packed) => packed.layout().rows(),
            BatchInput::Padded { lengths, .. } => lengths.iter().sum(),
        }
    }

    /// The number of steps of the rectangle that has room for the longest sequence, padding and all.
    pub fn padded_steps(&self) -> usize {
        match &self.input {
            BatchInput::Packed(packed) => {
                packed.layout().batch_sizes().len() * packed.layout().batch_size()
            }
            BatchInput::Padded { lengths, .. } => lengths.len() * longest(lengths),
        }
    }
}

/// How examples become a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collate {
    /// Into [`BatchInput::Packed`].
    Packed,
    /// Into [`BatchInput::Padded`].
    Padded,
}

impl Collate {
    /// Makes a batch of examples and their indices; every row is copied once, to its place.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] for no example, [`Error::Example`] for the first that has other features or
    /// another kind of target than the first.
    pub fn collate(self, examples: &[(usize, Example)], device: &Device) -> Result<Batch> {
        let Some((_, first)) = examples.first() else { return Err(Error::Empty("the batch")) };
        let features = first.sequence.features();
        for (index, example) in examples {
            let got = example.sequence.features();
            if got != features {
                let (index, got) = (*index, format!("{got} features"));
                return Err(Error::Example { index, got, expected: features.to_string() });
            }
        }
        let lengths: Vec<usize> = examples.iter().map(|(_, e)| e.sequence.len()).collect();
        let layout = match self {
            Self::Packed => Layout::Packed(PackedLayout::from_lengths(&lengths)),
            Self::Padded => Layout::Padded(lengths),
        };
        let steps: Vec<&[f32]> = examples.iter().map(|(_, e)| e.sequence.values()).collect();
        let input = layout.tensor(layout.lay(&steps, features), Some(features), device)?;
        let target = targets(examples, &layout, device)?;
        Ok(Batch {
            input: match layout {
                Layout::Packed(layout) => {
                    BatchInput::Packed(PackedSequence::from_layout(input, layout)?)
                }
                Layout::Padded(lengths) => BatchInput::Padded { input, lengths },
            },
            target,
            indices: examples.iter().map(|(index, _)| *index).collect(),
        })
    }
}

/// Where the steps of a batch lie.
enum Layout {
    Packed(PackedLayout),
    /// By the lengths.
    Padded(Vec<usize>),
}

impl Layout {
    /// The steps of all sequences in their places, `width` numbers each.
    fn lay<T: Copy + Default>(&self, steps: &[&[T]], width: usize) -> Vec<T> {
        match self {
            Self::Packed(layout) => {
                let mut rows = Vec::with_capacity(layout.rows() * width);
                for (b, t) in layout.positions() {
                    rows.extend_from_slice(&steps[b][t * width..(t + 1) * width]);
                }
                rows
            }
            Self::Padded(lengths) => {
                let longest = longest(lengths);
                let mut rows = Vec::with_capacity(lengths.len() * longest * width);
                for (k, steps) in steps.iter().enumerate() {
                    rows.extend_from_slice(steps);
                    rows.resize((k + 1) * longest * width, T::default());
                }
                rows
            }
        }
    }

    /// `[N, width]` or `[B, T, width]`, without the last where there is none.
    fn tensor<T: WithDType>(
        &self,
        rows: Vec<T>,
        width: Option<usize>,
        device: &Device,
    ) -> Result<Tensor> {
        let mut dims = match self {
            Self::Packed(layout) => vec![layout.rows()],
            Self::Padded(lengths) => vec![lengths.len(), longest(lengths)],
        };
        dims.extend(width);
        Ok(Tensor::from_vec(rows, dims, device)?)
    }
}

fn longest(lengths: &[usize]) -> usize {
    lengths.iter().copied().max().unwrap_or(0)
}

/// The targets as one tensor, where all are of the first one's kind.
fn targets(examples: &[(usize, Example)], layout: &Layout, device: &Device) -> Result<Tensor> {
    let batch = examples.len();
    match &examples[0].1.target {
        Target::Class(_) => {
            let classes = gather(examples, |example| match example.target {
                Target::Class(class) => Some(class),
                _ => None,
            })?;
            Ok(Tensor::from_vec(classes, batch, device)?)
        }
        Target::Values(first) => {
            let count = first.len();
            let values = gather(examples, |example| match &example.target {
                Target::Values(values) if values.len() == count => Some(values.as_slice()),
                _ => None,
            })?;
            Ok(Tensor::from_vec(values.concat(), (batch, count), device)?)
        }
        Target::StepClasses(_) => {
            let classes = gather(examples, |example| match &example.target {
                Target::StepClasses(classes) if classes.len() == example.sequence.len() => {
                    Some(classes.as_slice())
                }
                _ => None,
            })?;
            layout.tensor(layout.lay(&classes, 1), None, device)
        }
        Target::StepValues(first) => {
            let shape = |example: &Example| (example.sequence.len(), first.features());
            let values = gather(examples, |example| match &example.target {
                Target::StepValues(v) if (v.len(), v.features()) == shape(example) => {
                    Some(v.values())
                }
                _ => None,
            })?;
            let width = first.features();
            layout.tensor(layout.lay(&values, width), Some(width), device)
        }
    }
}

/// What `get` takes from each example; an error for the first from which it takes nothing.
fn gather<'a, T>(
    examples: &'a [(usize, Example)],
    get: impl Fn(&'a Example) -> Option<T>,
) -> Result<Vec<T>> {
    let expected = || match &examples[0].1.target {
        Target::Class(_) => "a class".to_string(),
        Target::Values(values) => format!("{} values", values.len()),
        Target::StepClasses(_) => "a class for each step".into(),
        Target::StepValues(values) => format!("{} values for each step", values.features()),
    };
    let got = |example: &Example| match &example.target {
        Target::Class(_) => "a class".to_string(),
        Target::Values(values) => format!("{} values", values.len()),
        Target::StepClasses(classes) => {
            format!("classes for {} of {} steps", classes.len(), example.sequence.len())
        }
        Target::StepValues(values) => {
            let (steps, width) = (values.len(), values.features());
            format!("{width} values for {steps} of {} steps", example.sequence.len())
        }
    };
    let odd = |index, example: &Example| Error::Example {
        index,
        got: got(example),
        expected: expected(),
    };
    examples.iter().map(|(i, example)| get(example).ok_or_else(|| odd(*i, example))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequence;

    fn example(values: &[f32], features: usize, target: Target) -> Example {
        Example { sequence: Sequence::new(values.to_vec(), features).unwrap(), target }
    }

    fn three() -> Vec<(usize, Example)> {
        vec![
            (4, example(&[1.0, 2.0, 3.0], 1, Target::Values(vec![6.0, 0.5]))),
            (7, example(&[], 1, Target::Values(vec![0.0, 1.5]))),
            (2, example(&[4.0, 5.0, 6.0, 7.0], 1, Target::Values(vec![22.0, 2.5]))),
        ]
    }

    #[test]
    fn packed_rows_stand_step_by_step() {
        let batch = Collate::Packed.collate(&three(), &Device::Cpu).unwrap();
        let BatchInput::Packed(packed) = &batch.input else { panic!("packed") };
        let rows = packed.data().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(rows, [4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
        assert_eq!(packed.lengths(), [3, 0, 4]);
        assert_eq!((batch.batch_size(), batch.real_steps(), batch.padded_steps()), (3, 7, 12));
        let targets = batch.target.to_vec2::<f32>().unwrap();
        assert_eq!(targets, [[6.0, 0.5], [0.0, 1.5], [22.0, 2.5]]);
    }

    #[test]
    fn padded_rows_end_in_zeros() {
        let batch = Collate::Padded.collate(&three(), &Device::Cpu).unwrap();
        let BatchInput::Padded { input, lengths } = &batch.input else { panic!("padded") };
        let rows = input.squeeze(2).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(rows, [[1.0, 2.0, 3.0, 0.0], [0.0; 4], [4.0, 5.0, 6.0, 7.0]]);
        assert_eq!((lengths.as_slice(), batch.real_steps()), (&[3, 0, 4][..], 7));
    }

    #[test]
    fn empty_sequences_and_empty_targets_have_shapes() {
        #[track_caller]
        fn check(collate: Collate, expected: &[usize]) {
            let examples = [2, 5].map(|i| (i, example(&[], 3, Target::Values(vec![]))));
            let batch = collate.collate(&examples, &Device::Cpu).unwrap();
            let dims = match &batch.input {
                BatchInput::Packed(packed) => packed.data().dims(),
                BatchInput::Padded { input, .. } => input.dims(),
            };
            assert_eq!(dims, expected);
            assert_eq!(batch.target.dims(), [2, 0]);
            assert_eq!((batch.batch_size(), batch.real_steps()), (2, 0));
        }
        check(Collate::Packed, &[0, 3]);
        check(Collate::Padded, &[2, 0, 3]);
    }

    #[test]
    fn examples_that_do_not_match_are_named() {
        #[track_caller]
        fn check(examples: &[(usize, Example)], message: &str) {
            for collate in [Collate::Packed, Collate::Padded] {
                let error = collate.collate(examples, &Device::Cpu).unwrap_err();
                assert_eq!(error.to_string(), message);
            }
        }
        let class = || Target::Class(1);
        check(&[], "the batch is empty: expected at least one example");
        let mixed = [(0, example(&[0.0], 1, class())), (5, example(&[0.0, 1.0], 2, class()))];
        check(&mixed, "example 5 has 2 features: expected 1");
        let values = Target::Values(vec![1.0]);
        let mixed = [(0, example(&[0.0], 1, class())), (5, example(&[0.0], 1, values))];
        check(&mixed, "example 5 has 1 values: expected a class");
    }

    #[test]
    fn targets_a_step_lie_as_the_steps_do() {
        let labelled = |values: &[f32], classes: &[u32]| {
            example(values, 1, Target::StepClasses(classes.to_vec()))
        };
        let examples = [
            (0, labelled(&[1.0], &[5])),
            (1, labelled(&[], &[])),
            (2, labelled(&[1.0; 3], &[6, 7, 8])),
        ];
        let batch = Collate::Packed.collate(&examples, &Device::Cpu).unwrap();
        assert_eq!(batch.target.to_vec1::<u32>().unwrap(), [6, 5, 7, 8]);
        let batch = Collate::Padded.collate(&examples, &Device::Cpu).unwrap();
        assert_eq!(batch.target.to_vec2::<u32>().unwrap(), [[5, 0, 0], [0, 0, 0], [6, 7, 8]]);

        let valued = |length: usize, values: &[f32]| {
            let target = Target::StepValues(Sequence::new(values.to_vec(), 2).unwrap());
            example(&vec![0.0; length], 1, target)
        };
        let examples =
            [(0, valued(0, &[])), (1, valued(1, &[1.0, 2.0])), (2, valued(1, &[3.0, 4.0]))];
        let batch = Collate::Packed.collate(&examples, &Device::Cpu).unwrap();
        assert_eq!(batch.target.to_vec2::<f32>().unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        let batch = Collate::Padded.collate(&examples, &Device::Cpu).unwrap();
        assert_eq!(batch.target.dims(), [3, 1, 2]);

        let message = |examples: &[(usize, Example)]| {
            Collate::Packed.collate(examples, &Device::Cpu).unwrap_err().to_string()
        };
        let short = [(3, labelled(&[1.0, 2.0], &[1]))];
        assert_eq!(
            message(&short),
            "example 3 has classes for 1 of 2 steps: expected a class for each step"
        );
        let mixed = [(0, valued(1, &[1.0, 2.0])), (4, valued(2, &[1.0, 2.0]))];
        assert_eq!(
            message(&mixed),
            "example 4 has 2 values for 1 of 2 steps: expected 2 values for each step"
        );
    }
}
