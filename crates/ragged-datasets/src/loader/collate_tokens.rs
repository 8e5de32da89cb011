//! The tokens of a batch.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use ragged_sequence::{PackedLayout, PackedSequence, PackedTokens};

use crate::error::{Error, Result};
use crate::example::Example;
use crate::tokens::step_tokens::StepTokens;

/// Returns the tokens of all examples, or `None` if they have none. All must have what the first one has.
pub(super) fn step_tokens(examples: &[(usize, Example)]) -> Result<Option<Vec<&StepTokens>>> {
    let columns = |example: &Example| example.sequence.tokens().map_or(0, StepTokens::columns);
    let has_inner =
        |example: &Example| example.sequence.tokens().and_then(StepTokens::inner).is_some();
    let Some((_, first)) = examples.first() else { return Ok(None) };
    let expected = columns(first);
    for (index, example) in examples {
        let (index, got) = (*index, columns(example));
        if got != expected {
            return Err(Error::Tokens { index, got, expected });
        }
        if has_inner(example) != has_inner(first) {
            let expected = has_inner(first);
            return Err(Error::InnerSequences { index, expected });
        }
    }
    Ok(examples.iter().map(|(_, example)| example.sequence.tokens()).collect())
}

/// Packs tokens in the order of `layout`, with the values `[N, F]` of the steps if there are any.
pub(super) fn pack(
    tokens: &[&StepTokens],
    layout: PackedLayout,
    values: Option<Tensor>,
    device: &Device,
) -> Result<PackedTokens> {
    let columns = tokens[0].columns();
    let ids =
        layout.positions().flat_map(|(b, t)| &tokens[b].ids()[t * columns..(t + 1) * columns]);
    let ids = Tensor::from_vec(ids.copied().collect(), (layout.rows(), columns), device)?;
    let inner = tokens.iter().map(|tokens| tokens.inner()).collect::<Option<Vec<_>>>();
    let inner = inner.map(|inner| {
        let steps = layout.positions().map(|(b, t)| inner[b][t].as_ref());
        pack_distinct(steps, device)
    });
    let mut packed = PackedTokens::new(PackedSequence::from_layout(ids, layout)?)?;
    if let Some(values) = values {
        packed = packed.with_values(values)?;
    }
    if let Some(inner) = inner {
        let (sequences, rows) = inner?;
        packed = packed.with_inner(sequences, rows)?;
    }
    Ok(packed)
}

/// Packs the distinct ones of some sequences, in the order of their first occurrence, and returns the index among them
/// of each sequence.
fn pack_distinct<'a>(
    sequences: impl Iterator<Item = &'a [u32]>,
    device: &Device,
) -> Result<(PackedSequence, Vec<u32>)> {
    let mut distinct: Vec<&[u32]> = vec![];
    let mut known: HashMap<&[u32], u32> = HashMap::new();
    let rows = sequences.map(|sequence| {
        *known.entry(sequence).or_insert_with(|| {
            distinct.push(sequence);
            distinct.len() as u32 - 1
        })
    });
    let rows = rows.collect();
    let lengths: Vec<usize> = distinct.iter().map(|sequence| sequence.len()).collect();
    let layout = PackedLayout::from_lengths(&lengths);
    let ids: Vec<u32> = layout.positions().map(|(b, t)| distinct[b][t]).collect();
    let ids = Tensor::from_vec(ids, layout.rows(), device)?;
    Ok((PackedSequence::from_layout(ids, layout)?, rows))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::example::{Sequence, Target};
    use crate::loader::batch::BatchSteps;
    use crate::loader::collate::Collate;

    fn example(ids: &[u32], spelled: bool) -> Example {
        let mut tokens = StepTokens::new(ids.to_vec(), 1).unwrap();
        if spelled {
            let inner = ids.iter().map(|&id| Arc::from(vec![id; id as usize])).collect();
            tokens = tokens.with_inner(inner).unwrap();
        }
        Example::new(Sequence::of_tokens(tokens), Target::Values(vec![]))
    }

    #[test]
    fn each_distinct_inner_sequence_is_packed_once() {
        let examples =
            [(0, example(&[2, 1], true)), (1, example(&[], true)), (2, example(&[0, 2, 2], true))];
        let batch = Collate::Packed.collate(&examples, &Device::Cpu).unwrap();
        let BatchSteps::Tokens(tokens) = &batch.input.steps else { panic!("tokens") };
        // The longest sequence first, step by step.
        let ids = tokens.ids().flatten_all().unwrap().to_vec1::<u32>().unwrap();
        assert_eq!(
            (ids.as_slice(), tokens.layout().lengths()),
            (&[0, 2, 2, 1, 2][..], vec![2, 0, 3])
        );
        assert_eq!((batch.real_steps(), batch.padded_steps()), (5, 9));
        let inner = tokens.inner().unwrap();
        assert_eq!(inner.rows(), [0, 1, 1, 2, 1]);
        assert_eq!(inner.sequences().lengths(), [0, 2, 1]);
        assert_eq!(inner.sequences().data().to_vec1::<u32>().unwrap(), [2, 1, 2]);
    }

    #[test]
    fn examples_with_other_tokens_and_padding_are_refused() {
        let error = |collate: Collate, examples: &[(usize, Example)]| {
            collate.collate(examples, &Device::Cpu).unwrap_err().to_string()
        };
        let features = Example::new(
            Sequence::of_tokens(StepTokens::new(vec![1, 2], 2).unwrap()),
            Target::Values(vec![]),
        );
        let mixed = [(0, example(&[1], false)), (4, features)];
        let message = "example 4 has 2 tokens in each step: expected 1";
        assert_eq!(error(Collate::Packed, &mixed), message);
        let mixed = [(0, example(&[1], false)), (7, example(&[1], true))];
        let message =
            "example 7 has steps that consist of sequences: expected none, as in the first example";
        assert_eq!(error(Collate::Packed, &mixed), message);
        let message = "tokens cannot be padded: expected packed batches";
        assert_eq!(error(Collate::Padded, &[(0, example(&[1], false))]), message);
    }
}
