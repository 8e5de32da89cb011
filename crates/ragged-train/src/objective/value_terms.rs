//! The losses of values: each is a function of the outputs for one value and its target, with its gradient.

use ragged_transforms::softplus;

use crate::objective::criterion::Criterion;
use crate::objective::fused::Terms;

/// The smallest variance in the Gaussian likelihood, and the number that is added to a rate before its logarithm, both
/// as in PyTorch.
const VARIANCE: f64 = ragged_transforms::SMALLEST_VARIANCE;
const RATE: f64 = 1e-8;

/// Computes the terms of outputs `[B, K x P]`, P of them per value, and targets `[B, K]`, of which NaN is missing.
pub(super) fn terms(
    criterion: &Criterion,
    outputs: &[f64],
    targets: &[f64],
    values: usize,
    differentiate: bool,
) -> Terms {
    let per_value = criterion.outputs_per_value();
    let mut terms = Terms::default();
    if differentiate {
        terms.gradient = vec![0.0; outputs.len()];
    }
    let mut unused = vec![0.0; per_value];
    for (index, (outputs, &y)) in outputs.chunks_exact(per_value).zip(targets).enumerate() {
        if y.is_nan() {
            continue;
        }
        let slopes = match differentiate {
            true => &mut terms.gradient[index * per_value..][..per_value],
            false => &mut unused[..],
        };
        terms.sum += term(criterion, outputs, y, index % values, slopes);
        // The loss of several quantiles is the mean over them.
        terms.weight += 1.0;
    }
    terms
}

/// Returns the term of one value, and sets the gradient with respect to its outputs.
fn term(criterion: &Criterion, outputs: &[f64], y: f64, k: usize, slopes: &mut [f64]) -> f64 {
    let x = outputs[0];
    let d = x - y;
    let (value, slope) = match criterion {
        Criterion::Mse | Criterion::CrossEntropy { .. } | Criterion::Ctc => (d * d, 2.0 * d),
        Criterion::L1 => (d.abs(), sign(d)),
        Criterion::Huber { delta } if d.abs() <= *delta => (0.5 * d * d, d),
        Criterion::Huber { delta } => (delta * (d.abs() - 0.5 * delta), delta * sign(d)),
        Criterion::SmoothL1 { beta } if d.abs() < *beta => (0.5 * d * d / beta, d / beta),
        Criterion::SmoothL1 { beta } => (d.abs() - 0.5 * beta, sign(d)),
        Criterion::Bce { pos_weight } => {
            // -w y ln s(x) - (1 - y) ln(1 - s(x)), with ln s(x) = -softplus(-x).
            let w = pos_weight.get(k).or(pos_weight.first()).copied().unwrap_or(1.0);
            let p = ragged_transforms::sigmoid(x);
            (w * y * softplus(-x) + (1.0 - y) * softplus(x), (1.0 - y) * p - w * y * (1.0 - p))
        }
        Criterion::Poisson { log_input: true } => (x.exp() - y * x, x.exp() - y),
        Criterion::Poisson { log_input: false } => (x - y * (x + RATE).ln(), 1.0 - y / (x + RATE)),
        Criterion::Gaussian => {
            let raw = softplus(outputs[1]);
            let variance = raw.max(VARIANCE);
            // As in PyTorch, the gradient passes the lower limit of the variance.
            let by_variance = 0.5 * (1.0 / variance - d * d / (variance * variance));
            slopes[1] = by_variance * ragged_transforms::sigmoid(outputs[1]);
            (0.5 * (variance.ln() + d * d / variance), d / variance)
        }
        Criterion::Quantile { quantiles } => {
            let count = quantiles.len() as f64;
            let mut sum = 0.0;
            for ((slope, x), q) in slopes.iter_mut().zip(outputs).zip(quantiles) {
                let below = y - x;
                sum += pinball(*q, below) / count;
                *slope = if below > 0.0 {
                    -q
                } else if below < 0.0 {
                    1.0 - q
                } else {
                    0.0
                } / count;
            }
            return sum;
        }
    };
    slopes[0] = slope;
    value
}

/// The pinball loss of the quantile `q` for a target that exceeds its prediction by `excess`.
pub(super) fn pinball(q: f64, excess: f64) -> f64 {
    (q * excess).max((q - 1.0) * excess)
}

/// -1, 0 or 1.
fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}
