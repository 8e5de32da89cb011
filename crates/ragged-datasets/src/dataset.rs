//! The trait of data sets: examples by index.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// A data set whose examples can be requested in any order and from any thread.
///
/// A data set owns its examples (`'static`), so that background threads can hold it. Only four
/// methods must be implemented:
///
/// ```
/// use ragged_datasets::{Dataset, Error, Example, Result, Sequence, Target, TargetKind};
///
/// /// Sequence i counts from 0 to i; the target is its length.
/// struct Counting;
///
/// impl Dataset for Counting {
///     fn len(&self) -> usize {
///         10
///     }
///
///     fn features(&self) -> usize {
///         1
///     }
///
///     fn target_kind(&self) -> &TargetKind {
///         &TargetKind::Values(1)
///     }
///
///     fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
///         if index >= self.len() {
///             return Err(Error::Index { index, len: self.len() });
///         }
///         let steps = (0..=index).map(|t| t as f32).collect();
///         let target = Target::Values(vec![index as f32 + 1.0]);
///         Ok(Example::new(Sequence::new(steps, 1)?, target))
///     }
/// }
///
/// assert_eq!(Counting.get(0, 2)?.sequence.values(), [0.0, 1.0, 2.0]);
/// assert_eq!(Counting.length(0, 9)?, 10);
/// # Ok::<(), Error>(())
/// ```
pub trait Dataset: Send + Sync + 'static {
    /// Returns the number of examples.
    fn len(&self) -> usize;

    /// Whether the data set has no example.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of features of each step, the same for all examples; 0 for tokens only.
    fn features(&self) -> usize;

    /// Returns the kind of the targets.
    fn target_kind(&self) -> &TargetKind;

    /// Returns example `index` as it is in `epoch`.
    ///
    /// Generated examples may differ from epoch to epoch; stored examples do not. The same arguments
    /// always return the same example.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] beyond the end.
    fn get(&self, epoch: usize, index: usize) -> Result<Example>;

    /// Returns the number of steps of example `index` in `epoch`.
    ///
    /// Batching by length requests the lengths of all examples in every epoch, so a data set that
    /// knows the length without making the example should override this method.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        Ok(self.get(epoch, index)?.sequence.len())
    }

    /// Returns the target of example `index` in `epoch`.
    ///
    /// A data set that knows it without making the example should override this method.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn target(&self, epoch: usize, index: usize) -> Result<Target> {
        Ok(self.get(epoch, index)?.target)
    }

    /// Returns the names of the features in their order, or `None` if they have none.
    fn feature_names(&self) -> Option<&[String]> {
        None
    }

    /// Returns the columns of tokens, with the text of each index that examples have in them; none for features only.
    fn token_columns(&self) -> &[TokenColumn] {
        &[]
    }

    /// Returns the static columns, with the text of each index that examples have in them; none by default.
    fn static_columns(&self) -> &StaticColumns {
        StaticColumns::NONE
    }

    /// Returns the name of example `index`, or `None` if it has none or is beyond the end.
    fn id(&self, _index: usize) -> Option<&str> {
        None
    }

    /// Returns what a person should know about how the data were read, one sentence each; for
    /// instance, which column was left out.
    fn notes(&self) -> &[String] {
        &[]
    }
}

/// Implements the trait for pointers to data sets.
macro_rules! implement_for_pointers {
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

            fn target(&self, epoch: usize, index: usize) -> Result<Target> {
                (**self).target(epoch, index)
            }

            fn length(&self, epoch: usize, index: usize) -> Result<usize> {
                (**self).length(epoch, index)
            }

            fn feature_names(&self) -> Option<&[String]> {
                (**self).feature_names()
            }

            fn token_columns(&self) -> &[TokenColumn] {
                (**self).token_columns()
            }

            fn static_columns(&self) -> &StaticColumns {
                (**self).static_columns()
            }

            fn id(&self, index: usize) -> Option<&str> {
                (**self).id(index)
            }

            fn notes(&self) -> &[String] {
                (**self).notes()
            }
        }
    )+};
}

implement_for_pointers!(Box<D>, Arc<D>);

/// Checks that an index is below the number of examples.
pub(crate) fn check_index(index: usize, len: usize) -> Result<()> {
    if index < len { Ok(()) } else { Err(Error::Index { index, len }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Sequence;

    struct Three(TargetKind);

    impl Dataset for Three {
        fn len(&self) -> usize {
            3
        }

        fn features(&self) -> usize {
            1
        }

        fn target_kind(&self) -> &TargetKind {
            &self.0
        }

        fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
            check_index(index, self.len())?;
            let target = Target::Values(vec![index as f32]);
            Ok(Example::new(Sequence::new(vec![index as f32], 1)?, target))
        }
    }

    #[test]
    fn a_pointer_to_a_data_set_is_a_data_set() {
        #[track_caller]
        fn check(dataset: impl Dataset) {
            assert_eq!((dataset.len(), dataset.is_empty(), dataset.features()), (3, false, 1));
            assert_eq!(dataset.target_kind(), &TargetKind::Values(1));
            assert_eq!(dataset.length(0, 2).unwrap(), 1);
            assert_eq!(dataset.target(0, 1).unwrap(), Target::Values(vec![1.0]));
            let example = dataset.get(0, 2).unwrap();
            assert_eq!(
                (example.sequence.row(0), example.sequence.row(1)),
                (Some(&[2.0][..]), None)
            );
        }
        check(Box::new(Three(TargetKind::Values(1))) as Box<dyn Dataset>);
        check(Arc::new(Three(TargetKind::Values(1))) as Arc<dyn Dataset>);
    }
}
