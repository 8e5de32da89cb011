//! The Elman network (Elman 1990): `h' = tanh(a)` or `h' = max(a, 0)` with
//! `a = W_ih x + b_ih + W_hh h + b_hh`. A block holds four vectors of units.
//!
//! `tests/reference/mod.rs` has the same cell written element by element.

use crate::cell::step::{CellStep, StepGradients, StepOutput, tanh_derivative};
use crate::element::Float;
use crate::simd::math::tanh;
use crate::simd::vector::Simd;

#[derive(Clone, Copy)]
pub(crate) struct Rnn {
    /// max(a, 0) instead of tanh(a).
    pub(crate) relu: bool,
}

impl<T: Float> CellStep<T, 4> for Rnn {
    /// Saves h'.
    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        sums: [S::V; 4],
        carry: [S::V; 4],
    ) -> StepOutput<S::V, 4> {
        let zero = s.splat(T::default());
        // Not `map`: the vectors of its closure would not be inlined.
        let mut hidden = sums;
        for a in &mut hidden {
            *a = if self.relu { s.at_least(zero, *a) } else { tanh(s, *a) };
        }
        StepOutput { hidden, carry, saved: hidden }
    }

    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        saved: [S::V; 4],
        _carry_before: [S::V; 4],
        _carry_after: [S::V; 4],
        d_hidden: [S::V; 4],
        d_carry: [S::V; 4],
    ) -> StepGradients<S::V, 4> {
        let zero = s.splat(T::default());
        let mut slots = d_hidden;
        for (slot, h) in slots.iter_mut().zip(saved) {
            *slot = match self.relu {
                true => s.select_less(zero, h, *slot, zero),
                false => s.mul(*slot, tanh_derivative(s, h)),
            };
        }
        StepGradients { slots, carry: d_carry }
    }
}
