//! The states of an alignment to one target, at one step.
//!
//! A target of L labels has W = L + 1 blanks, one before each label and one at the end, so 2 L + 1 states. Blanks and
//! labels are stored in arrays of their own, so that a step is a loop over contiguous elements:
//!
//! ```text
//! blanks   0   1   2  ..  L
//!            \   \   \
//! labels   -   0   1  ..  L - 1
//! ```
//!
//! Label k is at index k + 1, and index 0 of the labels is always zero.

use crate::element::Float;
use crate::extended::exp;
use crate::simd::vector::Simd;

/// Numbers of extended range.
pub(crate) struct Numbers<'a, T> {
    pub(crate) mantissas: &'a [T],
    pub(crate) exponents: &'a [T],
}

/// As [`Numbers`], to be written.
pub(crate) struct NumbersMut<'a, T> {
    pub(crate) mantissas: &'a mut [T],
    pub(crate) exponents: &'a mut [T],
}

/// Divides `[4][W]` into the blanks and labels of a step.
#[inline(always)]
pub(crate) fn split<T>(row: &[T], w: usize) -> [Numbers<'_, T>; 2] {
    let (blanks, labels) = row[..4 * w].split_at(2 * w);
    [blanks, labels].map(|half| {
        let (mantissas, exponents) = half.split_at(w);
        Numbers { mantissas, exponents }
    })
}

/// As [`split`].
#[inline(always)]
pub(crate) fn split_mut<T>(row: &mut [T], w: usize) -> [NumbersMut<'_, T>; 2] {
    let (blanks, labels) = row[..4 * w].split_at_mut(2 * w);
    [blanks, labels].map(|half| {
        let (mantissas, exponents) = half.split_at_mut(w);
        NumbersMut { mantissas, exponents }
    })
}

/// The probabilities of the classes of a target at one step.
#[derive(Default)]
pub(crate) struct TargetProbabilities<T> {
    /// `[W]`: the mantissas and exponents of the labels, that of label k at k + 1.
    pub(crate) mantissas: Vec<T>,
    pub(crate) exponents: Vec<T>,
    /// Those of the blank.
    pub(crate) blank: (T, T),
}

impl<T: Float> TargetProbabilities<T> {
    /// Prepares for a target of `w - 1` labels.
    pub(crate) fn resize(&mut self, w: usize) {
        self.mantissas.clear();
        self.mantissas.resize(w, T::default());
        self.exponents.clear();
        self.exponents.resize(w, T::default());
    }

    /// Computes the probabilities from a row of logits, its maximum, and the reciprocal of the sum of its
    /// exponentials relative to that.
    #[inline(always)]
    pub(crate) fn compute<S: Simd<T>>(
        &mut self,
        s: S,
        logits: &[T],
        (max, reciprocal): (T, T),
        target: &[u32],
        blank: usize,
    ) {
        // The exponents hold the arguments first.
        for (argument, &label) in self.exponents[1..].iter_mut().zip(target) {
            *argument = logits[label as usize] - max;
        }
        for (mantissa, argument) in self.mantissas.iter_mut().zip(&mut self.exponents) {
            let (m, e) = exp(s, *argument);
            *mantissa = m * reciprocal;
            *argument = e;
        }
        self.exponents[0] = T::default();
        let (m, e) = exp(s, logits[blank] - max);
        self.blank = (m * reciprocal, e);
    }
}
