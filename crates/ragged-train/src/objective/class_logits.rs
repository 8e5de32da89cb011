//! The outputs of a model that are logits of classes: whether they are finite, and what they predict.

use candle_core::{D, DType, Tensor};

use crate::error::Result;

/// The most probable classes that count for the metric `top5`.
pub(super) const TOP: usize = 5;

/// Returns whether every output is finite.
pub(super) fn all_finite(prediction: &Tensor) -> Result<bool> {
    // The maximum of each row is finite unless an output is NaN or positive infinity.
    let largest = prediction.max(D::Minus1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let sum = prediction.sum(D::Minus1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    Ok(largest.iter().chain(&sum).all(|value| value.is_finite()))
}

/// Returns the predicted class of each row.
pub(super) fn classes(prediction: &Tensor, decoded: Option<&[u32]>) -> Result<Vec<u32>> {
    match decoded {
        Some(classes) => Ok(classes.to_vec()),
        None => Ok(prediction.argmax(D::Minus1)?.to_vec1()?),
    }
}

/// Returns the number of classes that are more probable than `class`. Of equal ones, the first is.
pub(super) fn rank(logits: &[f64], class: u32) -> usize {
    let class = class as usize;
    let before = |(k, x): (usize, &f64)| *x > logits[class] || (*x == logits[class] && k < class);
    logits.iter().enumerate().filter(|&pair| before(pair)).count()
}
