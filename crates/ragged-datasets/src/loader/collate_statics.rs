//! The static values of a batch.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::example::Example;
use crate::loader::batch::BatchStatics;
use crate::tokens::statics::Statics;

/// Returns the static values of examples, or `None` if there are none. All examples must have as many as the first one.
pub(super) fn statics(
    examples: &[(usize, Example)],
    device: &Device,
) -> Result<Option<BatchStatics>> {
    let counts = |statics: &Statics| (statics.numbers.len(), statics.categories.len());
    let of = |example: &Example| example.sequence.statics().map_or((0, 0), counts);
    let expected = examples.first().map_or((0, 0), |(_, first)| of(first));
    if let Some((index, example)) = examples.iter().find(|(_, example)| of(example) != expected) {
        return Err(Error::Statics { index: *index, got: of(example), expected });
    }
    if expected == (0, 0) {
        return Ok(None);
    }
    let all = || examples.iter().filter_map(|(_, example)| example.sequence.statics());
    let numbers = all().flat_map(|statics| &statics.numbers).map(|&value| value as f32).collect();
    let categories: Vec<u32> = all().flat_map(|statics| &statics.categories).copied().collect();
    let batch = examples.len();
    Ok(Some(BatchStatics {
        numbers: Tensor::from_vec(numbers, (batch, expected.0), device)?,
        categories: Tensor::from_vec(categories, (batch, expected.1), device)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Sequence, Target};

    fn example(numbers: &[f64], categories: &[u32]) -> Example {
        let (numbers, categories) = (numbers.to_vec(), categories.to_vec());
        let sequence = Sequence::new(vec![1.0], 1).unwrap();
        let sequence = sequence.with_statics(Statics { numbers, categories });
        Example::new(sequence, Target::Values(vec![]))
    }

    #[test]
    fn each_example_has_its_row() {
        let examples = [(0, example(&[0.5, 1.0], &[3])), (1, example(&[-1.0, 2.0], &[0]))];
        let BatchStatics { numbers, categories } =
            statics(&examples, &Device::Cpu).unwrap().unwrap();
        assert_eq!(numbers.to_vec2::<f32>().unwrap(), [[0.5, 1.0], [-1.0, 2.0]]);
        assert_eq!(categories.to_vec2::<u32>().unwrap(), [[3], [0]]);
        assert!(statics(&[], &Device::Cpu).unwrap().is_none());
        let mixed = [(0, example(&[0.5], &[3])), (7, example(&[0.5], &[]))];
        let message = "example 7 has 1 static numbers and 0 static categories: expected 1 and 1";
        assert_eq!(statics(&mixed, &Device::Cpu).unwrap_err().to_string(), message);
    }
}
