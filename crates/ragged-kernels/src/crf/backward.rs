//! The backward variables, and the posterior probabilities of tags and of transitions.

use crate::crf::forward::{Product, Row, Way, largest, multiply};
use crate::crf::potentials::CrfPotentials;
use crate::element::Float;
use crate::extended::{mul_add, power};
use crate::simd::vector::Simd;

/// The expected counts of the transitions of some sequences, each multiplied by the weight of its sequence.
pub(crate) struct TransitionCounts<T> {
    /// `[C][padded C]`: counts that must be multiplied by the transitions' exponentials.
    relative: Vec<T>,
    /// `[C, C]`: counts.
    absolute: Vec<T>,
    /// `[padded C]`.
    factors: Vec<T>,
}

impl<T: Float> TransitionCounts<T> {
    pub(crate) fn new(potentials: &CrfPotentials<T>) -> Self {
        let CrfPotentials { classes, padded, .. } = *potentials;
        Self {
            relative: vec![T::default(); classes * padded],
            absolute: vec![T::default(); classes * classes],
            factors: vec![T::default(); padded],
        }
    }

    /// Adds `weight` to the count of one transition.
    pub(crate) fn add_one(&mut self, classes: usize, from: usize, to: usize, weight: T) {
        self.absolute[from * classes + to] += weight;
    }

    /// Adds the counts to a sum `[C, C]`.
    pub(crate) fn add_to(&self, potentials: &CrfPotentials<T>, sum: &mut [f64]) {
        let CrfPotentials { classes, padded, ref transitions, .. } = *potentials;
        for (k, sum) in sum.iter_mut().enumerate() {
            let transition = transitions.mantissas[k] * power(transitions.exponents[k]);
            let relative = self.relative[k / classes * padded + k % classes];
            *sum += relative.to_f64() * transition.to_f64() + self.absolute[k].to_f64();
        }
    }

    /// Adds the posterior probabilities of the transitions between two steps, times `weight`: of the forward variables
    /// `alphas` of the first, and `weighted`, the backward variables of the second times its emissions.
    ///
    /// `factors` are `weighted` relative to 2^`exponent`.
    #[inline(always)]
    fn add<S: Simd<T>>(
        &mut self,
        s: S,
        potentials: &CrfPotentials<T>,
        alphas: &Row<T>,
        weighted: &Row<T>,
        (factors, exponent): (&[T], T),
        ((total_m, total_e), weight): ((T, T), T),
    ) {
        let CrfPotentials { classes, padded, ref transitions, .. } = *potentials;
        let (m, e) = alphas.split_at(padded);
        let alpha_exponent = largest(e);
        let shift = alpha_exponent + exponent - total_e;
        let scale = weight / total_m;
        if shift + shift < -T::ZERO_EXPONENT {
            // What is too small for the factors is not large when it is multiplied by 2^shift.
            let scale = scale * power(shift);
            let own = &mut self.factors[..padded];
            for k in 0..padded {
                own[k] = m[k] * power(e[k] - alpha_exponent) * scale;
            }
            let rows = self.relative.chunks_exact_mut(padded);
            let factors = &factors[..padded];
            for (row, &alpha) in rows.zip(&*own) {
                for k in 0..padded {
                    row[k] = mul_add(s, alpha, factors[k], row[k]);
                }
            }
            return;
        }
        // The likeliest tags before this step are not those that continue: each product in extended range.
        let (weighted_m, weighted_e) = weighted.split_at(padded);
        for from in 0..classes {
            let row = from * classes..(from + 1) * classes;
            let (tm, te) =
                (&transitions.mantissas[row.clone()], &transitions.exponents[row.clone()]);
            for (to, count) in self.absolute[row].iter_mut().enumerate() {
                let exponent = e[from] + te[to] + weighted_e[to] - total_e;
                *count += m[from] * tm[to] * weighted_m[to] * power(exponent) * scale;
            }
        }
    }
}

/// The buffers of a backward pass.
#[derive(Default)]
pub(crate) struct Backward<T> {
    /// `[2][padded C]`: the backward variables of a step.
    betas: Vec<T>,
    /// Those times the emissions of the step.
    weighted: Vec<T>,
}

impl<T: Float> Backward<T> {
    pub(crate) fn resize(&mut self, padded: usize) {
        self.betas.resize(2 * padded, T::default());
        self.weighted.resize(2 * padded, T::default());
    }

    /// Calls `posteriors` with each step and its posterior probabilities `[padded C]`, the last step first, and adds
    /// those of the transitions to `counts`, times the weight.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn run<S: Simd<T>>(
        &mut self,
        s: S,
        potentials: &CrfPotentials<T>,
        product: &mut Product<T>,
        emissions: &[T],
        alphas: &[T],
        total: (T, T),
        mut counts: Option<(&mut TransitionCounts<T>, T)>,
        mut posteriors: impl FnMut(usize, &[T]),
    ) {
        let padded = potentials.padded;
        let width = 2 * padded;
        let reciprocal = T::ONE / total.0;
        let (m, e) = self.betas[..width].split_at_mut(padded);
        m.copy_from_slice(&potentials.end.mantissas);
        e.copy_from_slice(&potentials.end.exponents);
        for t in (0..emissions.len() / width).rev() {
            let (am, ae) = alphas[t * width..][..width].split_at(padded);
            let (bm, be) = self.betas[..width].split_at(padded);
            // The factors are not in use before the product.
            let probabilities = &mut product.factors[..padded];
            for k in 0..padded {
                probabilities[k] = am[k] * bm[k] * power(ae[k] + be[k] - total.1) * reciprocal;
            }
            posteriors(t, probabilities);
            if t == 0 {
                return;
            }
            self.weighted[..width].copy_from_slice(&self.betas[..width]);
            let weighted = &mut self.weighted[..width];
            multiply(weighted, emissions[t * width..][..width].split_at(padded), padded);
            let betas = &mut self.betas[..width];
            let exponent = product.compute(s, potentials, Way::Backward, weighted, betas);
            if let Some((counts, weight)) = &mut counts {
                let alphas = &alphas[(t - 1) * width..][..width];
                let factors = (&product.factors[..padded], exponent);
                counts.add(s, potentials, alphas, weighted, factors, (total, *weight));
            }
        }
    }
}
