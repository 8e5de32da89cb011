//! Several examples as tensors.

use candle_core::{Device, Tensor};
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
    /// What is to be predicted: class indices `[B]` of dtype `u32`, or values `[B, K]`.
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
        Ok(Batch {
            input: match self {
                Self::Packed => packed(examples, &lengths, features, device)?,
                Self::Padded => padded(examples, lengths, features, device)?,
            },
            target: targets(examples, device)?,
            indices: examples.iter().map(|(index, _)| *index).collect(),
        })
    }
}

fn packed(
    examples: &[(usize, Example)],
    lengths: &[usize],
    features: usize,
    device: &Device,
) -> Result<BatchInput> {
    let layout = PackedLayout::from_lengths(lengths);
    let mut rows = Vec::with_capacity(layout.rows() * features);
    for (b, t) in layout.positions() {
        let values = examples[b].1.sequence.values();
        rows.extend_from_slice(&values[t * features..(t + 1) * features]);
    }
    let data = Tensor::from_vec(rows, (layout.rows(), features), device)?;
    Ok(BatchInput::Packed(PackedSequence::from_layout(data, layout)?))
}

fn padded(
    examples: &[(usize, Example)],
    lengths: Vec<usize>,
    features: usize,
    device: &Device,
) -> Result<BatchInput> {
    let steps = lengths.iter().copied().max().unwrap_or(0);
    let mut rows = Vec::with_capacity(lengths.len() * steps * features);
    for (k, (_, example)) in examples.iter().enumerate() {
        rows.extend_from_slice(example.sequence.values());
        rows.resize((k + 1) * steps * features, 0.0);
    }
    let input = Tensor::from_vec(rows, (lengths.len(), steps, features), device)?;
    Ok(BatchInput::Padded { input, lengths })
}

fn targets(examples: &[(usize, Example)], device: &Device) -> Result<Tensor> {
    let (mut classes, mut values) = (vec![], vec![]);
    for (_, example) in examples {
        match &example.target {
            Target::Class(class) => classes.push(*class),
            Target::Values(numbers) => values.push(numbers.as_slice()),
        }
    }
    // Every target must be of the first one's kind: a class, or so many values.
    let width = |target: &Target| match target {
        Target::Class(_) => None,
        Target::Values(numbers) => Some(numbers.len()),
    };
    let first = width(&examples[0].1.target);
    if let Some((index, odd)) = examples.iter().find(|(_, e)| width(&e.target) != first) {
        let name = |width: Option<usize>| width.map_or("a class".into(), |n| format!("{n} values"));
        let (got, expected) = (name(width(&odd.target)), name(first));
        return Err(Error::Example { index: *index, got, expected });
    }
    Ok(match first {
        None => Tensor::from_vec(classes, examples.len(), device)?,
        Some(width) => Tensor::from_vec(values.concat(), (examples.len(), width), device)?,
    })
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
        assert_eq!(
            (batch.batch_size(), batch.real_steps(), &batch.indices[..]),
            (3, 7, &[4, 7, 2][..])
        );
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
}
