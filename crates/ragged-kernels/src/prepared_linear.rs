//! The weights of a linear layer, packed once for many calls.

use crate::check::check_len;
use crate::error::{Error, Result};
use crate::layer::Element;
use crate::passes::linear::LinearWeights;
use crate::simd::level::SimdLevel;

/// A linear layer `y = W x + b`, such as the head of a model, with weights in the order in which the product reads
/// them.
///
/// The result of a row does not depend on the other rows, in any bit.
///
/// ```
/// use ragged_kernels::PreparedLinear;
///
/// // Two inputs, three outputs.
/// let weight = [1.0f32, 0.0, 0.0, 1.0, 1.0, 1.0];
/// let linear = PreparedLinear::new(2, &weight, &[0.5, 0.0, 0.0])?;
/// let mut y = [0.0; 3];
/// linear.forward(&[2.0, 3.0], &mut y)?;
/// assert_eq!(y, [2.5, 3.0, 5.0]);
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedLinear<T: Element>(LinearWeights<T>);

impl<T: Element> PreparedLinear<T> {
    /// Packs a weight `[O, I]` with the bias `[O]`, at the [current](SimdLevel::current) SIMD level. `input_size`
    /// is I.
    ///
    /// # Errors
    ///
    /// [`Error::Size`] for an I of zero, [`Error::Length`] for a weight of another size.
    pub fn new(input_size: usize, weight: &[T], bias: &[T]) -> Result<Self> {
        Self::at_level(SimdLevel::current()?, input_size, weight, bias)
    }

    /// As [`new`](Self::new), at another level; a level that this machine lacks is replaced by the portable one.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at_level(level: SimdLevel, input_size: usize, weight: &[T], bias: &[T]) -> Result<Self> {
        if input_size == 0 {
            let (name, expected) = ("input_size", "at least 1");
            return Err(Error::Size { name, expected, got: 0 });
        }
        let expected = bias.len().saturating_mul(input_size);
        check_len("weight", "O x I", weight.len(), expected)?;
        let available = SimdLevel::available().contains(&level);
        let level = if available { level } else { SimdLevel::Portable };
        Ok(Self(LinearWeights::pack(level, input_size, weight, bias)))
    }

    /// Stores `W x + b` for each row of `x` `[N, I]` in `y` `[N, O]`.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for an `x` that is not whole rows, or a `y` of another size.
    pub fn forward(&self, x: &[T], y: &mut [T]) -> Result<()> {
        let rows = x.len() / self.input_size();
        check_len("x", "N x I", x.len(), rows * self.input_size())?;
        // No slice has as many elements as a product that saturates.
        check_len("y", "N x O", y.len(), rows.saturating_mul(self.output_size()))?;
        T::linear(&self.0, x, y);
        Ok(())
    }

    /// Returns I, the number of inputs.
    pub fn input_size(&self) -> usize {
        self.0.input_size
    }

    /// Returns O, the number of outputs.
    pub fn output_size(&self) -> usize {
        self.0.output_size
    }

    /// Returns the SIMD level at which the weights were packed.
    pub fn simd(&self) -> SimdLevel {
        self.0.level
    }
}
