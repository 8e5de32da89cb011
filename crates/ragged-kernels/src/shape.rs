//! The shape of one recurrent layer and direction over packed rows.

use crate::error::{Error, Result};
use crate::simd::level::SimdLevel;

/// The order of the time steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first step to the last.
    Forward,
    /// From each sequence's own last step to its first.
    Reverse,
}

/// The sizes of one layer and direction, checked once so that the kernels can rely on them.
///
/// Row `batch_sizes[0] + .. + batch_sizes[t - 1] + b` of a packed `[N, ..]` matrix is step `t` of the
/// `b`-th longest sequence; `batch_sizes[t]` is the number of sequences longer than `t`. Sequences of
/// length zero have no row; they are the last `B - batch_sizes[0]` rows of the states.
///
/// ```
/// use ragged_kernels::{Direction, PackedShape};
///
/// // Sequences of lengths 4, 2, 2 and 0; seven features, 16 hidden units.
/// let shape = PackedShape::new(4, &[3, 3, 1, 1], 7, 16, Direction::Forward)?;
/// assert_eq!((shape.rows(), shape.output_size()), (8, 16));
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct PackedShape<'a> {
    batch_size: usize,
    batch_sizes: &'a [usize],
    rows: usize,
    input_size: usize,
    hidden_size: usize,
    output_size: usize,
    direction: Direction,
    simd: SimdLevel,
}

impl<'a> PackedShape<'a> {
    /// Creates a shape without a projection, at the [current](SimdLevel::current) SIMD level.
    ///
    /// `batch_size` is B, including the sequences of length zero; `batch_sizes` has one entry per time
    /// step; `input_size` is I and `hidden_size` H.
    ///
    /// # Errors
    ///
    /// [`Error::BatchSize`] if `batch_sizes` increases, contains a zero or starts above `batch_size`;
    /// [`Error::Size`] for a size of zero or one whose matrices cannot be addressed.
    pub fn new(
        batch_size: usize,
        batch_sizes: &'a [usize],
        input_size: usize,
        hidden_size: usize,
        direction: Direction,
    ) -> Result<Self> {
        for (name, got) in [("input_size", input_size), ("hidden_size", hidden_size)] {
            if got == 0 {
                return Err(Error::Size { name, expected: "at least 1", got });
            }
        }
        let (mut max, mut rows) = (batch_size, 0usize);
        for (step, &got) in batch_sizes.iter().enumerate() {
            if got == 0 || got > max {
                return Err(Error::BatchSize { step, max, got });
            }
            max = got;
            rows = rows.saturating_add(got);
        }
        // The largest slices: gates [N, 4H], weights [4H, max(I, H)], input [N, I], states [B, H].
        let widest = input_size.max(hidden_size.saturating_mul(4));
        for (name, got) in
            [("rows", rows), ("batch_size", batch_size), ("hidden_size", hidden_size)]
        {
            if widest.checked_mul(got).is_none_or(|n| n > isize::MAX as usize / 16) {
                return Err(Error::Size { name, expected: "a size that fits in memory", got });
            }
        }
        Ok(Self {
            batch_size,
            batch_sizes,
            rows,
            input_size,
            hidden_size,
            output_size: hidden_size,
            direction,
            simd: SimdLevel::current()?,
        })
    }

    /// Returns the same shape with a projection of the hidden state to `proj_size` elements (P), for the
    /// LSTM (Sak, Senior and Beaufays 2014).
    ///
    /// # Errors
    ///
    /// [`Error::Size`] unless P is at least 1 and below H.
    ///
    /// ```
    /// use ragged_kernels::{Direction, PackedShape};
    ///
    /// let shape = PackedShape::new(1, &[1, 1], 7, 16, Direction::Forward)?.with_projection(4)?;
    /// assert_eq!((shape.hidden_size(), shape.output_size()), (16, 4));
    /// # Ok::<(), ragged_kernels::Error>(())
    /// ```
    pub fn with_projection(self, proj_size: usize) -> Result<Self> {
        if proj_size == 0 || proj_size >= self.hidden_size {
            let expected = "at least 1 and below hidden_size";
            return Err(Error::Size { name: "proj_size", expected, got: proj_size });
        }
        Ok(Self { output_size: proj_size, ..self })
    }

    /// Returns the same shape at another SIMD level; a level that this machine lacks is replaced by the
    /// portable one.
    ///
    /// ```
    /// use ragged_kernels::{Direction, PackedShape, SimdLevel};
    ///
    /// let shape = PackedShape::new(1, &[1, 1], 7, 16, Direction::Forward)?;
    /// assert_eq!(shape.with_simd(SimdLevel::Portable).simd(), SimdLevel::Portable);
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

    /// Returns I, the number of input features.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// Returns H, the number of hidden units.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// Returns P, the size of a hidden state: H, or less with a projection.
    pub fn output_size(&self) -> usize {
        self.output_size
    }

    /// Returns the order of the time steps.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Returns the SIMD level that kernels over this shape run at.
    pub fn simd(&self) -> SimdLevel {
        self.simd
    }

    /// The time steps in the order of the forward pass.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut start = 0;
        let mut steps: Vec<Step> = self
            .batch_sizes
            .iter()
            .map(|&batch_size| {
                let step = Step { start, batch_size };
                start += batch_size;
                step
            })
            .collect();
        if self.direction == Direction::Reverse {
            steps.reverse();
        }
        steps
    }
}

/// One time step: the packed rows `start..start + batch_size`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// The first row.
    pub(crate) start: usize,
    /// The number of sequences that take this step.
    pub(crate) batch_size: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_sizes_are_named() {
        let new = |batch, sizes: &'static [usize], i, h| {
            PackedShape::new(batch, sizes, i, h, Direction::Forward).map(|s| s.rows())
        };
        assert_eq!(new(3, &[3, 2, 1], 1, 1), Ok(6));
        assert_eq!(new(3, &[], 1, 1), Ok(0));
        assert_eq!(new(3, &[4], 1, 1), Err(Error::BatchSize { step: 0, max: 3, got: 4 }));
        assert_eq!(new(3, &[2, 3], 1, 1), Err(Error::BatchSize { step: 1, max: 2, got: 3 }));
        assert_eq!(new(3, &[2, 0], 1, 1), Err(Error::BatchSize { step: 1, max: 2, got: 0 }));
        let shape = PackedShape::new(1, &[1], 1, 4, Direction::Forward).unwrap();
        assert_eq!(shape.with_projection(3).unwrap().output_size(), 3);
        for size in [0, 4, 5] {
            assert!(matches!(
                shape.with_projection(size),
                Err(Error::Size { name: "proj_size", .. })
            ));
        }
        assert!(matches!(new(1, &[1], 0, 1), Err(Error::Size { name: "input_size", .. })));
        assert!(matches!(new(1, &[1], 1, usize::MAX / 2), Err(Error::Size { .. })));
    }
}
