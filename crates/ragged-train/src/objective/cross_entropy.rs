//! Cross-entropy of classes, with class weights, label smoothing and missing targets.
//!
//! With the probabilities `p = softmax(x)` of a row, its class `y`, the weights `w` and the smoothing `e`, the term of
//! the row is `(1 - e) w_y (-ln p_y) + e / C sum_c w_c (-ln p_c)`. The mean divides by the sum of all `w_y`, as
//! PyTorch does.

use crate::objective::fused::Terms;
use crate::objective::targets::MISSING_CLASS;

/// The weight of a class; `weights` is empty where all are 1.
pub(super) fn weight(weights: &[f64], class: u32) -> f64 {
    weights.get(class as usize).copied().unwrap_or(1.0)
}

/// Computes the terms of logits `[B, C]` and classes `[B]`, which are below C or missing.
pub(super) fn terms(
    logits: &[f64],
    classes: &[u32],
    weights: &[f64],
    smoothing: f64,
    differentiate: bool,
) -> Terms {
    let mut terms = Terms::default();
    let count = logits.len() / classes.len().max(1);
    if differentiate {
        terms.gradient = vec![0.0; logits.len()];
    }
    let share = smoothing / count as f64;
    let total: f64 = if weights.is_empty() { count as f64 } else { weights.iter().sum() };
    for (row, (x, &class)) in logits.chunks_exact(count.max(1)).zip(classes).enumerate() {
        if class == MISSING_CLASS {
            continue;
        }
        let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = x.iter().fold(0.0, |sum, x| sum + (x - largest).exp());
        let log_sum = largest + sum.ln();
        let of_class = weight(weights, class);
        let scale = (1.0 - smoothing) * of_class;
        terms.sum += scale * (log_sum - x[class as usize]);
        terms.weight += of_class;
        if smoothing > 0.0 {
            let all = (0u32..).zip(x).map(|(c, x)| weight(weights, c) * (log_sum - x));
            terms.sum += share * all.fold(0.0, |sum, term| sum + term);
        }
        if differentiate {
            let gradient = &mut terms.gradient[row * count..][..count];
            for (c, (slope, x)) in (0u32..).zip(gradient.iter_mut().zip(x)) {
                let p = (x - largest).exp() / sum;
                let indicator = if c == class { 1.0 } else { 0.0 };
                *slope = scale * (p - indicator);
                if smoothing > 0.0 {
                    *slope += share * (p * total - weight(weights, c));
                }
            }
        }
    }
    terms
}
