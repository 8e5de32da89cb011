//! The order of the rows of a packed batch.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The order of the rows of a packed batch, which depends only on the lengths.
///
/// Sequences are sorted by length, longest first, and ties keep the caller's order:
/// `sorted_indices[b]` is the caller's index of the sequence at position `b`. `batch_sizes[t]` is the
/// number of sequences longer than `t`. Step `t` of the sequence at position `b` is the packed row
/// `batch_sizes[0] + .. + batch_sizes[t - 1] + b`. Sequences of length zero have no rows and are at the
/// end of `sorted_indices`.
///
/// Clones are cheap: they share the three lists.
///
/// ```
/// use ragged_sequence::PackedLayout;
///
/// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
/// assert_eq!(layout.sorted_indices(), [2, 0, 1]);
/// assert_eq!(layout.batch_sizes(), [2, 2, 1]);
/// let rows: Vec<_> = layout.positions().collect();
/// assert_eq!(rows, [(2, 0), (0, 0), (2, 1), (0, 1), (2, 2)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedLayout {
    batch_sizes: Arc<[usize]>,
    sorted_indices: Arc<[usize]>,
    unsorted_indices: Arc<[usize]>,
    rows: usize,
}

impl PackedLayout {
    /// Creates the layout of sequences of these lengths, in any order.
    ///
    /// It takes memory in proportion to the longest length.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.lengths(), [2, 0, 3]);
    /// ```
    pub fn from_lengths(lengths: &[usize]) -> Self {
        let mut sorted: Vec<usize> = (0..lengths.len()).collect();
        sorted.sort_by_key(|&i| Reverse(lengths[i]));
        let longest = sorted.first().map_or(0, |&i| lengths[i]);
        let mut batch_sizes = Vec::with_capacity(longest);
        let mut running = lengths.len();
        for t in 0..longest {
            while lengths[sorted[running - 1]] <= t {
                running -= 1;
            }
            batch_sizes.push(running);
        }
        Self {
            rows: lengths.iter().sum(),
            unsorted_indices: inverse(&sorted).into(),
            batch_sizes: batch_sizes.into(),
            sorted_indices: sorted.into(),
        }
    }

    /// Creates a layout from its parts, for instance from a packed batch of PyTorch.
    ///
    /// # Errors
    ///
    /// [`Error::BatchSizes`] if `batch_sizes` contains a zero, increases, or begins above the number of
    /// sequences; [`Error::Permutation`] if `sorted_indices` is not a permutation.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::new(vec![2, 2, 1], vec![2, 0, 1])?;
    /// assert_eq!(layout, PackedLayout::from_lengths(&[2, 0, 3]));
    /// # Ok::<(), ragged_sequence::Error>(())
    /// ```
    pub fn new(batch_sizes: Vec<usize>, sorted_indices: Vec<usize>) -> Result<Self> {
        let mut most = sorted_indices.len();
        for (step, &got) in batch_sizes.iter().enumerate() {
            if got == 0 || got > most {
                return Err(Error::BatchSizes { step, most, got });
            }
            most = got;
        }
        let unsorted_indices = invert_permutation(&sorted_indices)?.into();
        let rows = batch_sizes.iter().sum();
        Ok(Self {
            batch_sizes: batch_sizes.into(),
            sorted_indices: sorted_indices.into(),
            unsorted_indices,
            rows,
        })
    }

    /// Returns `[T]`: the number of sequences that have each step; positive and never increasing.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.batch_sizes(), [2, 2, 1]);
    /// ```
    pub fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// Returns `[B]`: the caller's index of the sequence at each sorted position.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.sorted_indices(), [2, 0, 1]);
    /// ```
    pub fn sorted_indices(&self) -> &[usize] {
        &self.sorted_indices
    }

    /// Returns `[B]`: the sorted position of each sequence, in the caller's order.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.unsorted_indices(), [1, 2, 0]);
    /// ```
    pub fn unsorted_indices(&self) -> &[usize] {
        &self.unsorted_indices
    }

    /// Returns B, the number of sequences, including those of length zero.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.batch_size(), 3);
    /// ```
    pub fn batch_size(&self) -> usize {
        self.sorted_indices.len()
    }

    /// Returns N, the number of packed rows: the sum of all lengths.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.rows(), 5);
    /// ```
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns T, the length of the longest sequence.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.max_length(), 3);
    /// ```
    pub fn max_length(&self) -> usize {
        self.batch_sizes.len()
    }

    /// Returns `[B]`: the lengths, in the caller's order.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert_eq!(layout.lengths(), [2, 0, 3]);
    /// ```
    pub fn lengths(&self) -> Vec<usize> {
        let mut lengths = vec![0; self.batch_size()];
        let mut running = self.batch_size();
        // The sequences that have step t - 1 but not step t have length t.
        for t in 0..=self.max_length() {
            let next = self.batch_sizes.get(t).copied().unwrap_or(0);
            for &sequence in &self.sorted_indices[next..running] {
                lengths[sequence] = t;
            }
            running = next;
        }
        lengths
    }

    /// Returns whether the sorted order is the caller's order.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// assert!(!layout.is_sorted());
    /// ```
    pub fn is_sorted(&self) -> bool {
        self.sorted_indices.iter().enumerate().all(|(position, &index)| position == index)
    }

    /// Returns `(sequence, step)` of every packed row, in the order of the rows, with the caller's
    /// indices of the sequences.
    ///
    /// ```
    /// # use ragged_sequence::PackedLayout;
    /// let layout = PackedLayout::from_lengths(&[2, 0, 3]);
    /// let rows: Vec<_> = layout.positions().collect();
    /// assert_eq!(rows, [(2, 0), (0, 0), (2, 1), (0, 1), (2, 2)]);
    /// ```
    pub fn positions(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.batch_sizes.iter().enumerate().flat_map(move |(t, &running)| {
            self.sorted_indices[..running].iter().map(move |&sequence| (sequence, t))
        })
    }
}

/// Returns the inverse of a permutation: `result[permutation[i]] == i`.
///
/// # Errors
///
/// [`Error::Permutation`] if an index is out of range or repeated.
///
/// ```
/// use ragged_sequence::invert_permutation;
///
/// assert_eq!(invert_permutation(&[2, 0, 1])?, [1, 2, 0]);
/// # Ok::<(), ragged_sequence::Error>(())
/// ```
pub fn invert_permutation(permutation: &[usize]) -> Result<Vec<usize>> {
    let count = permutation.len();
    let mut seen = vec![false; count];
    for (index, &got) in permutation.iter().enumerate() {
        if got >= count || std::mem::replace(&mut seen[got], true) {
            return Err(Error::Permutation { count, index, got });
        }
    }
    Ok(inverse(permutation))
}

/// The inverse of a list that is known to be a permutation.
fn inverse(permutation: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; permutation.len()];
    for (position, &index) in permutation.iter().enumerate() {
        inverse[index] = position;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_keep_their_order_and_empty_sequences_come_last() {
        let layout = PackedLayout::from_lengths(&[2, 0, 3, 2, 0]);
        assert_eq!(layout.sorted_indices(), [2, 0, 3, 1, 4]);
        assert_eq!(layout.unsorted_indices(), [1, 3, 0, 2, 4]);
        assert_eq!(layout.batch_sizes(), [3, 3, 1]);
        assert_eq!(layout.lengths(), [2, 0, 3, 2, 0]);
        let positions: Vec<_> = layout.positions().collect();
        assert_eq!(positions, [(2, 0), (0, 0), (3, 0), (2, 1), (0, 1), (3, 1), (2, 2)]);
    }

    #[test]
    fn batches_without_rows_have_a_layout() {
        for lengths in [&[][..], &[0, 0]] {
            let layout = PackedLayout::from_lengths(lengths);
            assert_eq!((layout.rows(), layout.max_length()), (0, 0));
            assert_eq!(layout.lengths(), lengths);
        }
    }

    #[test]
    fn inconsistent_parts_are_refused() {
        #[track_caller]
        fn check(batch_sizes: &[usize], sorted: &[usize], message: &str) {
            let error = PackedLayout::new(batch_sizes.to_vec(), sorted.to_vec()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        check(&[3], &[0, 1], "batch_sizes: expected 1 to 2 at step 0, got 3");
        check(&[1, 2], &[0, 1], "batch_sizes: expected 1 to 1 at step 1, got 2");
        check(&[1, 0], &[0, 1], "batch_sizes: expected 1 to 1 at step 1, got 0");
        check(&[1], &[0, 2], "permutation: expected each of 0 to 1 once, got 2 at index 1");
        check(&[1], &[1, 1], "permutation: expected each of 0 to 1 once, got 1 at index 1");
    }
}
