//! Which row of a packed batch belongs to which sequence and step.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::{Error, Result};

/// The order of the rows of a packed batch: a function of the lengths alone.
///
/// `sorted_indices[b]` is the sequence (as the caller counts) that is `b`-th in order of length,
/// longest first and ties in the caller's order. `batch_sizes[t]` counts the sequences longer than
/// `t`. Packed row `batch_sizes[0] + .. + batch_sizes[t - 1] + b` is step `t` of that sequence.
/// Sequences of length zero own no row and stand at the end of `sorted_indices`.
///
/// Cloning is cheap: the three lists are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedLayout {
    batch_sizes: Arc<[usize]>,
    sorted_indices: Arc<[usize]>,
    unsorted_indices: Arc<[usize]>,
    rows: usize,
}

impl PackedLayout {
    /// The layout of sequences of these lengths, in any order.
    ///
    /// It holds one number a time step: the lengths are expected to be those of real data.
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

    /// A layout from its parts, for instance from a packed batch that came out of PyTorch.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] where `batch_sizes` holds a zero, grows, or starts above the number of
    /// sequences, or where `sorted_indices` is no permutation.
    pub fn new(batch_sizes: Vec<usize>, sorted_indices: Vec<usize>) -> Result<Self> {
        let mut most = sorted_indices.len();
        for (t, &size) in batch_sizes.iter().enumerate() {
            if size == 0 || size > most {
                return Err(Error::Layout {
                    name: "batch_sizes",
                    expected: format!("1 to {most} at step {t}"),
                    got: size.to_string(),
                });
            }
            most = size;
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

    /// `[T]`: how many sequences run at each step; positive and never growing.
    pub fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// `[B]`: the caller's index of each sequence in sorted order.
    pub fn sorted_indices(&self) -> &[usize] {
        &self.sorted_indices
    }

    /// `[B]`: the sorted place of each sequence in the caller's order.
    pub fn unsorted_indices(&self) -> &[usize] {
        &self.unsorted_indices
    }

    /// B, the number of sequences, those of length zero included.
    pub fn batch_size(&self) -> usize {
        self.sorted_indices.len()
    }

    /// N, the number of packed rows: the sum of all lengths.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// T, the length of the longest sequence.
    pub fn max_length(&self) -> usize {
        self.batch_sizes.len()
    }

    /// `[B]`: the lengths, in the caller's order.
    pub fn lengths(&self) -> Vec<usize> {
        let mut lengths = vec![0; self.batch_size()];
        let mut running = self.batch_size();
        // The sequences that stop running at step t have length t.
        for t in 0..=self.max_length() {
            let still = self.batch_sizes.get(t).copied().unwrap_or(0);
            for &sequence in &self.sorted_indices[still..running] {
                lengths[sequence] = t;
            }
            running = still;
        }
        lengths
    }

    /// Whether the sorted order is the caller's order.
    pub fn is_sorted(&self) -> bool {
        self.sorted_indices.iter().enumerate().all(|(place, &index)| place == index)
    }

    /// `(sequence, step)` of every packed row, in row order; sequences as the caller counts.
    pub fn positions(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.batch_sizes.iter().enumerate().flat_map(move |(t, &running)| {
            self.sorted_indices[..running].iter().map(move |&sequence| (sequence, t))
        })
    }
}

/// The permutation that undoes `permutation`: `result[permutation[i]] == i`.
///
/// # Errors
///
/// [`Error::Layout`] where an index is out of range or comes twice.
pub fn invert_permutation(permutation: &[usize]) -> Result<Vec<usize>> {
    let count = permutation.len();
    let mut seen = vec![false; count];
    for (place, &index) in permutation.iter().enumerate() {
        if index >= count || std::mem::replace(&mut seen[index], true) {
            return Err(Error::Layout {
                name: "permutation",
                expected: format!("each of 0 to {} once", count - 1),
                got: format!("{index} at place {place}"),
            });
        }
    }
    Ok(inverse(permutation))
}

fn inverse(permutation: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; permutation.len()];
    for (place, &index) in permutation.iter().enumerate() {
        inverse[index] = place;
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
    fn nothing_at_all_has_a_layout() {
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
        check(&[1], &[0, 2], "permutation: expected each of 0 to 1 once, got 2 at place 1");
        check(&[1], &[1, 1], "permutation: expected each of 0 to 1 once, got 1 at place 1");
    }
}
