//! Probabilities of logits.

/// Replaces logits by `e^x / sum(e^x)`, computed after subtracting the largest logit.
pub(crate) fn softmax(logits: &mut [f64]) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logits.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum = logits.iter().fold(0.0, |sum, exp| sum + exp);
    logits.iter_mut().for_each(|x| *x /= sum);
}
