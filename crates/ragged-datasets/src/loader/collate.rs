//! From examples to a batch: one tensor of inputs and one of targets.

use candle_core::{Device, Tensor, WithDType};
use ragged_sequence::{PackedLayout, PackedSequence};

use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::loader::batch::{Batch, BatchInput, BatchSteps};
use crate::loader::collate_statics::statics;
use crate::loader::collate_tokens::{pack, step_tokens};
use crate::target_shape::{ExpectedTarget, TargetShape};

/// The form of the batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collate {
    /// [`BatchSteps::Packed`] or [`BatchSteps::Tokens`]: the real steps only.
    Packed,
    /// [`BatchSteps::Padded`]: a rectangle with zeros after the ends of the sequences.
    Padded,
}

impl Collate {
    /// Makes a batch of examples, given with their indices. Every row is copied once.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] for no example; [`Error::Features`] or [`Error::Target`] for the first example
    /// with another number of features or another kind of target than the first example.
    ///
    /// ```
    /// use candle_core::Device;
    /// use ragged_datasets::{BatchSteps, Collate, Example, Sequence, Target};
    ///
    /// let example = |values: &[f32], class| {
    ///     Ok::<_, ragged_datasets::Error>(Example::new(
    ///         Sequence::new(values.to_vec(), 1)?,
    ///         Target::Class(class),
    ///     ))
    /// };
    /// let examples = [(0, example(&[1.0, 2.0, 3.0], 1)?), (1, example(&[4.0], 0)?)];
    /// let batch = Collate::Padded.collate(&examples, &Device::Cpu)?;
    /// let BatchSteps::Padded { input, lengths } = &batch.input.steps else { unreachable!("requested") };
    /// assert_eq!(input.squeeze(2)?.to_vec2::<f32>()?, [[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]]);
    /// assert_eq!((lengths.as_slice(), batch.target.to_vec1::<u32>()?), (&[3, 1][..], vec![1, 0]));
    /// # Ok::<(), ragged_datasets::Error>(())
    /// ```
    pub fn collate(self, examples: &[(usize, Example)], device: &Device) -> Result<Batch> {
        let Some((_, first)) = examples.first() else { return Err(Error::Empty("the batch")) };
        let expected = first.sequence.features();
        for (index, example) in examples {
            let got = example.sequence.features();
            if got != expected {
                return Err(Error::Features { index: *index, got, expected });
            }
        }
        let lengths: Vec<usize> = examples.iter().map(|(_, e)| e.sequence.len()).collect();
        let layout = match self {
            Self::Packed => Layout::Packed(PackedLayout::from_lengths(&lengths)),
            Self::Padded => Layout::Padded(lengths),
        };
        let steps: Vec<&[f32]> = examples.iter().map(|(_, e)| e.sequence.values()).collect();
        let input = layout.tensor(layout.rows(&steps, expected), Some(expected), device);
        let target = targets(examples, &layout, device)?;
        let steps = match (layout, step_tokens(examples)?) {
            (Layout::Packed(layout), None) => {
                BatchSteps::Packed(PackedSequence::from_layout(input?, layout)?)
            }
            (Layout::Packed(layout), Some(tokens)) => {
                let values = (expected > 0).then_some(input).transpose()?;
                BatchSteps::Tokens(pack(&tokens, layout, values, device)?)
            }
            (Layout::Padded(lengths), None) => BatchSteps::Padded { input: input?, lengths },
            (Layout::Padded(_), Some(_)) => return Err(Error::PaddedTokens),
        };
        let input = BatchInput { steps, statics: statics(examples, device)? };
        let batch = Batch::new(input, target, examples.iter().map(|(index, _)| *index).collect());
        let lengths = |(_, example): &(usize, Example)| match &example.target {
            Target::Labels(labels) => Some(labels.len()),
            _ => None,
        };
        let batch = match examples.iter().map(lengths).collect() {
            Some(lengths) => batch.with_target_lengths(lengths),
            None => batch,
        };
        let naive_errors = examples.iter().map(|(_, example)| example.naive_errors.as_deref());
        Ok(match naive_errors.collect::<Option<Vec<&[f64]>>>() {
            Some(errors) => batch.with_naive_errors(errors.concat()),
            None => batch,
        })
    }
}

/// The order of the steps of a batch in memory.
enum Layout {
    Packed(PackedLayout),
    /// With the lengths of the sequences.
    Padded(Vec<usize>),
}

impl Layout {
    /// Copies the steps of all sequences, `features` elements each, into their order in the batch.
    fn rows<T: Copy + Default>(&self, steps: &[&[T]], features: usize) -> Vec<T> {
        match self {
            Self::Packed(layout) => {
                let mut rows = Vec::with_capacity(layout.rows() * features);
                for (b, t) in layout.positions() {
                    rows.extend_from_slice(&steps[b][t * features..(t + 1) * features]);
                }
                rows
            }
            Self::Padded(lengths) => {
                let longest = longest(lengths);
                let mut rows = Vec::with_capacity(lengths.len() * longest * features);
                for (k, steps) in steps.iter().enumerate() {
                    rows.extend_from_slice(steps);
                    rows.resize((k + 1) * longest * features, T::default());
                }
                rows
            }
        }
    }

    /// Makes a tensor `[N, features]` or `[B, T, features]`, without the last dimension for `None`.
    fn tensor<T: WithDType>(
        &self,
        rows: Vec<T>,
        features: Option<usize>,
        device: &Device,
    ) -> Result<Tensor> {
        let mut dims = match self {
            Self::Packed(layout) => vec![layout.rows()],
            Self::Padded(lengths) => vec![lengths.len(), longest(lengths)],
        };
        dims.extend(features);
        Ok(Tensor::from_vec(rows, dims, device)?)
    }
}

fn longest(lengths: &[usize]) -> usize {
    lengths.iter().copied().max().unwrap_or(0)
}

/// Makes one tensor of the targets, which must all be of the kind of the first.
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
            layout.tensor(layout.rows(&classes, 1), None, device)
        }
        Target::StepValues(first) => {
            let shape = |example: &Example| (example.sequence.len(), first.features());
            let values = gather(examples, |example| match &example.target {
                Target::StepValues(v) if (v.len(), v.features()) == shape(example) => {
                    Some(v.values())
                }
                _ => None,
            })?;
            let count = first.features();
            layout.tensor(layout.rows(&values, count), Some(count), device)
        }
        Target::Labels(_) => {
            let labels = gather(examples, |example| match &example.target {
                Target::Labels(labels) => Some(labels.as_slice()),
                _ => None,
            })?;
            let labels = labels.concat();
            let count = labels.len();
            Ok(Tensor::from_vec(labels, count, device)?)
        }
    }
}

/// Collects what `get` returns for each example; the first `None` is an error.
fn gather<'a, T>(
    examples: &'a [(usize, Example)],
    get: impl Fn(&'a Example) -> Option<T>,
) -> Result<Vec<T>> {
    let mismatch = |index: usize, example: &Example| {
        let steps = example.sequence.len();
        let expected = match examples[0].1.target.shape() {
            TargetShape::Class(_) => ExpectedTarget::Class { classes: None },
            TargetShape::Values(count) => ExpectedTarget::Values(count),
            TargetShape::StepClasses { .. } => ExpectedTarget::StepClasses { steps, classes: None },
            TargetShape::StepValues { values, .. } => ExpectedTarget::StepValues { steps, values },
            TargetShape::Labels { .. } => ExpectedTarget::Labels { labels: None },
        };
        Error::Target { index, got: example.target.shape(), expected }
    };
    examples.iter().map(|(i, example)| get(example).ok_or_else(|| mismatch(*i, example))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Sequence;

    fn example(values: &[f32], features: usize, target: Target) -> Example {
        Example::new(Sequence::new(values.to_vec(), features).unwrap(), target)
    }

    fn three() -> Vec<(usize, Example)> {
        vec![
            (4, example(&[1.0, 2.0, 3.0], 1, Target::Values(vec![6.0, 0.5]))),
            (7, example(&[], 1, Target::Values(vec![0.0, 1.5]))),
            (2, example(&[4.0, 5.0, 6.0, 7.0], 1, Target::Values(vec![22.0, 2.5]))),
        ]
    }

    #[test]
    fn packed_rows_are_ordered_by_step() {
        let batch = Collate::Packed.collate(&three(), &Device::Cpu).unwrap();
        let BatchSteps::Packed(packed) = &batch.input.steps else { panic!("packed") };
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
        let BatchSteps::Padded { input, lengths } = &batch.input.steps else { panic!("padded") };
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
            let dims = match &batch.input.steps {
                BatchSteps::Packed(packed) => packed.data().dims(),
                BatchSteps::Padded { input, .. } => input.dims(),
                BatchSteps::Tokens(tokens) => tokens.ids().dims(),
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
        check(&mixed, "example 5 has 1 target values: expected a class");
    }

    #[test]
    fn lists_of_labels_are_joined_in_the_order_of_the_examples() {
        let listed =
            |values: &[f32], labels: &[u32]| example(values, 1, Target::Labels(labels.to_vec()));
        let examples =
            [(0, listed(&[1.0], &[5, 5])), (1, listed(&[], &[])), (2, listed(&[1.0; 3], &[6]))];
        for collate in [Collate::Packed, Collate::Padded] {
            let batch = collate.collate(&examples, &Device::Cpu).unwrap();
            assert_eq!(batch.target.to_vec1::<u32>().unwrap(), [5, 5, 6]);
            assert_eq!(batch.target_lengths, Some(vec![2, 0, 1]));
        }
        let mixed = [(0, listed(&[1.0], &[])), (3, example(&[1.0], 1, Target::Class(1)))];
        let error = Collate::Packed.collate(&mixed, &Device::Cpu).unwrap_err().to_string();
        assert_eq!(error, "example 3 has target class 1: expected a list of labels");
    }

    #[test]
    fn targets_per_step_have_the_layout_of_the_steps() {
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
            "example 3 has target classes for 1 steps, the largest 1: \
             expected one class for each of 2 steps"
        );
        let mixed = [(0, valued(1, &[1.0, 2.0])), (4, valued(2, &[1.0, 2.0]))];
        assert_eq!(
            message(&mixed),
            "example 4 has 2 target values for each of 1 steps: expected 2 values for each of 2 steps"
        );
    }
}
