//! Metrics, accumulated over the batches of a data set.

use std::collections::BTreeMap;

use candle_core::{D, DType, Tensor};
use ragged_transforms::{OutputKind, Outputs};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::exact_float;
use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::fused::wide;
use crate::objective::label_sums::LabelSums;
use crate::objective::metrics::Metrics;
use crate::objective::scores::Scores;
use crate::objective::softmax::softmax;
use crate::objective::span_sums::{NAMES as SPAN_NAMES, SpanSums};
use crate::objective::targets::{MISSING_CLASS, Targets};
use crate::objective::transcript_sums::{NAMES as RATES, TranscriptSums};
use crate::objective::transcription::{self, transcribe};
use crate::objective::value_sums::{ValueSums, predictions};

/// The most probable classes that count for the metric `top5`.
const TOP: usize = 5;

/// Accumulates [`Metrics`] batch by batch, in `f64`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_train::Criterion;
/// use ragged_train::objective::{Loss, Targets};
///
/// let logits = Tensor::new(&[[1f32, 3.0], [5.0, 4.0]], &Device::Cpu)?;
/// let classes = Tensor::new(&[1u32, 1], &Device::Cpu)?;
/// let (loss, targets) = (Criterion::cross_entropy(), Targets::new(&classes));
/// let value = loss.value(&logits, &targets)?.to_scalar::<f32>()?;
/// let mut sum = loss.metrics();
/// loss.measure(value.into(), &logits, &targets, &mut sum)?;
/// assert_eq!(sum.finish().accuracy(), Some(0.5));
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSum {
    #[serde(with = "exact_float")]
    weight: f64,
    #[serde(with = "exact_float")]
    loss_sum: f64,
    measured: Measured,
    /// Sums of other metrics by name, multiplied by the weights of the batches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    own: BTreeMap<String, OwnSum>,
    /// The spans of classes that are BIO tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spans: Option<SpanSums>,
    /// The scores for the area under the ROC curve, in evaluations. They are not saved.
    #[serde(skip)]
    scores: Option<Scores>,
}

/// What is measured besides the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measured {
    Nothing,
    Classes {
        confusion: ConfusionMatrix,
        top: u64,
        rows: u64,
        non_finite: bool,
    },
    /// Classes that are decoded from whole sequences of outputs, which are then no logits of single classes.
    Paths {
        confusion: ConfusionMatrix,
        non_finite: bool,
    },
    Labels {
        sums: LabelSums,
        non_finite: bool,
    },
    Values(ValueSums),
    Transcripts(TranscriptSums),
}

/// The sum of a metric of a program.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnSum {
    #[serde(with = "exact_float")]
    sum: f64,
    #[serde(with = "exact_float")]
    weight: f64,
}

impl MetricSum {
    /// Creates an empty sum that measures the loss only.
    pub fn loss_only() -> Self {
        Self::new(Measured::Nothing)
    }

    /// Creates an empty sum for classes under logits.
    pub fn of_classes() -> Self {
        let confusion = ConfusionMatrix::default();
        Self::new(Measured::Classes { confusion, top: 0, rows: 0, non_finite: false })
    }

    /// Creates an empty sum for classes that are decoded from whole sequences ([`Loss::decode`]).
    ///
    /// [`Loss::decode`]: crate::objective::Loss::decode
    pub fn of_paths() -> Self {
        Self::new(Measured::Paths { confusion: ConfusionMatrix::default(), non_finite: false })
    }

    /// Creates an empty sum for lists of labels, which are decoded from the outputs without a beam.
    pub fn of_transcripts() -> Self {
        Self::new(Measured::Transcripts(TranscriptSums::default()))
    }

    /// Creates an empty sum for values, or for labels that are 0 or 1 where the outputs are logits. The metrics are
    /// those of the predictions that follow from the outputs. `per_step` is whether each packed time step has a target,
    /// which is then also compared with the target before it.
    pub fn of_values(outputs: Outputs, per_step: bool) -> Self {
        Self::new(match outputs.kind {
            OutputKind::Logit => Measured::Labels { sums: LabelSums::default(), non_finite: false },
            _ => Measured::Values(ValueSums::new(outputs, per_step)),
        })
    }

    fn new(measured: Measured) -> Self {
        let (own, spans, scores) = (BTreeMap::new(), None, None);
        Self { weight: 0.0, loss_sum: 0.0, measured, own, spans, scores }
    }

    /// Also measures spans, for classes per packed time step with these BIO tags ([`bio_spans`]).
    ///
    /// [`bio_spans`]: crate::objective::bio_spans
    #[must_use]
    pub fn with_spans(mut self, labels: &[String]) -> Self {
        self.spans = Some(SpanSums::new(labels));
        self
    }

    /// Keeps the scores of all examples, which the area under the ROC curve needs. They are not serialised.
    #[must_use]
    pub fn with_scores(mut self) -> Self {
        self.scores = Some(Scores::default());
        self
    }

    /// Returns the names of the metrics that may be measured.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = vec!["loss"];
        names.extend(match &self.measured {
            Measured::Nothing => vec![],
            Measured::Classes { .. } => {
                vec!["accuracy", "balanced_accuracy", "f1", "top5", "auc"]
            }
            Measured::Paths { .. } => vec!["accuracy", "balanced_accuracy", "f1"],
            Measured::Labels { .. } => vec!["f1", "f1_micro", "accuracy", "auc"],
            Measured::Values(sums) => sums.finish().into_iter().map(|(name, _)| name).collect(),
            Measured::Transcripts(_) => RATES.to_vec(),
        });
        names.extend(self.spans.iter().flat_map(|_| SPAN_NAMES));
        names
    }

    /// Adds a batch, given by its mean loss, its weight relative to other batches, further metrics by name, its
    /// predictions `[B, O]`, the classes that are [decoded](crate::objective::Loss::decode) from them if they are not
    /// those of the largest outputs, and its targets. A batch without predictions, such as one of empty sequences with a target
    /// per step, adds nothing. [`Loss::measure`](crate::objective::Loss::measure) calls this.
    ///
    /// # Errors
    ///
    /// Errors from candle.
    pub fn add(
        &mut self,
        value: f64,
        weight: f64,
        own: &[(String, f64)],
        prediction: &Tensor,
        decoded: Option<&[u32]>,
        targets: &Targets<'_>,
    ) -> Result<()> {
        // A list of labels may belong to a sequence without steps.
        if prediction.dim(0)? == 0 && targets.lengths.is_none() {
            return Ok(());
        }
        if weight > 0.0 {
            self.loss_sum += value * weight;
            self.weight += weight;
            for (name, value) in own {
                let own = self.own.entry(name.clone()).or_default();
                own.sum += value * weight;
                own.weight += weight;
            }
        }
        match &mut self.measured {
            Measured::Nothing => {}
            Measured::Paths { confusion, non_finite } => {
                *non_finite |= !all_finite(prediction)?;
                let (wanted, guess) = (targets.classes()?, classes(prediction, decoded)?);
                confusion.add(prediction.dim(1)?, &wanted, &guess);
                add_spans(&mut self.spans, targets, &guess, &wanted);
            }
            Measured::Classes { confusion, top, rows, non_finite } => {
                *non_finite |= !all_finite(prediction)?;
                let (wanted, guess) = (targets.classes()?, classes(prediction, decoded)?);
                let count = prediction.dim(1)?;
                confusion.add(count, &wanted, &guess);
                add_spans(&mut self.spans, targets, &guess, &wanted);
                if count > TOP {
                    let logits = wide(prediction)?;
                    for (row, &class) in logits.chunks_exact(count).zip(&wanted) {
                        *top += u64::from(class != MISSING_CLASS && rank(row, class) < TOP);
                        *rows += u64::from(class != MISSING_CLASS);
                    }
                }
                if let Some(scores) = &mut self.scores {
                    let mut probabilities = wide(prediction)?;
                    probabilities.chunks_exact_mut(count).for_each(softmax);
                    let present = wanted.iter().flat_map(|&class| {
                        let known = class != MISSING_CLASS;
                        (0..count as u32).map(move |k| known.then_some(k == class))
                    });
                    scores.add(count, &probabilities, present);
                }
            }
            Measured::Labels { sums, non_finite } => {
                let logits = Outputs { kind: OutputKind::Logit, scale: None };
                let (p, wanted) = (predictions(&logits, prediction)?, wide(targets.values)?);
                *non_finite |= !p.iter().all(|p| p.is_finite());
                let count = prediction.dim(1)?;
                sums.add(&p, &wanted, count);
                if let Some(scores) = &mut self.scores {
                    let present = wanted.iter().map(|y| (!y.is_nan()).then_some(*y > 0.5));
                    scores.add(count, &wide(prediction)?, present);
                }
            }
            Measured::Values(sums) => sums.add(prediction, targets)?,
            Measured::Transcripts(sums) => {
                let (layout, wanted) = transcription::lists(prediction, targets)?;
                let finite = wide(prediction)?.iter().all(|output| output.is_finite());
                sums.add(&transcribe(prediction, layout, 1)?, &wanted, finite);
            }
        }
        Ok(())
    }

    /// Returns the confusion matrix, for classes.
    pub fn confusion(&self) -> Option<&ConfusionMatrix> {
        match &self.measured {
            Measured::Classes { confusion, .. } | Measured::Paths { confusion, .. } => {
                Some(confusion)
            }
            _ => None,
        }
    }

    /// Returns the metrics of all batches so far.
    pub fn finish(&self) -> Metrics {
        let area = |exclusive| self.scores.as_ref().map(|s| ("auc", s.area(exclusive)));
        let (mut others, non_finite) = match &self.measured {
            Measured::Nothing => (vec![], false),
            Measured::Paths { confusion, non_finite } => (of_confusion(confusion), *non_finite),
            Measured::Classes { confusion, top, rows, non_finite } => {
                let mut metrics = of_confusion(confusion);
                if confusion.classes() > TOP {
                    metrics.push(("top5", *top as f64 / *rows as f64));
                }
                metrics.extend(area(true));
                (metrics, *non_finite)
            }
            Measured::Labels { sums, non_finite } => {
                let mut metrics = sums.finish();
                metrics.extend(area(false));
                (metrics, *non_finite)
            }
            Measured::Values(sums) => (sums.finish(), false),
            Measured::Transcripts(sums) => (sums.finish(), false),
        };
        others.extend(self.spans.iter().flat_map(SpanSums::finish));
        for (_, value) in &mut others {
            // The largest of logits that contain NaN is no prediction. 0 / 0 has other bits on other processors.
            if non_finite || value.is_nan() {
                *value = f64::NAN;
            }
        }
        let mut others: Vec<_> =
            others.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        others.extend(self.own.iter().map(|(name, own)| (name.clone(), own.sum / own.weight)));
        Metrics { loss: self.loss_sum / self.weight, others }
    }
}

/// Returns whether every output is finite.
fn all_finite(prediction: &Tensor) -> Result<bool> {
    // The maximum of each row is finite unless an output is NaN or positive infinity.
    let largest = prediction.max(D::Minus1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let sum = prediction.sum(D::Minus1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    Ok(largest.iter().chain(&sum).all(|value| value.is_finite()))
}

/// Returns the predicted class of each row.
fn classes(prediction: &Tensor, decoded: Option<&[u32]>) -> Result<Vec<u32>> {
    match decoded {
        Some(classes) => Ok(classes.to_vec()),
        None => Ok(prediction.argmax(D::Minus1)?.to_vec1()?),
    }
}

fn add_spans(spans: &mut Option<SpanSums>, targets: &Targets<'_>, guess: &[u32], wanted: &[u32]) {
    if let (Some(spans), Some(layout)) = (spans, targets.layout) {
        spans.add(layout, guess, wanted);
    }
}

fn of_confusion(confusion: &ConfusionMatrix) -> Vec<(&'static str, f64)> {
    vec![
        ("accuracy", confusion.accuracy()),
        ("balanced_accuracy", confusion.balanced_accuracy()),
        ("f1", confusion.mean_f1()),
    ]
}

/// Returns the number of classes that are more probable than `class`. Of equal ones, the first is.
fn rank(logits: &[f64], class: u32) -> usize {
    let class = class as usize;
    let before = |(k, x): (usize, &f64)| *x > logits[class] || (*x == logits[class] && k < class);
    logits.iter().enumerate().filter(|&pair| before(pair)).count()
}
