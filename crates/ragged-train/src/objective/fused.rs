//! A loss as one operation of candle's graph: its value and its gradient are computed together, in 64 bits.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor, bail};

use crate::error::Result;

/// The terms of a loss.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// The weighted sum of the terms.
    pub(super) sum: f64,
    /// The sum of the weights, or the number of terms.
    pub(super) weight: f64,
    /// The gradient of the sum with respect to the predictions, row-major; empty if it is not wanted.
    pub(super) gradient: Vec<f64>,
}

/// Returns the mean of the terms as a scalar that can be differentiated with respect to `prediction`. The mean of no
/// terms is 0, and its gradient too.
pub(super) fn mean(prediction: &Tensor, terms: Terms) -> Result<Tensor> {
    let weight = if terms.weight == 0.0 { 1.0 } else { terms.weight };
    let gradient = terms.gradient.into_iter().map(|slope| slope / weight).collect();
    scalar(prediction, terms.sum / weight, gradient)
}

/// Returns a scalar with this value and this gradient with respect to `prediction`, row-major. Without a gradient, it
/// cannot be differentiated.
pub(super) fn scalar(prediction: &Tensor, value: f64, gradient: Vec<f64>) -> Result<Tensor> {
    if gradient.is_empty() {
        return Ok(Tensor::new(value, prediction.device())?.to_dtype(prediction.dtype())?);
    }
    let gradient = Tensor::from_vec(gradient, prediction.shape(), prediction.device())?;
    let gradient = gradient.to_dtype(prediction.dtype())?;
    Ok(prediction.apply_op1(Mean { value, gradient })?)
}

/// The values of a tensor in 64 bits, row-major.
pub(super) fn wide(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// A value that is known already, with its gradient.
struct Mean {
    value: f64,
    gradient: Tensor,
}

impl CustomOp1 for Mean {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let value = match storage {
            CpuStorage::F32(_) => CpuStorage::F32(vec![self.value as f32]),
            CpuStorage::F64(_) => CpuStorage::F64(vec![self.value]),
            _ => bail!("loss: expected predictions of dtype f32 or f64"),
        };
        Ok((value, Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(self.gradient.broadcast_mul(grad)?))
    }
}
