//! Metrics, accumulated over the batches of a data set.

use candle_core::{D, DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::exact_float;
use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::loss::Loss;

/// The metrics of one pass over a data set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The mean loss per example, or per real time step where there is one target per step.
    #[serde(with = "exact_float")]
    pub loss: f64,
    /// The coefficient of determination, for values: one minus the squared error divided by the
    /// variance of the targets, averaged over the outputs. An output whose targets are all equal has
    /// none; NaN where that holds for every output.
    #[serde(default, with = "exact_float", skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// The fraction of correctly predicted classes, for classes. NaN where a prediction is not finite.
    #[serde(default, with = "exact_float", skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The F1 score averaged over the classes with equal weights, for classes.
    #[serde(default, with = "exact_float", skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
}

impl Metrics {
    /// Returns the name and value of the metric that is usually quoted: R2 for values, the accuracy
    /// for classes. NaN where the metric is undefined.
    pub fn headline(&self) -> (&'static str, f64) {
        match (self.r2, self.accuracy) {
            (Some(r2), _) => ("R2", r2),
            (_, Some(accuracy)) => ("accuracy", accuracy),
            _ => ("loss", self.loss),
        }
    }
}

/// Accumulates [`Metrics`] batch by batch, in `f64`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_train::Loss;
/// use ragged_train::objective::MetricSum;
///
/// let logits = Tensor::new(&[[1f32, 3.0], [5.0, 4.0]], &Device::Cpu)?;
/// let classes = Tensor::new(&[1u32, 1], &Device::Cpu)?;
/// let loss = Loss::CrossEntropy.value(&logits, &classes)?.to_scalar::<f32>()?;
/// let mut sum = MetricSum::new(Loss::CrossEntropy);
/// sum.add(loss.into(), &logits, &classes)?;
/// assert_eq!(sum.finish().accuracy, Some(0.5));
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSum {
    loss: Loss,
    #[serde(with = "exact_float")]
    examples: f64,
    #[serde(with = "exact_float")]
    loss_sum: f64,
    /// Whether a prediction was NaN or infinite.
    non_finite: bool,
    confusion: ConfusionMatrix,
    /// Per output: the squared errors, and the running mean and squared deviations (Welford 1962).
    #[serde(with = "exact_float")]
    values: Vec<[f64; 3]>,
}

impl MetricSum {
    /// Creates an empty sum.
    pub fn new(loss: Loss) -> Self {
        let (confusion, values) = (ConfusionMatrix::default(), vec![]);
        Self { loss, examples: 0.0, loss_sum: 0.0, non_finite: false, confusion, values }
    }

    /// Adds a batch, given by its mean loss, its predictions `[B, O]` and its targets. A batch without
    /// predictions, such as one of empty sequences with a target per step, adds nothing.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn add(&mut self, loss: f64, prediction: &Tensor, target: &Tensor) -> Result<()> {
        let batch = prediction.dim(0)? as f64;
        if batch == 0.0 {
            return Ok(());
        }
        self.loss_sum += loss * batch;
        match self.loss {
            Loss::CrossEntropy => {
                // The maximum of each row is finite unless a logit is NaN or positive infinity.
                let largest = prediction.max(D::Minus1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                let sum = prediction.sum(D::Minus1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                self.non_finite |= !largest.iter().chain(&sum).all(|value| value.is_finite());
                let guess = prediction.argmax(D::Minus1)?.to_vec1::<u32>()?;
                let target = target.to_dtype(DType::U32)?.to_vec1::<u32>()?;
                self.confusion.add(prediction.dim(1)?, &target, &guess);
                self.examples += batch;
            }
            Loss::Mse => {
                let prediction = prediction.to_dtype(DType::F64)?.to_vec2::<f64>()?;
                let target = target.to_dtype(DType::F64)?.to_vec2::<f64>()?;
                for (prediction, target) in prediction.iter().zip(&target) {
                    self.examples += 1.0;
                    self.values.resize(target.len(), [0.0; 3]);
                    for (sums, (p, t)) in self.values.iter_mut().zip(prediction.iter().zip(target))
                    {
                        let [errors, mean, deviations] = sums;
                        *errors += (p - t) * (p - t);
                        let before = t - *mean;
                        *mean += before / self.examples;
                        *deviations += before * (t - *mean);
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the confusion matrix, for classes.
    pub fn confusion(&self) -> Option<&ConfusionMatrix> {
        (self.loss == Loss::CrossEntropy).then_some(&self.confusion)
    }

    /// Returns the metrics of all batches so far.
    pub fn finish(&self) -> Metrics {
        let varying = self.values.iter().filter(|[_, _, deviations]| *deviations != 0.0);
        let r2: Vec<f64> =
            varying.map(|[errors, _, deviations]| 1.0 - errors / deviations).collect();
        let mean_r2 =
            if r2.is_empty() { f64::NAN } else { r2.iter().sum::<f64>() / r2.len() as f64 };
        let confusion = self.confusion();
        // The largest of logits that contain NaN is no prediction.
        let defined = |value: f64| if self.non_finite { f64::NAN } else { value };
        Metrics {
            loss: self.loss_sum / self.examples,
            r2: (self.loss == Loss::Mse).then_some(mean_r2),
            accuracy: confusion.map(ConfusionMatrix::accuracy).map(defined),
            f1: confusion.map(ConfusionMatrix::mean_f1).map(defined),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn r2_equals_scikit_learns_for_any_batches() {
        let (p, t) = ([2.5f64, 0.0, 2.0, 8.0], [3.0f64, -0.5, 2.0, 7.0]);
        let column = |v: &[f64]| Tensor::from_slice(v, (v.len(), 1), &Device::Cpu).unwrap();
        for split in 1..4 {
            let mut sum = MetricSum::new(Loss::Mse);
            for (p, t) in [(&p[..split], &t[..split]), (&p[split..], &t[split..])] {
                let loss = Loss::Mse.value(&column(p), &column(t)).unwrap();
                sum.add(loss.to_scalar().unwrap(), &column(p), &column(t)).unwrap();
            }
            let metrics = sum.finish();
            // The example in the documentation of scikit-learn's `r2_score`.
            assert!((metrics.r2.unwrap() - 0.9486081370449679).abs() < 1e-15);
            assert!((metrics.loss - 0.375).abs() < 1e-15);
            assert_eq!(metrics.headline().0, "R2");
        }
    }

    /// scikit-learn returns 0 here, and minus infinity before its version 1.1.
    #[test]
    fn r2_of_constant_targets_is_undefined() {
        let pairs = |v: [[f64; 2]; 2]| Tensor::new(&v, &Device::Cpu).unwrap();
        let mut sum = MetricSum::new(Loss::Mse);
        // The first output's targets are all 3; the second output has R2 = 1 - 1 / 2.
        let (prediction, target) =
            (pairs([[3.5, 1.0], [2.0, 4.0]]), pairs([[3.0, 1.0], [3.0, 3.0]]));
        sum.add(1.0, &prediction, &target).unwrap();
        assert_eq!(sum.finish().r2, Some(0.5));
        let mut sum = MetricSum::new(Loss::Mse);
        sum.add(1.0, &prediction.narrow(1, 0, 1).unwrap(), &target.narrow(1, 0, 1).unwrap())
            .unwrap();
        assert!(sum.finish().r2.unwrap().is_nan());
        assert!(sum.finish().headline().1.is_nan());
    }

    #[test]
    fn nan_logits_are_no_prediction() {
        let target = Tensor::new(&[0u32, 1], &Device::Cpu).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let logits = Tensor::new(&[[1f32, bad], [0.0, 1.0]], &Device::Cpu).unwrap();
            let mut sum = MetricSum::new(Loss::CrossEntropy);
            sum.add(f64::NAN, &logits, &target).unwrap();
            let metrics = sum.finish();
            assert!(metrics.accuracy.unwrap().is_nan() && metrics.f1.unwrap().is_nan(), "{bad}");
        }
    }

    #[test]
    fn a_batch_without_predictions_adds_nothing() {
        let empty = Tensor::zeros((0, 2), DType::F32, &Device::Cpu).unwrap();
        let none = Tensor::zeros(0, DType::U32, &Device::Cpu).unwrap();
        let mut sum = MetricSum::new(Loss::CrossEntropy);
        sum.add(f64::NAN, &empty, &none).unwrap();
        assert_eq!(sum, MetricSum::new(Loss::CrossEntropy));
    }

    #[test]
    fn accuracy_counts_the_largest_logit() {
        let logits = Tensor::new(&[[1f32, 3.0, 2.0], [5.0, 4.0, 0.0]], &Device::Cpu).unwrap();
        let target = Tensor::new(&[1u32, 1], &Device::Cpu).unwrap();
        let mut sum = MetricSum::new(Loss::CrossEntropy);
        sum.add(0.5, &logits, &target).unwrap();
        assert_eq!(sum.finish().accuracy, Some(0.5));
        assert_eq!(sum.confusion().unwrap().count(1, 0), 1);
    }
}
