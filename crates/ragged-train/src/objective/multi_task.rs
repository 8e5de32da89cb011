//! The loss of a model with several heads: the weighted sum of their mean losses.

use std::ops::Range;

use candle_core::{DType, Tensor};
use ragged_datasets::TargetPart;
use ragged_transforms::{HeadOutputs, OutputKind, Outputs, Standardize};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::exact_float;
use crate::objective::criterion::Criterion;
use crate::objective::fused::{scalar, wide};
use crate::objective::loss::Loss;
use crate::objective::metric_sum::MetricSum;
use crate::objective::scaled::Objective;
use crate::objective::targets::{MISSING_CLASS, Targets};

/// What a head minimises, and how much it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLoss {
    /// The loss of the head.
    pub loss: Criterion,
    /// The factor of its mean in the total, at least 0.
    #[serde(with = "exact_float")]
    pub weight: f64,
}

/// A head: its loss, and which outputs of the model and which column of the targets it has.
#[derive(Debug, Clone)]
pub struct Head {
    /// The name of its target.
    pub name: String,
    /// The factor of its mean loss in the total.
    pub weight: f64,
    /// Its loss, with the scale of its target.
    pub objective: Objective,
    /// Its outputs, as a range of the columns of the predictions.
    pub outputs: Range<usize>,
    /// The labels, if its target is a class.
    pub labels: Option<Vec<String>>,
}

/// The weighted sum of the mean losses of several heads.
///
/// The predictions `[B, O]` have the outputs of the heads next to each other. The targets `[B, K]` have one column per
/// head: a value, or the index of a class, or NaN where it is missing.
///
/// The loss is `sum_k w_k L_k`, where the mean `L_k` of a head is over its own targets that are not missing: that of
/// PyTorch for the same columns. A head without any such target in a batch adds nothing.
///
/// A weighted mean of batches does not equal one batch of all examples where the heads have different numbers of
/// missing targets. Therefore the heads are [several means](Loss::means), which
/// [`GradientAccumulator::of_group`](crate::fit::GradientAccumulator::of_group) weights one by one, and so do the
/// metrics.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ragged_datasets::{PartKind, TargetPart};
/// use ragged_train::Criterion;
/// use ragged_train::objective::{HeadLoss, Loss, MultiTaskLoss, Targets};
///
/// let classes = PartKind::Classes(vec!["walk".into(), "run".into()]);
/// let activity = TargetPart { name: "activity".into(), kind: classes };
/// let speed = TargetPart { name: "speed".into(), kind: PartKind::Values };
/// let losses = [
///     HeadLoss { loss: Criterion::cross_entropy(), weight: 1.0 },
///     HeadLoss { loss: Criterion::Mse, weight: 0.5 },
/// ];
/// let loss = MultiTaskLoss::new(&[activity, speed], false, &losses, vec![None, None])?;
///
/// // Two logits and a value. The speed of the second example is missing.
/// let prediction = Tensor::new(&[[0f64, 0.0, 3.0], [1.0, 1.0, 9.0]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1f32, 1.0], [0.0, f32::NAN]], &Device::Cpu)?;
/// let value = loss.value(&prediction, &Targets::new(&target))?.to_scalar::<f64>()?;
/// assert_eq!(value, 2f64.ln() + 0.5 * 4.0);
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MultiTaskLoss {
    heads: Vec<Head>,
    outputs: Outputs,
}

impl MultiTaskLoss {
    /// Creates the loss of heads for these targets, in their order. `scales` has the scale of each target, fitted to
    /// the training data, or `None` where the target is not scaled. `per_step` is whether each time step has targets.
    ///
    /// # Errors
    ///
    /// [`Error::Heads`] unless there is one loss and one scale per target, [`Error::HeadLoss`] for a loss that does not
    /// fit its target, and for a weight that is negative or not finite.
    pub fn new(
        targets: &[TargetPart],
        per_step: bool,
        losses: &[HeadLoss],
        scales: Vec<Option<Standardize>>,
    ) -> Result<Self> {
        for got in [losses.len(), scales.len()] {
            if got != targets.len() {
                return Err(Error::Heads { expected: targets.len(), got });
            }
        }
        let (mut heads, mut start) = (vec![], 0);
        for ((part, HeadLoss { loss, weight }), scale) in targets.iter().zip(losses).zip(scales) {
            let (name, classes) = (part.name.clone(), part.labels().is_some());
            if loss.is_for_transcription() || loss.is_for_classes() != classes {
                let got = loss.name().to_string();
                let expected = if classes { "cross-entropy" } else { "a loss of values" };
                return Err(Error::HeadLoss { head: name, got, expected });
            }
            if !(0.0..f64::INFINITY).contains(weight) {
                let got = format!("the weight {weight}");
                return Err(Error::HeadLoss {
                    head: name,
                    got,
                    expected: "a weight of at least 0",
                });
            }
            let objective = Objective::new(loss.clone(), scale, &part.alone(per_step));
            let count = part.outputs() * loss.outputs_per_value();
            let outputs = start..start + count;
            start = outputs.end;
            let labels = part.labels().map(<[String]>::to_vec);
            heads.push(Head { name, weight: *weight, objective, outputs, labels });
        }
        let of = |head: &Head| HeadOutputs {
            name: head.name.clone(),
            count: head.outputs.len(),
            outputs: head.objective.outputs().clone(),
        };
        let kind = OutputKind::Heads(heads.iter().map(of).collect());
        Ok(Self { heads, outputs: Outputs { kind, scale: None } })
    }

    /// Returns the heads in the order of their outputs.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// Returns how predictions follow from the outputs of the model.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Returns what the loss is and in which units, in words.
    pub fn describe(&self) -> String {
        let term = |head: &Head| {
            let factor =
                if head.weight == 1.0 { String::new() } else { format!("{} x ", head.weight) };
            format!("{factor}{} of {}", head.objective.describe(), head.name)
        };
        self.heads.iter().map(term).collect::<Vec<_>>().join(" + ")
    }

    /// Returns the column of the targets of each head, as its loss needs it.
    fn columns(&self, targets: &Targets<'_>) -> Result<Vec<Tensor>> {
        let (count, values) = (self.heads.len(), targets.values);
        let rows = values.dim(0)?;
        if values.dims() != [rows, count] {
            let (expected, got) = (vec![rows, count], values.dims().to_vec());
            return Err(Error::Shape { name: "target".into(), expected, got });
        }
        let values = wide(values)?;
        let column = |(k, head): (usize, &Head)| -> Result<Tensor> {
            let column = values.iter().skip(k).step_by(count).copied();
            let Some(labels) = &head.labels else {
                let column: Vec<f64> = column.collect();
                return Ok(Tensor::from_vec(column, (rows, 1), targets.values.device())?);
            };
            let class = |value: f64| match value {
                _ if value.is_nan() => Ok(MISSING_CLASS),
                _ if value.fract() == 0.0 && (0.0..labels.len() as f64).contains(&value) => {
                    Ok(value as u32)
                }
                _ => {
                    let (head, classes) = (head.name.clone(), labels.len());
                    Err(Error::HeadClass { head, value, classes })
                }
            };
            let classes: Vec<u32> = column.map(class).collect::<Result<_>>()?;
            Ok(Tensor::from_vec(classes, rows, targets.values.device())?)
        };
        self.heads.iter().enumerate().map(column).collect()
    }

    /// Returns the outputs of a head.
    fn prediction(&self, prediction: &Tensor, head: &Head) -> Result<Tensor> {
        let expected = self.outputs.kind.per_value();
        let &[rows, got] = prediction.dims() else {
            let got = prediction.dims().to_vec();
            return Err(Error::Rank { name: "predictions", expected: 2, got });
        };
        if got != expected {
            let (expected, got) = (vec![rows, expected], vec![rows, got]);
            return Err(Error::Shape { name: "predictions".into(), expected, got });
        }
        Ok(prediction.narrow(1, head.outputs.start, head.outputs.len())?)
    }
}

impl Loss for MultiTaskLoss {
    fn value(&self, prediction: &Tensor, targets: &Targets<'_>) -> Result<Tensor> {
        self.value_of(prediction, targets, &vec![1.0; self.heads.len()])
    }

    /// Returns the number of targets of all heads that count, or the sum of the weights of their classes, where heads
    /// of weight 0 are left out.
    fn weight(&self, targets: &Targets<'_>) -> Result<f64> {
        let weights = self.weights(targets)?;
        let counted = self.heads.iter().zip(weights).filter(|(head, _)| head.weight > 0.0);
        Ok(counted.fold(0.0, |sum, (_, weight)| sum + weight))
    }

    fn means(&self) -> usize {
        self.heads.len()
    }

    fn weights(&self, targets: &Targets<'_>) -> Result<Vec<f64>> {
        let columns = self.columns(targets)?;
        let weight = |(head, values): (&Head, &Tensor)| {
            head.objective.weight(&Targets { values, ..*targets })
        };
        self.heads.iter().zip(&columns).map(weight).collect()
    }

    fn value_of(
        &self,
        prediction: &Tensor,
        targets: &Targets<'_>,
        factors: &[f64],
    ) -> Result<Tensor> {
        let columns = self.columns(targets)?;
        let (rows, width) = (prediction.dim(0)?, self.outputs.kind.per_value());
        let (mut value, mut gradient) = (0.0, vec![]);
        for ((head, values), factor) in self.heads.iter().zip(&columns).zip(factors) {
            let part = self.prediction(prediction, head)?;
            let terms = head.objective.terms(&part, &Targets { values, ..*targets })?;
            let factor = factor * head.weight;
            if terms.weight == 0.0 || factor == 0.0 {
                continue;
            }
            value += factor * (terms.sum / terms.weight);
            if terms.gradient.is_empty() {
                continue;
            }
            gradient.resize(rows * width, 0.0);
            let count = head.outputs.len();
            let of_rows = gradient.chunks_exact_mut(width).zip(terms.gradient.chunks_exact(count));
            for (to, from) in of_rows {
                for (to, slope) in to[head.outputs.clone()].iter_mut().zip(from) {
                    *to = factor * (slope / terms.weight);
                }
            }
        }
        if gradient.is_empty() && prediction.track_op() {
            gradient.resize(rows * width, 0.0);
        }
        scalar(prediction, value, gradient)
    }

    fn metrics(&self) -> MetricSum {
        let of = |head: &Head| (head.name.clone(), head.weight, head.objective.metrics());
        MetricSum::of_heads(self.heads.iter().map(of))
    }

    fn measure(
        &self,
        _: f64,
        prediction: &Tensor,
        targets: &Targets<'_>,
        sum: &mut MetricSum,
    ) -> Result<()> {
        if prediction.dim(0)? == 0 {
            return Ok(());
        }
        let (columns, prediction) = (self.columns(targets)?, prediction.detach());
        for ((head, values), sum) in self.heads.iter().zip(&columns).zip(sum.heads_mut()) {
            let part = self.prediction(&prediction, head)?;
            let targets = Targets { values, ..*targets };
            let value = match head.objective.weight(&targets)? {
                0.0 => 0.0,
                _ => head
                    .objective
                    .value(&part, &targets)?
                    .to_dtype(DType::F64)?
                    .to_scalar::<f64>()?,
            };
            head.objective.measure(value, &part, &targets, sum)?;
        }
        Ok(())
    }
}
