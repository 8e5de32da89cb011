//! The softmax of one row.

use crate::element::Float;
use crate::extended::{exp, power};
use crate::simd::vector::Simd;

/// Stores exp(x - max) / sum for a row of logits, and returns its maximum and 1 / sum. The reciprocal is NaN if a
/// logit is NaN or plus infinity, or all are minus infinity.
#[inline(always)]
pub(crate) fn softmax<T: Float, S: Simd<T>>(s: S, logits: &[T], probabilities: &mut [T]) -> (T, T) {
    const LANES: usize = 16;
    let zero = T::default();
    let mut largest = [T::NEG_INFINITY; LANES];
    let chunks = logits.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            let value = chunk[lane];
            largest[lane] = if value > largest[lane] { value } else { largest[lane] };
        }
    }
    let larger = |max, &value: &T| if value > max { value } else { max };
    let max = largest.iter().chain(rest).fold(T::NEG_INFINITY, larger);
    for (probability, &logit) in probabilities.iter_mut().zip(logits) {
        let (m, e) = exp(s, logit - max);
        *probability = m * power(e);
    }
    let mut sums = [zero; LANES];
    let chunks = probabilities.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    let sum = sums.iter().chain(rest).fold(zero, |sum, &value| sum + value);
    let reciprocal = T::ONE / sum;
    for probability in probabilities {
        *probability = *probability * reciprocal;
    }
    (max, reciprocal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::portable::Portable;

    #[test]
    fn probabilities_sum_to_one_and_invalid_rows_are_detected() {
        for count in [1, 5, 16, 40] {
            let logits: Vec<f64> = (0..count).map(|k| (k as f64).sin() * 9.0).collect();
            let mut probabilities = vec![0.0; count];
            let (max, reciprocal) = softmax(Portable, &logits, &mut probabilities);
            assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            let want = (logits[count / 2] - max).exp() * reciprocal;
            assert!((probabilities[count / 2] - want).abs() < 1e-15);
        }
        let inf = f32::INFINITY;
        for invalid in [[f32::NAN, 0.0, 1.0], [inf, 0.0, 1.0], [-inf; 3]] {
            assert!(softmax(Portable, &invalid, &mut [0.0; 3]).1.is_nan());
        }
        assert!(softmax(Portable, &[-inf, 0.0f32], &mut [0.0; 2]).1 == 1.0);
    }
}
