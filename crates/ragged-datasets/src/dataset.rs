//! Data sets: examples by index.

use std::sync::Arc;

use ragged_sequence::random::{Generator, Purpose};
use rand::seq::SliceRandom;

use crate::{Error, Example, Result, TargetKind};

/// Examples that can be asked for in any order, from any thread. It owns what it gives (`'static`), so
/// that background workers can hold it.
pub trait Dataset: Send + Sync + 'static {
    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The features of a step, the same in all examples.
    fn features(&self) -> usize;

    /// What the targets are.
    fn target_kind(&self) -> &TargetKind;

    /// Example `index` as it is in `epoch`: generated examples may differ from epoch to epoch,
    /// stored ones do not. The same arguments always give the same example.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] beyond the end.
    fn get(&self, epoch: usize, index: usize) -> Result<Example>;

    /// The number of steps of that example. Batches by length ask for all of them each epoch, so a
    /// data set that knows it without making the example should say so.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        Ok(self.get(epoch, index)?.sequence.len())
    }
}

/// A pointer to a data set is that data set.
macro_rules! through_pointer {
    ($($pointer:ty),+) => {$(
        impl<D: Dataset + ?Sized> Dataset for $pointer {
            fn len(&self) -> usize {
                (**self).len()
            }

            fn is_empty(&self) -> bool {
                (**self).is_empty()
            }

            fn features(&self) -> usize {
                (**self).features()
            }

            fn target_kind(&self) -> &TargetKind {
                (**self).target_kind()
            }

            fn get(&self, epoch: usize, index: usize) -> Result<Example> {
                (**self).get(epoch, index)
            }

            fn length(&self, epoch: usize, index: usize) -> Result<usize> {
                (**self).length(epoch, index)
            }
        }
    )+};
}

through_pointer!(Box<D>, Arc<D>);

/// Checks an index against a length.
pub(crate) fn check_index(index: usize, len: usize) -> Result<()> {
    if index < len { Ok(()) } else { Err(Error::Index { index, len }) }
}

/// Examples in memory.
#[derive(Debug, Clone)]
pub struct InMemory {
    examples: Vec<Example>,
    features: usize,
    target_kind: TargetKind,
    ids: Option<Vec<String>>,
}

impl InMemory {
    /// Takes the examples, which must agree in features and kind of target.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] for none, [`Error::Example`] for the first that does not agree.
    pub fn new(examples: Vec<Example>, target_kind: TargetKind) -> Result<Self> {
        let features = match examples.first() {
            Some(example) => example.sequence.features(),
            None => return Err(Error::Empty("the data set")),
        };
        for (index, example) in examples.iter().enumerate() {
            let got = example.sequence.features();
            if got != features {
                let (got, expected) = (format!("{got} features"), format!("{features}"));
                return Err(Error::Example { index, got, expected });
            }
            target_kind.check(index, example.sequence.len(), &example.target)?;
        }
        Ok(Self { examples, features, target_kind, ids: None })
    }

    /// With the names of the examples, such as a file may have them.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for another number of names than of examples.
    pub fn with_ids(mut self, ids: Option<Vec<String>>) -> Result<Self> {
        if let Some(got) = ids.as_ref().map(Vec::len).filter(|&got| got != self.examples.len()) {
            let (got, expected) = (format!("for {got} examples"), self.examples.len().to_string());
            return Err(Error::Config { name: "ids", got, expected });
        }
        self.ids = ids;
        Ok(self)
    }

    /// The names of the examples, where the source has names.
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// The examples in order.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn features(&self) -> usize {
        self.features
    }

    fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.examples.len())?;
        Ok(self.examples[index].clone())
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.examples.len())?;
        Ok(self.examples[index].sequence.len())
    }
}

/// Some examples of another data set.
#[derive(Debug, Clone)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The examples at `indices`, in that order.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] names the first index beyond the end.
    pub fn new(dataset: D, indices: Vec<usize>) -> Result<Self> {
        indices.iter().try_for_each(|&index| check_index(index, dataset.len()))?;
        Ok(Self { dataset, indices })
    }

    /// Where the examples stand in the whole.
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

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.indices.len())?;
        self.dataset.length(epoch, self.indices[index])
    }
}

/// Splits a data set in two by a seeded shuffle: the first part has `fraction` of the examples,
/// rounded, the second all others, and both keep the order of the whole.
///
/// # Errors
///
/// [`Error::Config`] for a fraction that leaves one part without an example.
pub fn split<D: Dataset + Clone>(
    dataset: D,
    fraction: f64,
    seed: u64,
) -> Result<(Subset<D>, Subset<D>)> {
    let len = dataset.len();
    let first = (len as f64 * fraction).round();
    if !(first >= 1.0 && first <= len as f64 - 1.0) {
        let expected = format!("a share that leaves some of {len} examples on both sides");
        return Err(Error::Config { name: "split fraction", got: fraction.to_string(), expected });
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
    use super::*;
    use crate::{Sampler, Sequence, Target};

    fn example(value: f32, features: usize, target: Target) -> Example {
        Example { sequence: Sequence::new(vec![value; features], features).unwrap(), target }
    }

    fn numbers(count: usize) -> InMemory {
        let make = |i| example(i as f32, 1, Target::Values(vec![i as f32]));
        InMemory::new((0..count).map(make).collect(), TargetKind::Values(1)).unwrap()
    }

    #[test]
    fn examples_that_do_not_agree_are_named() {
        #[track_caller]
        fn check(examples: Vec<Example>, kind: TargetKind, message: &str) {
            assert_eq!(InMemory::new(examples, kind).unwrap_err().to_string(), message);
        }
        let classes = || TargetKind::Classes(vec!["a".into(), "b".into()]);
        let class = |c| Target::Class(c);
        check(vec![], classes(), "the data set is empty: expected at least one example");
        let features = vec![example(0.0, 2, class(0)), example(0.0, 3, class(0))];
        check(features, classes(), "example 1 has 3 features: expected 2");
        let message = "example 0 has target Class(2): expected a class below 2";
        check(vec![example(0.0, 1, class(2))], classes(), message);
        let message = "example 0 has target Class(0): expected 2 values";
        check(vec![example(0.0, 1, class(0))], TargetKind::Values(2), message);
        assert!(Sequence::new(vec![1.0; 3], 2).is_err() && Sequence::new(vec![], 0).is_err());
        let message = "example 7 was asked of a data set of 3";
        assert_eq!(numbers(3).get(0, 7).unwrap_err().to_string(), message);
        assert_eq!(Subset::new(numbers(3), vec![0, 7]).unwrap_err().to_string(), message);
    }

    #[test]
    fn a_pointer_to_a_data_set_is_one() {
        #[track_caller]
        fn check(dataset: impl Dataset) {
            assert_eq!((dataset.len(), dataset.is_empty(), dataset.features()), (3, false, 1));
            assert_eq!(dataset.target_kind(), &TargetKind::Values(1));
            assert_eq!(dataset.length(0, 2).unwrap(), 1);
            let example = dataset.get(0, 2).unwrap();
            assert_eq!(
                (example.sequence.row(0), example.sequence.row(1)),
                (Some(&[2.0][..]), None)
            );
        }
        let data = numbers(3);
        check(Box::new(data.clone()) as Box<dyn Dataset>);
        check(Arc::new(data) as Arc<dyn Dataset>);
    }

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
