//! The values and gradients of the usual losses.

use candle_core::Tensor;
use ragged_transforms::Outputs;

use crate::error::{Error, Result};
use crate::objective::criterion::Criterion;
use crate::objective::fused::{Terms, mean, wide};
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::objective::targets::{MISSING_CLASS, Targets};
use crate::objective::{cross_entropy, transcription, value_terms};

impl Criterion {
    /// Computes the terms, after a check of the shapes.
    pub(super) fn terms(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Terms> {
        let values = targets.values;
        let &[rows, outputs] = prediction.dims() else {
            let got = prediction.dims().to_vec();
            return Err(Error::Rank { name: "predictions", expected: 2, got });
        };
        let per_value = self.outputs_per_value();
        let expected = match self.is_for_classes() {
            true => vec![rows],
            false => vec![rows, outputs / per_value],
        };
        if values.dims() != expected || !outputs.is_multiple_of(per_value) {
            let got = values.dims().to_vec();
            return Err(Error::Shape { name: "target".into(), expected, got });
        }
        let differentiate = prediction.track_op();
        let outputs = wide(prediction)?;
        if let Self::CrossEntropy { weight, label_smoothing } = self {
            let (classes, count) = (targets.classes()?, prediction.dim(1)?);
            let known = |class: &&u32| **class != MISSING_CLASS;
            if let Some(&class) =
                classes.iter().filter(known).max().filter(|&&c| c as usize >= count)
            {
                return Err(Error::Class { class, classes: count });
            }
            if !weight.is_empty() && weight.len() != count {
                let (expected, got) = (vec![count], vec![weight.len()]);
                return Err(Error::Shape { name: "class weights".into(), expected, got });
            }
            let smoothing = *label_smoothing;
            return Ok(cross_entropy::terms(&outputs, &classes, weight, smoothing, differentiate));
        }
        let count = expected[1];
        if let Self::Bce { pos_weight } = self
            && pos_weight.len() > 1
            && pos_weight.len() != count
        {
            let (expected, got) = (vec![count], vec![pos_weight.len()]);
            return Err(Error::Shape { name: "positive weights".into(), expected, got });
        }
        Ok(value_terms::terms(self, &outputs, &wide(values)?, count, differentiate))
    }
}

impl Loss for Criterion {
    fn value(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor> {
        if *self == Self::Ctc {
            return transcription::loss(prediction, targets);
        }
        mean(prediction, self.terms(prediction, targets)?)
    }

    fn weight(&self, targets: &Targets<'_>) -> Result<f64> {
        if let Self::CrossEntropy { weight, .. } = self {
            let classes = targets.classes()?;
            let known = classes.into_iter().filter(|&class| class != MISSING_CLASS);
            return Ok(known.fold(0.0, |sum, class| sum + cross_entropy::weight(weight, class)));
        }
        if let (Self::Ctc, Some(lengths)) = (self, targets.lengths) {
            return Ok(lengths.len() as f64);
        }
        let values = wide(targets.values)?;
        Ok(values.iter().filter(|value| !value.is_nan()).count() as f64)
    }

    fn metrics(&self) -> MetricSum {
        match self.is_for_classes() {
            true => MetricSum::of_classes(),
            false if *self == Self::Ctc => MetricSum::of_transcripts(),
            false => MetricSum::of_values(Outputs { kind: self.output_kind(), scale: None }, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn targets_of_another_shape_are_refused() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let error = |loss: &Criterion, prediction: &[usize], target: &[usize]| {
            let target = zeros(target);
            loss.value(&zeros(prediction), &Targets::new(&target)).unwrap_err().to_string()
        };
        let classes = Criterion::cross_entropy();
        let message = "target: expected shape [2, 3], got [2]";
        assert_eq!(error(&Criterion::Mse, &[2, 3], &[2]), message);
        let message = "target: expected shape [2], got [3]";
        assert_eq!(error(&classes, &[2, 3], &[3]), message);
        let message = "predictions: expected 2 dimensions, got shape [2]";
        assert_eq!(error(&classes, &[2], &[2]), message);
        let message = "target: expected shape [2, 1], got [2, 3]";
        assert_eq!(error(&Criterion::Gaussian, &[2, 3], &[2, 3]), message);
        let weights = Criterion::CrossEntropy { weight: vec![1.0], label_smoothing: 0.0 };
        let message = "class weights: expected shape [3], got [1]";
        assert_eq!(error(&weights, &[2, 3], &[2]), message);
        let class = Tensor::new(&[3u32], &Device::Cpu).unwrap();
        let error = classes.value(&zeros(&[1, 3]), &Targets::new(&class)).unwrap_err();
        assert_eq!(error.to_string(), "target class 3: expected a class below 3");
    }
}
