//! The objective of a run: a loss whose targets may be scaled, with metrics in the units of the data.

use candle_core::Tensor;
use ragged_datasets::TargetKind;
use ragged_models::Crf;
use ragged_transforms::{Outputs, Standardize};

use crate::error::Result;
use crate::objective::crf::CrfLoss;
use crate::objective::criterion::Criterion;
use crate::objective::fused::{Terms, wide};
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::objective::spans::is_bio;
use crate::objective::targets::Targets;

/// One of the usual losses, computed on targets that are scaled, or the loss of a CRF. Its metrics are in the units of
/// the data.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_datasets::TargetKind;
/// use ragged_datasets::transforms::Standardize;
/// use ragged_train::Criterion;
/// use ragged_train::objective::{Loss, Objective, Targets};
///
/// let scale = Standardize { mean: vec![250_000.0], std: vec![1_000.0] };
/// let objective = Objective::new(Criterion::Mse, Some(scale), &TargetKind::Values(1));
/// let target = Tensor::new(&[[249_000f32], [251_000.0]], &Device::Cpu)?;
/// let targets = Targets::new(&target);
/// let prediction = Tensor::new(&[[0f32], [1.0]], &Device::Cpu)?;
///
/// let loss = objective.value(&prediction, &targets)?.to_scalar::<f32>()?;
/// assert_eq!(loss, 0.5);
/// let mut sum = objective.metrics();
/// objective.measure(loss.into(), &prediction, &targets, &mut sum)?;
/// assert_eq!(sum.finish().get("mae"), Some(500.0));
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Objective {
    criterion: Criterion,
    /// Replaces the criterion.
    crf: Option<CrfLoss>,
    outputs: Outputs,
    per_step: bool,
    /// The labels, if they are BIO tags of steps.
    spans: Option<Vec<String>>,
}

impl Objective {
    /// Creates an objective. `scale` is that of the targets, one entry per value, fitted to the training data.
    pub fn new(criterion: Criterion, scale: Option<Standardize>, targets: &TargetKind) -> Self {
        let outputs = Outputs { kind: criterion.output_kind(), scale };
        let per_step = targets.is_per_step();
        let bio = targets.labels().filter(|labels| per_step && is_bio(labels));
        Self { criterion, crf: None, outputs, per_step, spans: bio.map(<[String]>::to_vec) }
    }

    /// Returns the objective with the loss of a CRF, where there is one, instead of its loss.
    #[must_use]
    pub fn with_crf(self, crf: Option<&Crf>) -> Self {
        Self { crf: crf.cloned().map(CrfLoss::new), ..self }
    }

    /// Returns the loss, which that of a [CRF](Self::with_crf) replaces.
    pub fn criterion(&self) -> &Criterion {
        &self.criterion
    }

    /// Returns how predictions follow from the outputs of the model.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Returns what the loss is and in which units, in words.
    pub fn describe(&self) -> String {
        if self.crf.is_some() {
            return "negative log-likelihood of the CRF per step in nats".into();
        }
        let scaled = if self.outputs.scale.is_some() { " of standardised targets" } else { "" };
        format!("{}{scaled}", self.criterion.describe())
    }

    /// Returns targets in the units of the loss.
    fn scaled(&self, values: &Tensor) -> Result<Option<Tensor>> {
        let Some(Standardize { mean, std }) = &self.outputs.scale else { return Ok(None) };
        let mut scaled = wide(values)?;
        for row in scaled.chunks_exact_mut(mean.len()) {
            for ((value, mean), std) in row.iter_mut().zip(mean).zip(std) {
                *value = (*value - mean) / std;
            }
        }
        Ok(Some(Tensor::from_vec(scaled, values.shape(), values.device())?))
    }
}

impl Objective {
    /// Computes the terms of the loss, which is not that of a CRF or of lists of labels.
    pub(super) fn terms(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Terms> {
        let scaled = self.scaled(targets.values)?;
        let values = scaled.as_ref().unwrap_or(targets.values);
        self.criterion.terms(prediction, &Targets { values, ..*targets })
    }
}

impl Loss for Objective {
    fn value(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor> {
        if let Some(crf) = &self.crf {
            return crf.value(prediction, targets);
        }
        let scaled = self.scaled(targets.values)?;
        let values = scaled.as_ref().unwrap_or(targets.values);
        self.criterion.value(prediction, &Targets { values, ..*targets })
    }

    fn weight(&self, targets: &Targets<'_>) -> Result<f64> {
        match &self.crf {
            Some(crf) => crf.weight(targets),
            None => self.criterion.weight(targets),
        }
    }

    fn metrics(&self) -> MetricSum {
        let sum = match &self.crf {
            Some(crf) => crf.metrics(),
            None if self.criterion.is_for_classes() => MetricSum::of_classes(),
            None if self.criterion.is_for_transcription() => MetricSum::of_transcripts(),
            None => MetricSum::of_values(self.outputs.clone(), self.per_step),
        };
        match &self.spans {
            Some(labels) => sum.with_spans(labels),
            None => sum,
        }
    }

    fn decode(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Option<Vec<u32>>> {
        self.crf.as_ref().map_or(Ok(None), |crf| crf.decode(prediction, targets))
    }
}
