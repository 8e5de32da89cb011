//! The errors of predicted values, accumulated in `f64`.

use candle_core::Tensor;
use ragged_transforms::{OutputKind, Outputs};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::exact_float;
use crate::objective::fused::wide;
use crate::objective::targets::Targets;
use crate::objective::value_terms::pinball;

/// Sums over the targets of all values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueSums {
    /// How predictions follow from the outputs of the model.
    outputs: Outputs,
    /// Whether targets are per step.
    per_step: bool,
    /// One entry per value.
    values: Vec<ValueSum>,
}

/// Sums over the targets of one value that are not missing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueSum {
    count: u64,
    #[serde(with = "exact_float")]
    squared_errors: f64,
    #[serde(with = "exact_float")]
    errors: f64,
    /// The running mean and squared deviations of the targets (Welford 1962).
    #[serde(with = "exact_float")]
    mean: f64,
    #[serde(with = "exact_float")]
    deviations: f64,
    /// The targets from the lowest to the highest quantile.
    covered: u64,
    /// The pinball loss, for quantiles.
    #[serde(with = "exact_float")]
    pinball: f64,
    /// The errors of the model, and of the previous target as forecast, at steps with a previous target. For forecasts,
    /// the errors of the model divided by the naive errors of their series, and their number.
    #[serde(with = "exact_float")]
    model_errors: f64,
    #[serde(with = "exact_float")]
    naive_errors: f64,
}

impl ValueSums {
    pub(super) fn new(outputs: Outputs, per_step: bool) -> Self {
        Self { outputs, per_step, values: vec![] }
    }

    /// Adds predictions `[B, K x P]` and targets `[B, K]`.
    pub(super) fn add(&mut self, prediction: &Tensor, targets: &Targets<'_>) -> Result<()> {
        let predictions = predictions(&self.outputs, prediction)?;
        let wanted = wide(targets.values)?;
        let per_value = self.outputs.kind.per_value();
        let values = predictions.len() / per_value / prediction.dim(0)?.max(1);
        self.values.resize(values, ValueSum::default());
        let point = point(&self.outputs.kind);
        for (index, (outputs, &y)) in predictions.chunks_exact(per_value).zip(&wanted).enumerate() {
            if !y.is_nan() {
                self.values[index % values].add(&self.outputs.kind, outputs, point, y);
            }
        }
        if let (Some(layout), Some(point), Some(naive)) =
            (targets.layout, point, targets.naive_errors)
        {
            for (row, (sequence, _)) in layout.positions().enumerate() {
                for value in 0..values {
                    let at = row * values + value;
                    let (y, scale) = (wanted[at], naive.get(sequence * values + value));
                    if let (false, Some(&scale)) = (y.is_nan(), scale.filter(|scale| **scale > 0.0))
                    {
                        let sum = &mut self.values[value];
                        sum.model_errors += (predictions[at * per_value + point] - y).abs() / scale;
                        sum.naive_errors += 1.0;
                    }
                }
            }
        } else if let (Some(layout), Some(point), true) = (targets.layout, point, self.per_step) {
            // Packed rows are sorted, so that a row has one index among the rows of each of its steps.
            let mut before = 0;
            let mut start = 0;
            for (step, &rows) in layout.batch_sizes().iter().enumerate() {
                for index in 0..rows * values * usize::from(step > 0) {
                    let (now, previous) = (start * values + index, before * values + index);
                    let (y, naive) = (wanted[now], wanted[previous]);
                    let error = (predictions[now * per_value + point] - y).abs();
                    if !y.is_nan() && !naive.is_nan() {
                        let sum = &mut self.values[index % values];
                        sum.model_errors += error;
                        sum.naive_errors += (y - naive).abs();
                    }
                }
                (before, start) = (start, start + rows);
            }
        }
        Ok(())
    }

    /// Adds the sums of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        self.values.resize(self.values.len().max(other.values.len()), ValueSum::default());
        self.values.iter_mut().zip(&other.values).for_each(|(sum, other)| sum.merge(other));
    }

    /// Returns the metrics by name, the one that is usually quoted first.
    pub(super) fn finish(&self) -> Vec<(&'static str, f64)> {
        let mut metrics = vec![];
        let mean = |defined: fn(&ValueSum) -> bool, of: fn(&ValueSum) -> f64| {
            let each: Vec<f64> = self.values.iter().filter(|v| defined(v)).map(of).collect();
            each.iter().sum::<f64>() / each.len() as f64
        };
        let any = |v: &ValueSum| v.count > 0;
        if point(&self.outputs.kind).is_some() {
            let r2 = |v: &ValueSum| 1.0 - v.squared_errors / v.deviations;
            metrics.push(("r2", mean(|v| v.deviations != 0.0, r2)));
            metrics.push(("mae", mean(any, |v| v.errors / v.count as f64)));
            metrics.push(("rmse", mean(any, |v| (v.squared_errors / v.count as f64).sqrt())));
            if self.per_step {
                let mase = |v: &ValueSum| v.model_errors / v.naive_errors;
                metrics.push(("mase", mean(|v| v.naive_errors != 0.0, mase)));
            }
        }
        if let OutputKind::Quantiles(quantiles) = &self.outputs.kind {
            if quantiles.len() > 1 {
                metrics.push(("coverage", mean(any, |v| v.covered as f64 / v.count as f64)));
            }
            metrics.push(("pinball", mean(any, |v| v.pinball / v.count as f64)));
        }
        metrics
    }
}

impl ValueSum {
    fn add(&mut self, kind: &OutputKind, outputs: &[f64], point: Option<usize>, y: f64) {
        self.count += 1;
        if let Some(point) = point {
            let error = outputs[point] - y;
            self.squared_errors += error * error;
            self.errors += error.abs();
            let before = y - self.mean;
            self.mean += before / self.count as f64;
            self.deviations += before * (y - self.mean);
        }
        if let OutputKind::Quantiles(quantiles) = kind {
            let (lowest, highest) = (outputs[0], outputs[outputs.len() - 1]);
            self.covered += u64::from((lowest..=highest).contains(&y));
            let terms = quantiles.iter().zip(outputs).map(|(q, x)| pinball(*q, y - x));
            self.pinball += terms.sum::<f64>() / quantiles.len() as f64;
        }
    }

    /// Adds the sums of other values; mean and deviations as Chan, Golub and LeVeque (1979).
    fn merge(&mut self, other: &Self) {
        if self.count == 0 {
            (self.mean, self.deviations) = (other.mean, other.deviations);
        } else if other.count > 0 {
            let (before, count) = (self.count as f64, other.count as f64);
            let (all, distance) = (before + count, other.mean - self.mean);
            self.mean += distance * count / all;
            self.deviations += other.deviations + distance * distance * before * count / all;
        }
        self.count += other.count;
        self.squared_errors += other.squared_errors;
        self.errors += other.errors;
        self.covered += other.covered;
        self.pinball += other.pinball;
        self.model_errors += other.model_errors;
        self.naive_errors += other.naive_errors;
    }
}

/// Returns predictions in the units of the data, row-major.
pub(super) fn predictions(outputs: &Outputs, prediction: &Tensor) -> Result<Vec<f64>> {
    if outputs.is_identity() {
        return wide(prediction);
    }
    let prediction = prediction.to_dtype(candle_core::DType::F32)?;
    let mut rows: Vec<f32> = prediction.flatten_all()?.to_vec1()?;
    outputs.apply(&mut rows);
    Ok(rows.into_iter().map(f64::from).collect())
}

/// Returns the position of the output that predicts the value itself: of quantiles, the median.
fn point(kind: &OutputKind) -> Option<usize> {
    match kind {
        OutputKind::Quantiles(quantiles) => quantiles.iter().position(|q| *q == 0.5),
        _ => Some(0),
    }
}
