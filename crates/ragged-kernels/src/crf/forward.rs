//! The forward variables: the sum over all paths up to a step that end in a tag.
//!
//! A step is a product of the transitions with the forward variables, relative to the largest of these. Terms that are
//! too small for a float are lost in it. That is of no consequence where the sum is not small itself; the few sums that
//! are small are computed again with numbers of extended range.

use crate::crf::potentials::{BLOCK, CrfPotentials};
use crate::element::Float;
use crate::extended::{larger, mul_add, normalize, power};
use crate::simd::vector::Simd;

/// Numbers of extended range, `[2][padded C]`: mantissas, then exponents.
pub(crate) type Row<T> = [T];

/// The buffers of a product.
#[derive(Default)]
pub(crate) struct Product<T> {
    /// `[padded C]`: the factors in the range of floats.
    pub(crate) factors: Vec<T>,
    /// `[padded C]`: the sums.
    sums: Vec<T>,
}

/// The direction of a product.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// From the tags before to the tags of a step.
    Forward,
    /// From the tags of a step to the tags before.
    Backward,
}

impl<T: Float> Product<T> {
    pub(crate) fn resize(&mut self, padded: usize) {
        self.factors.resize(padded, T::default());
        self.sums.resize(padded, T::default());
    }

    /// Stores the sums over the transitions times `numbers` in `into`. Returns the exponent to which
    /// [`factors`](Self::factors) are relative.
    #[inline(always)]
    pub(crate) fn compute<S: Simd<T>>(
        &mut self,
        s: S,
        potentials: &CrfPotentials<T>,
        way: Way,
        numbers: &Row<T>,
        into: &mut Row<T>,
    ) -> T {
        let CrfPotentials { classes, padded, ref transitions, .. } = *potentials;
        let (m, e) = numbers.split_at(padded);
        let exponent = largest(e);
        let factors = &mut self.factors[..padded];
        for k in 0..padded {
            factors[k] = m[k] * power(e[k] - exponent);
        }
        let panel = if way == Way::Forward { &potentials.forward } else { &potentials.backward };
        let blocks = panel.chunks_exact(classes * BLOCK).zip(self.sums.chunks_exact_mut(BLOCK));
        for (block, into) in blocks {
            let mut sums = [T::default(); BLOCK];
            for (transitions, &factor) in block.chunks_exact(BLOCK).zip(&*factors) {
                for lane in 0..BLOCK {
                    sums[lane] = mul_add(s, transitions[lane], factor, sums[lane]);
                }
            }
            into.copy_from_slice(&sums);
        }
        let (into_m, into_e) = into.split_at_mut(padded);
        let sums = &self.sums[..padded];
        let mut small = 0;
        for k in 0..padded {
            (into_m[k], into_e[k]) = normalize(sums[k], exponent);
            small += u32::from(sums[k] < T::TINY);
        }
        if small as usize > padded - classes {
            for to in (0..classes).filter(|&to| sums[to] < T::TINY) {
                // The transitions to or from this tag.
                let (first, stride) =
                    if way == Way::Forward { (to, classes) } else { (to * classes, 1) };
                let transition = |k: usize| {
                    let k = first + k * stride;
                    (transitions.mantissas[k], transitions.exponents[k])
                };
                let numbers = (&m[..classes], &e[..classes]);
                (into_m[to], into_e[to]) = extended_sum(numbers, transition);
            }
        }
        exponent
    }
}

/// The sum of products in extended range.
fn extended_sum<T: Float>((m, e): (&[T], &[T]), by: impl Fn(usize) -> (T, T)) -> (T, T) {
    let exponents = (0..m.len()).map(|k| e[k] + by(k).1);
    let exponent = exponents.fold(T::NEG_INFINITY, |max, e| larger(e, max));
    let terms = (0..m.len()).map(|k| m[k] * by(k).0 * power(e[k] + by(k).1 - exponent));
    normalize(terms.fold(T::default(), |sum, term| sum + term), exponent)
}

/// The largest of some elements, which are whole blocks.
#[inline(always)]
pub(crate) fn largest<T: Float>(values: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; BLOCK];
    for block in values.chunks_exact(BLOCK) {
        for lane in 0..BLOCK {
            lanes[lane] = larger(block[lane], lanes[lane]);
        }
    }
    lanes.into_iter().fold(T::NEG_INFINITY, |max, value| larger(value, max))
}

/// Multiplies numbers by others.
#[inline(always)]
pub(crate) fn multiply<T: Float>(numbers: &mut Row<T>, by: (&[T], &[T]), padded: usize) {
    let (m, e) = numbers.split_at_mut(padded);
    let (by_m, by_e) = (&by.0[..padded], &by.1[..padded]);
    for k in 0..padded {
        (m[k], e[k]) = normalize(m[k] * by_m[k], e[k] + by_e[k]);
    }
}

/// Computes the forward variables of all steps of a sequence of at least one, and returns the sum over all paths.
///
/// `emissions` and `alphas` are `[T][2][padded C]`.
#[inline(always)]
pub(crate) fn forward<T: Float, S: Simd<T>>(
    s: S,
    potentials: &CrfPotentials<T>,
    product: &mut Product<T>,
    emissions: &[T],
    alphas: &mut [T],
) -> (T, T) {
    let padded = potentials.padded;
    let width = 2 * padded;
    let (m, e) = alphas[..width].split_at_mut(padded);
    m.copy_from_slice(&potentials.start.mantissas);
    e.copy_from_slice(&potentials.start.exponents);
    multiply(&mut alphas[..width], emissions[..width].split_at(padded), padded);
    for t in 1..emissions.len() / width {
        let (before, after) = alphas.split_at_mut(t * width);
        let after = &mut after[..width];
        product.compute(s, potentials, Way::Forward, &before[(t - 1) * width..], after);
        multiply(after, emissions[t * width..][..width].split_at(padded), padded);
    }
    let (m, e) = alphas[emissions.len() - width..][..width].split_at(padded);
    let end = |k: usize| (potentials.end.mantissas[k], potentials.end.exponents[k]);
    extended_sum((m, e), end)
}
