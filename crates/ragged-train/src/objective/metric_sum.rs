//! Metrics, accumulated over the batches of a data set.

use candle_core::Tensor;
use ragged_transforms::{OutputKind, Outputs};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::exact_float;
use crate::objective::class_logits::classes;
use crate::objective::class_sums::ClassSums;
use crate::objective::confusion_matrix::ConfusionMatrix;
use crate::objective::fused::wide;
use crate::objective::label_sums::LabelSums;
use crate::objective::metrics::Metrics;
use crate::objective::own_sums::OwnSums;
use crate::objective::scores::Scores;
use crate::objective::softmax::softmax;
use crate::objective::span_sums::{NAMES as SPAN_NAMES, SpanSums};
use crate::objective::targets::{MISSING_CLASS, Targets};
use crate::objective::transcript_sums::{NAMES as RATES, TranscriptSums};
use crate::objective::transcription::{self, transcribe};
use crate::objective::value_sums::{ValueSums, predictions};

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
    /// The metrics of a program.
    #[serde(default, skip_serializing_if = "OwnSums::is_empty")]
    own: OwnSums,
    /// The spans of classes that are BIO tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spans: Option<SpanSums>,
    /// The scores for the area under the ROC curve, in evaluations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scores: Option<Scores>,
}

/// What is measured besides the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measured {
    Nothing,
    Classes(ClassSums),
    /// Classes that are decoded from whole sequences of outputs, which are then no logits of single classes.
    Paths(ClassSums),
    Labels {
        sums: LabelSums,
        non_finite: bool,
    },
    Values(ValueSums),
    Transcripts(TranscriptSums),
    /// Each head measures its own targets, also its loss.
    Heads(Vec<HeadSum>),
}

/// The metrics of a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadSum {
    name: String,
    /// The factor of its loss in the total.
    #[serde(with = "exact_float")]
    weight: f64,
    sum: MetricSum,
}

impl Measured {
    /// Adds the sums of other batches of the same kind.
    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Classes(sums), Self::Classes(more)) | (Self::Paths(sums), Self::Paths(more)) => {
                sums.merge(more);
            }
            (Self::Labels { sums, non_finite }, Self::Labels { sums: more, non_finite: n }) => {
                sums.merge(more);
                *non_finite |= n;
            }
            (Self::Values(sums), Self::Values(more)) => sums.merge(more),
            (Self::Transcripts(sums), Self::Transcripts(more)) => sums.merge(more),
            (Self::Heads(heads), Self::Heads(more)) => {
                heads.iter_mut().zip(more).for_each(|(head, more)| head.sum.merge(&more.sum));
            }
            _ => {}
        }
    }
}

impl MetricSum {
    /// Creates an empty sum that measures the loss only.
    pub fn loss_only() -> Self {
        Self::new(Measured::Nothing)
    }

    /// Creates an empty sum for classes under logits.
    pub fn of_classes() -> Self {
        Self::new(Measured::Classes(ClassSums::default()))
    }

    /// Creates an empty sum for classes that are decoded from whole sequences ([`Loss::decode`]).
    ///
    /// [`Loss::decode`]: crate::objective::Loss::decode
    pub fn of_paths() -> Self {
        Self::new(Measured::Paths(ClassSums::default()))
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

    /// Creates an empty sum for heads, given by their names, the factors of their losses, and their own sums. The
    /// metrics of a head have its name and a point before their names, and its loss is among them. The loss is the
    /// weighted sum of those of the heads that have targets.
    pub fn of_heads(heads: impl IntoIterator<Item = (String, f64, Self)>) -> Self {
        let of = |(name, weight, sum)| HeadSum { name, weight, sum };
        Self::new(Measured::Heads(heads.into_iter().map(of).collect()))
    }

    fn new(measured: Measured) -> Self {
        let (own, spans, scores) = (OwnSums::default(), None, None);
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

    /// Keeps the scores of all examples, which the area under the ROC curve needs.
    #[must_use]
    pub fn with_scores(mut self) -> Self {
        if let Measured::Heads(heads) = &mut self.measured {
            heads.iter_mut().for_each(|head| head.sum.scores = Some(Scores::default()));
        }
        self.scores = Some(Scores::default());
        self
    }

    /// Returns the sums of the heads, in their order; none where there are no heads.
    pub(super) fn heads_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        let heads = match &mut self.measured {
            Measured::Heads(heads) => heads.as_mut_slice(),
            _ => &mut [],
        };
        heads.iter_mut().map(|head| &mut head.sum)
    }

    /// Returns the names of the metrics that may be measured.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec!["loss"];
        if let Measured::Heads(heads) = &self.measured {
            let of = |head: &HeadSum| {
                let mut names = head.sum.names();
                names.rotate_left(1);
                names.into_iter().map(|name| format!("{}.{name}", head.name)).collect::<Vec<_>>()
            };
            return names.into_iter().map(String::from).chain(heads.iter().flat_map(of)).collect();
        }
        names.extend(match &self.measured {
            Measured::Nothing | Measured::Heads(_) => vec![],
            Measured::Classes(_) => {
                vec!["accuracy", "balanced_accuracy", "f1", "top5", "auc"]
            }
            Measured::Paths(_) => vec!["accuracy", "balanced_accuracy", "f1"],
            Measured::Labels { .. } => vec!["f1", "f1_micro", "accuracy", "auc"],
            Measured::Values(sums) => sums.finish().into_iter().map(|(name, _)| name).collect(),
            Measured::Transcripts(_) => RATES.to_vec(),
        });
        names.extend(self.spans.iter().flat_map(|_| SPAN_NAMES));
        names.into_iter().map(String::from).collect()
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
            own.iter().for_each(|(name, value)| self.own.add(name, *value, weight));
        }
        match &mut self.measured {
            Measured::Nothing | Measured::Heads(_) => {}
            Measured::Paths(sums) => {
                let (wanted, guess) = (targets.classes()?, classes(prediction, decoded)?);
                sums.add(prediction, &wanted, &guess)?;
                add_spans(&mut self.spans, targets, &guess, &wanted);
            }
            Measured::Classes(sums) => {
                let (wanted, guess) = (targets.classes()?, classes(prediction, decoded)?);
                sums.add(prediction, &wanted, &guess)?;
                sums.add_top(prediction, &wanted)?;
                add_spans(&mut self.spans, targets, &guess, &wanted);
                let count = prediction.dim(1)?;
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

    /// Adds the sums of other batches, which must be sums of the same metrics.
    pub fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.loss_sum += other.loss_sum;
        self.own.merge(&other.own);
        if let (Some(sum), Some(spans)) = (&mut self.spans, &other.spans) {
            sum.merge(spans);
        }
        if let (Some(sum), Some(scores)) = (&mut self.scores, &other.scores) {
            sum.merge(scores);
        }
        self.measured.merge(&other.measured);
    }

    /// Adds a metric of a batch of a weight.
    pub(super) fn add_own(&mut self, name: &str, value: f64, weight: f64) {
        self.own.add(name, value, weight);
    }

    /// Returns the confusion matrices of the heads that predict classes, by their names; none where there are no heads.
    pub fn head_confusions(&self) -> impl Iterator<Item = (&str, &ConfusionMatrix)> {
        let heads = match &self.measured {
            Measured::Heads(heads) => heads.as_slice(),
            _ => &[],
        };
        heads.iter().filter_map(|head| Some((head.name.as_str(), head.sum.confusion()?)))
    }

    /// Returns the confusion matrix, for classes of a single target.
    pub fn confusion(&self) -> Option<&ConfusionMatrix> {
        match &self.measured {
            Measured::Classes(sums) | Measured::Paths(sums) => Some(&sums.confusion),
            _ => None,
        }
    }

    /// Returns the metrics of all batches so far.
    pub fn finish(&self) -> Metrics {
        if let Measured::Heads(heads) = &self.measured {
            return self.finish_heads(heads);
        }
        let area = |exclusive| self.scores.as_ref().map(|s| ("auc", s.area(exclusive)));
        let (mut others, non_finite) = match &self.measured {
            Measured::Nothing | Measured::Heads(_) => (vec![], false),
            Measured::Paths(sums) => (sums.finish(), sums.non_finite),
            Measured::Classes(sums) => {
                let metrics = sums.finish().into_iter().chain(sums.top5()).chain(area(true));
                (metrics.collect(), sums.non_finite)
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
        others.extend(self.own.finish());
        Metrics { loss: self.loss_sum / self.weight, others }
    }

    fn finish_heads(&self, heads: &[HeadSum]) -> Metrics {
        let counted = |head: &&HeadSum| head.weight > 0.0 && head.sum.weight > 0.0;
        let term = |head: &HeadSum| head.weight * (head.sum.loss_sum / head.sum.weight);
        let loss = heads.iter().filter(counted).map(term).reduce(|sum, term| sum + term);
        let mut others = vec![];
        for HeadSum { name, sum, .. } in heads {
            let metrics = sum.finish();
            let loss = if sum.weight > 0.0 { metrics.loss } else { f64::NAN };
            others.extend(metrics.others.iter().map(|(other, v)| (format!("{name}.{other}"), *v)));
            others.push((format!("{name}.loss"), loss));
        }
        others.extend(self.own.finish());
        Metrics { loss: loss.unwrap_or(f64::NAN), others }
    }
}

fn add_spans(spans: &mut Option<SpanSums>, targets: &Targets<'_>, guess: &[u32], wanted: &[u32]) {
    if let (Some(spans), Some(layout)) = (spans, targets.layout) {
        spans.add(layout, guess, wanted);
    }
}
