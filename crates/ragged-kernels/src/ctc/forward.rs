//! The forward variables: the probability of all alignments up to a step that end in a state.

use crate::ctc::states::{TargetProbabilities, split, split_mut};
use crate::element::Float;
use crate::extended::{larger, normalize, power};

/// The forward variables before the first step: the alignment has not left the state before the first blank, which
/// passes for the first blank.
pub(crate) fn initial<T: Float>(alphas: &mut [T], w: usize) {
    let [blanks, labels] = split_mut(alphas, w);
    for numbers in [blanks, labels] {
        numbers.mantissas.fill(T::default());
        numbers.exponents.fill(T::NEG_INFINITY);
    }
    let [blanks, _] = split_mut(alphas, w);
    blanks.mantissas[0] = T::ONE;
    blanks.exponents[0] = T::default();
}

/// Computes the forward variables of a step from those of the step before.
///
/// A blank is reached from itself and from the label before it, a label from itself, from the blank before it, and
/// from the label before that if the two differ. `skips[k]` is the exponent of the latter for label k: zero, or minus
/// infinity where the label is the same.
#[inline(always)]
pub(crate) fn step<T: Float>(
    before: &[T],
    after: &mut [T],
    probabilities: &TargetProbabilities<T>,
    skips: &[T],
    w: usize,
) {
    let [blanks, labels] = split(before, w);
    let [new_blanks, new_labels] = split_mut(after, w);
    let (bm, be) = (&blanks.mantissas[..w], &blanks.exponents[..w]);
    let (lm, le) = (&labels.mantissas[..w], &labels.exponents[..w]);
    let (pm, pe) = probabilities.blank;
    let (m, e) = (&mut new_blanks.mantissas[..w], &mut new_blanks.exponents[..w]);
    for k in 0..w {
        let largest = larger(be[k], le[k]);
        let sum = bm[k] * power(be[k] - largest) + lm[k] * power(le[k] - largest);
        (m[k], e[k]) = normalize(sum * pm, largest + pe);
    }
    (new_labels.mantissas[0], new_labels.exponents[0]) = (T::default(), T::NEG_INFINITY);
    let last = w - 1;
    let (own_m, own_e) = (&lm[1..][..last], &le[1..][..last]);
    let (pm, pe) = (&probabilities.mantissas[1..][..last], &probabilities.exponents[1..][..last]);
    let (m, e) = (&mut new_labels.mantissas[1..][..last], &mut new_labels.exponents[1..][..last]);
    let (bm, be, lm, le) = (&bm[..last], &be[..last], &lm[..last], &le[..last]);
    let skips = &skips[..last];
    for k in 0..last {
        let skip = le[k] + skips[k];
        let largest = larger(larger(be[k], own_e[k]), skip);
        let sum = own_m[k] * power(own_e[k] - largest)
            + bm[k] * power(be[k] - largest)
            + lm[k] * power(skip - largest);
        (m[k], e[k]) = normalize(sum * pm[k], largest + pe[k]);
    }
}

/// Returns the probability of all complete alignments: those that end in the last blank or the last label.
pub(crate) fn total<T: Float>(alphas: &[T], w: usize) -> (T, T) {
    let last = w - 1;
    let [(bm, be), (lm, le)] =
        split(alphas, w).map(|numbers| (numbers.mantissas[last], numbers.exponents[last]));
    let largest = larger(be, le);
    normalize(bm * power(be - largest) + lm * power(le - largest), largest)
}
