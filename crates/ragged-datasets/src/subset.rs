//! A part of a data set, and random division into two parts.

use ragged_sequence::random::{Generator, Purpose};
use rand::seq::SliceRandom;

use crate::dataset::{Dataset, check_index};
use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// Some examples of another data set.
///
/// ```
/// use ragged_datasets::{Dataset, Subset, VariableLengthSums, VariableLengthSumsConfig};
///
/// let data = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
/// let subset = Subset::new(data.clone(), vec![7, 3])?;
/// assert_eq!(subset.len(), 2);
/// assert_eq!(subset.get(0, 1)?, data.get(0, 3)?);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// Creates a data set of the examples at `indices`, in that order.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] for the first index beyond the end.
    pub fn new(dataset: D, indices: Vec<usize>) -> Result<Self> {
        indices.iter().try_for_each(|&index| check_index(index, dataset.len()))?;
        Ok(Self { dataset, indices })
    }

    /// Returns the indices of the examples in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn features(&self) -> usize {
        self.dataset.features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.dataset.target_kind()
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.indices.len())?;
        self.dataset.get(epoch, self.indices[index])
    }

    fn target(&self, epoch: usize, index: usize) -> Result<Target> {
        check_index(index, self.indices.len())?;
        self.dataset.target(epoch, self.indices[index])
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.indices.len())?;
        self.dataset.length(epoch, self.indices[index])
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.dataset.feature_names()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        self.dataset.token_columns()
    }

    fn static_columns(&self) -> &StaticColumns {
        self.dataset.static_columns()
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.dataset.id(*self.indices.get(index)?)
    }

    fn notes(&self) -> &[String] {
        self.dataset.notes()
    }
}

/// Splits a data set at random into two parts.
///
/// The first part has `fraction` of the examples, rounded, and the second part the others. Both keep
/// the order of the whole. The seed determines the parts.
///
/// # Errors
///
/// [`Error::Number`] for a fraction that leaves one part without an example.
///
/// ```
/// use ragged_datasets::{Dataset, VariableLengthSums, VariableLengthSumsConfig, split};
///
/// let data = VariableLengthSums::new(VariableLengthSumsConfig::default())?;
/// let (train, test) = split(data, 0.8, 42)?;
/// assert_eq!((train.len(), test.len()), (800, 200));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
pub fn split<D: Dataset + Clone>(
    dataset: D,
    fraction: f64,
    seed: u64,
) -> Result<(Subset<D>, Subset<D>)> {
    let len = dataset.len();
    let first = (len as f64 * fraction).round();
    if !(first >= 1.0 && first <= len as f64 - 1.0) {
        let expected = "a fraction that leaves at least one example in each part";
        return Err(Error::Number { name: "split fraction", got: fraction, expected });
    }
    let mut indices: Vec<usize> = (0..len).collect();
    indices.shuffle(&mut Generator::new(seed, Purpose::Split, None, 0));
    let mut second = indices.split_off(first as usize);
    indices.sort_unstable();
    second.sort_unstable();
    Ok((Subset::new(dataset.clone(), indices)?, Subset::new(dataset, second)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::example::Sequence;
    use crate::in_memory::InMemory;
    use crate::loader::sampler::Sampler;

    fn numbers(count: usize) -> InMemory {
        let example = |i| {
            Example::new(Sequence::new(vec![i as f32], 1).unwrap(), Target::Values(vec![i as f32]))
        };
        InMemory::new((0..count).map(example).collect(), TargetKind::Values(1)).unwrap()
    }

    #[test]
    fn an_index_beyond_the_end_is_named() {
        let message = "example 7 is out of range: the data set has 3 examples";
        assert_eq!(Subset::new(numbers(3), vec![0, 7]).unwrap_err().to_string(), message);
    }

    /// Both once drew from the same stream of the same key.
    #[test]
    fn a_split_is_not_the_first_shuffle() {
        let (seed, order) = (3, Sampler::Shuffle { seed: 3 }.indices(100, 0).unwrap());
        let (train, _) = split(numbers(100), 0.5, seed).unwrap();
        let mut first_half = order[..50].to_vec();
        first_half.sort_unstable();
        assert_ne!(train.indices(), first_half);
    }

    #[test]
    fn a_split_is_a_seeded_partition() {
        let values = |subset: &Subset<Arc<InMemory>>| -> Vec<f32> {
            (0..subset.len()).map(|i| subset.get(0, i).unwrap().sequence.values()[0]).collect()
        };
        let data = Arc::new(numbers(10));
        let (train, test) = split(data.clone(), 0.7, 1).unwrap();
        assert_eq!((train.len(), test.len()), (7, 3));
        assert!(train.indices().is_sorted() && test.indices().is_sorted());
        let mut all = [values(&train), values(&test)].concat();
        all.sort_by(f32::total_cmp);
        assert_eq!(all, (0..10).map(|v| v as f32).collect::<Vec<_>>());
        assert_eq!(values(&train), values(&split(data.clone(), 0.7, 1).unwrap().0));
        assert_ne!(values(&train), values(&split(data.clone(), 0.7, 2).unwrap().0));
        for fraction in [0.0, 1.0, -1.0, 2.0, 0.01, 0.99, f64::NAN, f64::INFINITY] {
            assert!(split(data.clone(), fraction, 1).is_err(), "{fraction}");
        }
    }
}
