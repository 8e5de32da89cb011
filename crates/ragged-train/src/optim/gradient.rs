//! The gradient of one parameter.

use candle_core::Tensor;

use crate::error::Result;

/// The gradient of one parameter.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_train::optim::Gradient;
///
/// let rows = |ids: [u32; 2], rows: [[f32; 2]; 2]| -> candle_core::Result<Gradient> {
///     Ok(Gradient::Rows { ids: ids.to_vec(), rows: Tensor::new(&rows, &Device::Cpu)? })
/// };
/// let one = rows([1, 3], [[1.0, 2.0], [3.0, 4.0]])?;
/// let Gradient::Rows { ids, rows } = one.sum_with(rows([0, 3], [[5.0, 6.0], [1.0, 1.0]])?)? else {
///     panic!("the sum of gradients of rows is one of rows");
/// };
/// assert_eq!(ids, [0, 1, 3]);
/// assert_eq!(rows.to_vec2::<f32>()?, [[5.0, 6.0], [1.0, 2.0], [4.0, 5.0]]);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub enum Gradient {
    /// That of every element, in the shape of the parameter.
    Dense(Tensor),
    /// That of some rows of a table; that of the other rows is zero.
    Rows {
        /// The rows, in increasing order.
        ids: Vec<u32>,
        /// `[ids, E]`.
        rows: Tensor,
    },
}

impl Gradient {
    /// Returns the elements that may differ from zero.
    pub fn elements(&self) -> &Tensor {
        match self {
            Self::Dense(gradient) => gradient,
            Self::Rows { rows, .. } => rows,
        }
    }

    /// Adds the gradient of the same parameter from another batch.
    ///
    /// # Errors
    ///
    /// Errors from candle, where the shapes do not fit.
    pub fn sum_with(self, other: Self) -> Result<Self> {
        Ok(match (self, other) {
            (Self::Rows { ids, .. }, one) | (one, Self::Rows { ids, .. }) if ids.is_empty() => one,
            (Self::Dense(one), Self::Dense(other)) => Self::Dense((one + other)?),
            (Self::Rows { ids, rows }, Self::Rows { ids: other_ids, rows: other }) => {
                let both = [ids, other_ids].concat();
                let mut ids = both.clone();
                ids.sort_unstable();
                ids.dedup();
                let place = |id: &u32| ids.partition_point(|distinct| distinct < id) as u32;
                let places: Vec<u32> = both.iter().map(place).collect();
                let sum = Tensor::zeros((ids.len(), rows.dim(1)?), rows.dtype(), rows.device())?;
                let places = Tensor::new(places, rows.device())?;
                let rows = sum.index_add(&places, &Tensor::cat(&[rows, other], 0)?, 0)?;
                Self::Rows { ids, rows }
            }
            (Self::Dense(dense), Self::Rows { ids, rows })
            | (Self::Rows { ids, rows }, Self::Dense(dense)) => {
                let ids = Tensor::new(ids, dense.device())?;
                Self::Dense(dense.index_add(&ids, &rows, 0)?)
            }
        })
    }

    /// Replaces the elements that may differ from zero by a function of them that keeps their shape.
    pub(crate) fn map(
        &mut self,
        f: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<()> {
        match self {
            Self::Dense(gradient) => *gradient = f(gradient)?,
            Self::Rows { rows, .. } => *rows = f(rows)?,
        }
        Ok(())
    }
}
