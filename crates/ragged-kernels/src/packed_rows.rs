//! The order of packed rows, for passes that take each sequence alone.

use crate::error::{Error, Result};
use crate::simd::level::SimdLevel;

/// Which packed row is which step of which sequence, checked once so that the kernels can rely on it.
///
/// Row `batch_sizes[0] + .. + batch_sizes[t - 1] + b` of a packed `[N, ..]` matrix is step `t` of the sequence at
/// position `b`, the longest first; `batch_sizes[t]` is the number of sequences longer than `t`.
///
/// ```
/// use ragged_kernels::PackedRows;
///
/// // Sequences of lengths 4, 2, 2 and 0.
/// let rows = PackedRows::new(4, &[3, 3, 1, 1])?;
/// assert_eq!((rows.rows(), rows.length(1), rows.row(2, 1)), (8, 2, 5));
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PackedRows<'a> {
    batch_size: usize,
    batch_sizes: &'a [usize],
    /// `[T]`: the first row of each step.
    starts: Vec<usize>,
    rows: usize,
    simd: SimdLevel,
}

impl<'a> PackedRows<'a> {
    /// Creates the order of the rows of `batch_size` sequences, including those of length zero, at the
    /// [current](SimdLevel::current) SIMD level.
    ///
    /// # Errors
    ///
    /// [`Error::BatchSize`] if `batch_sizes` increases, contains a zero or starts above `batch_size`;
    /// [`Error::Size`] for more rows than can be addressed; [`Error::SimdVariable`].
    pub fn new(batch_size: usize, batch_sizes: &'a [usize]) -> Result<Self> {
        let (mut max, mut rows) = (batch_size, 0usize);
        let mut starts = Vec::with_capacity(batch_sizes.len());
        for (step, &got) in batch_sizes.iter().enumerate() {
            if got == 0 || got > max {
                return Err(Error::BatchSize { step, max, got });
            }
            max = got;
            starts.push(rows);
            rows = rows.saturating_add(got);
        }
        if rows > isize::MAX as usize / 64 {
            let (name, expected) = ("rows", "a size that fits in memory");
            return Err(Error::Size { name, expected, got: rows });
        }
        Ok(Self { batch_size, batch_sizes, starts, rows, simd: SimdLevel::current()? })
    }

    /// Returns the same rows at another SIMD level; a level that this machine lacks is replaced by the portable one.
    ///
    /// ```
    /// use ragged_kernels::{PackedRows, SimdLevel};
    ///
    /// let rows = PackedRows::new(1, &[1, 1])?.with_simd(SimdLevel::Portable);
    /// assert_eq!(rows.simd(), SimdLevel::Portable);
    /// # Ok::<(), ragged_kernels::Error>(())
    /// ```
    pub fn with_simd(self, level: SimdLevel) -> Self {
        let available = SimdLevel::available().contains(&level);
        Self { simd: if available { level } else { SimdLevel::Portable }, ..self }
    }

    /// Returns B, the number of sequences.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Returns the number of sequences that take each time step.
    pub fn batch_sizes(&self) -> &'a [usize] {
        self.batch_sizes
    }

    /// Returns N, the number of packed rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns T, the length of the longest sequence.
    pub fn max_length(&self) -> usize {
        self.starts.len()
    }

    /// Returns the SIMD level that kernels over these rows run at.
    pub fn simd(&self) -> SimdLevel {
        self.simd
    }

    /// Returns the length of the sequence at position `b`.
    pub fn length(&self, b: usize) -> usize {
        self.batch_sizes.partition_point(|&running| running > b)
    }

    /// Returns the row of step `t` of the sequence at position `b`, of a step that the sequence has.
    pub fn row(&self, b: usize, t: usize) -> usize {
        self.starts[t] + b
    }

    /// Divides rows `[N, width]` into the rows of each sequence, in the order of its steps.
    pub(crate) fn split_mut<'r, T>(
        &self,
        rows: &'r mut [T],
        width: usize,
    ) -> Vec<Vec<&'r mut [T]>> {
        let mut sequences: Vec<Vec<&mut [T]>> =
            (0..self.batch_size).map(|b| Vec::with_capacity(self.length(b))).collect();
        let mut rows = rows.chunks_exact_mut(width.max(1));
        for &running in self.batch_sizes {
            for (sequence, row) in sequences[..running].iter_mut().zip(&mut rows) {
                sequence.push(row);
            }
        }
        sequences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_steps_of_each_sequence() {
        // a b c d; e f; g h
        let rows = PackedRows::new(4, &[3, 3, 1, 1]).unwrap();
        let mut letters = *b"aegbfhcd";
        let sequences = rows.split_mut(&mut letters, 1);
        let text = |b: usize| sequences[b].concat();
        assert_eq!([text(0), text(1), text(2), text(3)], [&b"abcd"[..], b"ef", b"gh", b""]);
        let lengths: Vec<usize> = (0..4).map(|b| rows.length(b)).collect();
        assert_eq!(lengths, [4, 2, 2, 0]);
        assert_eq!((rows.row(0, 3), rows.row(2, 1)), (7, 5));
    }

    #[test]
    fn invalid_sizes_are_named() {
        let new = |batch, sizes: &'static [usize]| PackedRows::new(batch, sizes).map(|r| r.rows());
        assert_eq!(new(3, &[]), Ok(0));
        assert_eq!(new(3, &[4]), Err(Error::BatchSize { step: 0, max: 3, got: 4 }));
        assert_eq!(new(3, &[2, 3]), Err(Error::BatchSize { step: 1, max: 2, got: 3 }));
        assert_eq!(new(3, &[2, 0]), Err(Error::BatchSize { step: 1, max: 2, got: 0 }));
        assert!(matches!(new(usize::MAX, &[usize::MAX]), Err(Error::Size { name: "rows", .. })));
    }
}
