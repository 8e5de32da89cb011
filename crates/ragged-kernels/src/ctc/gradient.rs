//! The backward variables, and the posterior probabilities of the classes.
//!
//! A backward variable is the probability of all ways to complete an alignment after a step in a state, so its product
//! with the forward variable, divided by the total probability, is the posterior probability of the state.

use crate::ctc::states::{Numbers, TargetProbabilities, split, split_mut};
use crate::element::Float;
use crate::extended::{larger, normalize, power};

/// The backward variables of one step.
#[derive(Default)]
pub(crate) struct Backward<T> {
    /// `[4][W]`, as the forward variables.
    betas: Vec<T>,
    /// `[4][W + 1]`: the backward variables times the probabilities of the classes. The last label is always zero.
    weighted: Vec<T>,
    /// `[W]`: products of forward and backward variables, divided by a power of two.
    posteriors: Vec<T>,
}

impl<T: Float> Backward<T> {
    /// Prepares for the last step, after which an alignment is complete in the last blank and the last label.
    pub(crate) fn start(&mut self, w: usize) {
        for (vector, len) in
            [(&mut self.betas, 4 * w), (&mut self.weighted, 4 * (w + 1)), (&mut self.posteriors, w)]
        {
            vector.clear();
            vector.resize(len, T::default());
        }
        let [blanks, labels] = split_mut(&mut self.betas, w);
        for numbers in [blanks, labels] {
            numbers.exponents.fill(T::NEG_INFINITY);
        }
        let [blanks, labels] = split_mut(&mut self.betas, w);
        // Without labels, the last label is the one that does not exist.
        let ends = if w == 1 { &mut [blanks][..] } else { &mut [blanks, labels][..] };
        for numbers in ends {
            numbers.mantissas[w - 1] = T::ONE;
            numbers.exponents[w - 1] = T::default();
        }
        let [blanks, labels] = split_mut(&mut self.weighted, w + 1);
        blanks.exponents[w] = T::NEG_INFINITY;
        labels.exponents[w] = T::NEG_INFINITY;
    }

    /// Subtracts the posterior probabilities of the classes from `gradient` `[C]`.
    #[inline(always)]
    pub(crate) fn subtract_posteriors(
        &mut self,
        alphas: &[T],
        (total_m, total_e): (T, T),
        target: &[u32],
        blank: usize,
        gradient: &mut [T],
    ) {
        let w = target.len() + 1;
        let reciprocal = T::ONE / total_m;
        let [alpha_blanks, alpha_labels] = split(alphas, w);
        let [beta_blanks, beta_labels] = split(&self.betas, w);
        let posteriors = &mut self.posteriors[..w];
        products(alpha_blanks, beta_blanks, total_e, posteriors);
        gradient[blank] += -(sum(posteriors) * reciprocal);
        products(alpha_labels, beta_labels, total_e, posteriors);
        for (&label, &posterior) in target.iter().zip(&posteriors[1..]) {
            gradient[label as usize] += -(posterior * reciprocal);
        }
    }

    /// Computes the backward variables of the step before from those of a step and its probabilities. `skips` are
    /// those of the forward pass.
    #[inline(always)]
    pub(crate) fn step(&mut self, probabilities: &TargetProbabilities<T>, skips: &[T], w: usize) {
        let [blanks, labels] = split(&self.betas, w);
        let [weighted_blanks, weighted_labels] = split_mut(&mut self.weighted, w + 1);
        let (pm, pe) = probabilities.blank;
        multiply(blanks, weighted_blanks.mantissas, weighted_blanks.exponents, |_| (pm, pe), w);
        let (pm, pe) = (&probabilities.mantissas[..w], &probabilities.exponents[..w]);
        let (m, e) = (weighted_labels.mantissas, weighted_labels.exponents);
        multiply(labels, m, e, |k| (pm[k], pe[k]), w);

        let [weighted_blanks, weighted_labels] = split(&self.weighted, w + 1);
        let (bm, be) = (&weighted_blanks.mantissas[..w], &weighted_blanks.exponents[..w]);
        let (lm, le) = (&weighted_labels.mantissas[..w], &weighted_labels.exponents[..w]);
        let (nm, ne) = (&weighted_labels.mantissas[1..][..w], &weighted_labels.exponents[1..][..w]);
        let [blanks, labels] = split_mut(&mut self.betas, w);
        let (m, e) = (&mut blanks.mantissas[..w], &mut blanks.exponents[..w]);
        for k in 0..w {
            let largest = larger(be[k], ne[k]);
            let sum = bm[k] * power(be[k] - largest) + nm[k] * power(ne[k] - largest);
            (m[k], e[k]) = normalize(sum, largest);
        }
        let (m, e) = (&mut labels.mantissas[..w], &mut labels.exponents[..w]);
        let skips = &skips[..w];
        // Index 0 is no label; it gets a value here, and is set to zero afterwards.
        for k in 0..w {
            let skip = ne[k] + skips[k];
            let largest = larger(larger(be[k], le[k]), skip);
            let sum = lm[k] * power(le[k] - largest)
                + bm[k] * power(be[k] - largest)
                + nm[k] * power(skip - largest);
            (m[k], e[k]) = normalize(sum, largest);
        }
        (m[0], e[0]) = (T::default(), T::NEG_INFINITY);
    }
}

/// Stores the products of two numbers, divided by a power of two.
#[inline(always)]
fn products<T: Float>(a: Numbers<T>, b: Numbers<T>, exponent: T, products: &mut [T]) {
    let w = products.len();
    let (am, ae) = (&a.mantissas[..w], &a.exponents[..w]);
    let (bm, be) = (&b.mantissas[..w], &b.exponents[..w]);
    for k in 0..w {
        products[k] = am[k] * bm[k] * power(ae[k] + be[k] - exponent);
    }
}

/// Stores the products of the first `w` numbers with others.
#[inline(always)]
fn multiply<T: Float>(
    numbers: Numbers<T>,
    mantissas: &mut [T],
    exponents: &mut [T],
    by: impl Fn(usize) -> (T, T),
    w: usize,
) {
    let (m, e) = (&numbers.mantissas[..w], &numbers.exponents[..w]);
    let (to_m, to_e) = (&mut mantissas[..w], &mut exponents[..w]);
    for k in 0..w {
        let (pm, pe) = by(k);
        to_m[k] = m[k] * pm;
        to_e[k] = e[k] + pe;
    }
}

/// The sum of the elements, in an order that depends on their number only.
#[inline(always)]
fn sum<T: Float>(values: &[T]) -> T {
    const LANES: usize = 8;
    let mut sums = [T::default(); LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    sums.iter().chain(rest).fold(T::default(), |sum, &value| sum + value)
}
