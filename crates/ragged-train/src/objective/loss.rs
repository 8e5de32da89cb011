//! The losses, as means over the batch.

use candle_core::Tensor;
use candle_nn::loss;
use ragged_datasets::TargetKind;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The loss to minimise.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_train::Loss;
///
/// let prediction = Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1f32], [4.0]], &Device::Cpu)?;
/// assert_eq!(Loss::Mse.value(&prediction, &target)?.to_scalar::<f32>()?, 2.0);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The mean squared error of predictions `[B, O]` and targets `[B, O]`.
    Mse,
    /// The mean negative log-likelihood of class indices `[B]` under logits `[B, O]`.
    CrossEntropy,
}

impl Loss {
    /// Returns the usual loss for a kind of target: cross-entropy for classes, and the mean squared
    /// error for values.
    pub fn for_targets(kind: &TargetKind) -> Self {
        match kind {
            TargetKind::Classes(_) | TargetKind::StepClasses(_) => Self::CrossEntropy,
            TargetKind::Values(_) | TargetKind::StepValues(_) => Self::Mse,
        }
    }

    /// Returns the weight of a batch relative to other batches: the number of terms of its mean loss.
    /// These are its sequences, or its real time steps where there is one target per step.
    ///
    /// # Errors
    ///
    /// Errors from candle, for a target without a batch dimension.
    pub fn weight(target: &Tensor) -> Result<f64> {
        Ok(target.dim(0)? as f64)
    }

    /// Returns the loss of a batch, a scalar that can be differentiated.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] and [`Error::Rank`] where the target does not fit the predictions.
    pub fn value(self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let expected = match self {
            Self::Mse => prediction.dims(),
            Self::CrossEntropy => match prediction.dims() {
                [batch, _] => &[*batch],
                dims => {
                    let got = dims.to_vec();
                    return Err(Error::Rank { name: "predictions", expected: 2, got });
                }
            },
        };
        if target.dims() != expected {
            let (expected, got) = (expected.to_vec(), target.dims().to_vec());
            return Err(Error::Shape { name: "target".into(), expected, got });
        }
        Ok(match self {
            Self::Mse => loss::mse(prediction, &target.to_dtype(prediction.dtype())?)?,
            Self::CrossEntropy => loss::cross_entropy(prediction, target)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn targets_of_another_shape_are_refused() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let error = |loss: Loss, prediction: &[usize], target: &[usize]| {
            loss.value(&zeros(prediction), &zeros(target)).unwrap_err().to_string()
        };
        let message = "target: expected shape [2, 3], got [2]";
        assert_eq!(error(Loss::Mse, &[2, 3], &[2]), message);
        let message = "target: expected shape [2], got [3]";
        assert_eq!(error(Loss::CrossEntropy, &[2, 3], &[3]), message);
        let message = "predictions: expected 2 dimensions, got shape [2]";
        assert_eq!(error(Loss::CrossEntropy, &[2], &[2]), message);
    }
}
