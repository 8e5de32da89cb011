//! The two losses, as means over the batch.

use candle_core::Tensor;
use candle_nn::loss;
use ragged_datasets::TargetKind;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What training makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The mean squared error of predictions `[B, O]` and targets `[B, O]`.
    Mse,
    /// The mean negative log-likelihood of class indices `[B]` under logits `[B, O]`.
    CrossEntropy,
}

impl Loss {
    /// The usual loss for a kind of target.
    pub fn for_targets(kind: &TargetKind) -> Self {
        match kind {
            TargetKind::Classes(_) | TargetKind::StepClasses(_) => Self::CrossEntropy,
            TargetKind::Values(_) | TargetKind::StepValues(_) => Self::Mse,
        }
    }

    /// How much a batch counts against others: the terms of its mean loss, which are its sequences,
    /// or its real steps where there is a target a step.
    ///
    /// # Errors
    ///
    /// Candle's, for a target without a batch dimension.
    pub fn weight(target: &Tensor) -> Result<f64> {
        Ok(target.dim(0)? as f64)
    }

    /// The loss of a batch, a scalar.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] where the shapes do not belong together.
    pub fn value(self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let fits = match self {
            Self::Mse => prediction.dims() == target.dims(),
            Self::CrossEntropy => {
                prediction.rank() == 2 && target.dims() == &prediction.dims()[..1]
            }
        };
        if !fits {
            let expected = format!("one for predictions of shape {:?}", prediction.dims());
            let got = format!("shape {:?}", target.dims());
            return Err(Error::Batch { name: "target", expected, got });
        }
        Ok(match self {
            Self::Mse => loss::mse(prediction, &target.to_dtype(prediction.dtype())?)?,
            Self::CrossEntropy => loss::cross_entropy(prediction, target)?,
        })
    }
}
