//! The geometry of one recurrent layer and direction over packed rows.

use crate::{Error, Result, SimdLevel};

/// The order in which a direction walks through time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first step to the last.
    Forward,
    /// From each sequence's own last step to its first.
    Reverse,
}

/// Sizes of one layer and direction, checked once so that the kernels can rely on them.
///
/// Row `offset(t) + b` of a packed `[N, ..]` matrix is step `t` of the `b`-th longest sequence, and
/// `batch_sizes[t]` counts the sequences that are longer than `t`. Sequences of length zero own no
/// row: they are the last `B - batch_sizes[0]` rows of the states.
#[derive(Debug, Clone, Copy)]
pub struct PackedShape<'a> {
    batch: usize,
    batch_sizes: &'a [usize],
    rows: usize,
    input_size: usize,
    hidden_size: usize,
    output_size: usize,
    direction: Direction,
    simd: SimdLevel,
}

impl<'a> PackedShape<'a> {
    /// `batch` is B, with the sequences of length zero; `batch_sizes` one number a time step.
    ///
    /// # Errors
    ///
    /// [`Error::BatchSize`] where `batch_sizes` grows, holds a zero or starts above `batch`;
    /// [`Error::Size`] for a size of zero or one whose matrices cannot be addressed.
    pub fn new(
        batch: usize,
        batch_sizes: &'a [usize],
        input_size: usize,
        hidden_size: usize,
        direction: Direction,
    ) -> Result<Self> {
        for (name, got) in [("input_size", input_size), ("hidden_size", hidden_size)] {
            if got == 0 {
                return Err(Error::Size { name, got, expected: "at least 1" });
            }
        }
        let (mut most, mut rows) = (batch, 0usize);
        for (step, &got) in batch_sizes.iter().enumerate() {
            if got == 0 || got > most {
                return Err(Error::BatchSize { step, got, most });
            }
            most = got;
            rows = rows.saturating_add(got);
        }
        // The largest slices: gates [N, 4H], weights [4H, max(I, H)], input [N, I], states [B, H].
        let widest = input_size.max(hidden_size.saturating_mul(4));
        for (name, got) in [("rows", rows), ("batch", batch), ("hidden_size", hidden_size)] {
            if widest.checked_mul(got).is_none_or(|n| n > isize::MAX as usize / 16) {
                return Err(Error::Size { name, got, expected: "a size that fits in memory" });
            }
        }
        let (output_size, simd) = (hidden_size, SimdLevel::current());
        Ok(Self { batch, batch_sizes, rows, input_size, hidden_size, output_size, direction, simd })
    }

    /// The same shape with hidden states of `proj_size` numbers (P), projections of the units: the
    /// LSTM of Sak, Senior and Beaufays 2014.
    ///
    /// # Errors
    ///
    /// [`Error::Size`] unless P is at least 1 and below H.
    pub fn with_projection(self, proj_size: usize) -> Result<Self> {
        if proj_size == 0 || proj_size >= self.hidden_size {
            let expected = "at least 1 and below hidden_size";
            return Err(Error::Size { name: "proj_size", got: proj_size, expected });
        }
        Ok(Self { output_size: proj_size, ..self })
    }

    /// B, the number of sequences.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The number of sequences that are running at each time step.
    pub fn batch_sizes(&self) -> &'a [usize] {
        self.batch_sizes
    }

    /// N, the number of packed rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// I, the number of input features.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// H, the number of hidden units.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// P, the numbers of a hidden state: H, or fewer with a projection.
    pub fn output_size(&self) -> usize {
        self.output_size
    }

    /// The way through time.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The SIMD level that kernels over this shape run at.
    pub fn simd(&self) -> SimdLevel {
        self.simd
    }

    /// The same shape at another level; one that this machine lacks becomes the portable one.
    pub fn with_simd(self, level: SimdLevel) -> Self {
        let there = SimdLevel::available().contains(&level);
        Self { simd: if there { level } else { SimdLevel::Portable }, ..self }
    }

    /// The steps in the order in which the forward pass takes them, each as the range of its rows.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut start = 0;
        let mut steps: Vec<Step> = self
            .batch_sizes
            .iter()
            .map(|&running| {
                let step = Step { start, running };
                start += running;
                step
            })
            .collect();
        if self.direction == Direction::Reverse {
            steps.reverse();
        }
        steps
    }
}

/// One time step: rows `start..start + running`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) start: usize,
    pub(crate) running: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_geometry_is_named() {
        let new = |batch, sizes: &'static [usize], i, h| {
            PackedShape::new(batch, sizes, i, h, Direction::Forward).map(|s| s.rows())
        };
        assert_eq!(new(3, &[3, 2, 1], 1, 1), Ok(6));
        assert_eq!(new(3, &[], 1, 1), Ok(0));
        assert_eq!(new(3, &[4], 1, 1), Err(Error::BatchSize { step: 0, got: 4, most: 3 }));
        assert_eq!(new(3, &[2, 3], 1, 1), Err(Error::BatchSize { step: 1, got: 3, most: 2 }));
        assert_eq!(new(3, &[2, 0], 1, 1), Err(Error::BatchSize { step: 1, got: 0, most: 2 }));
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
