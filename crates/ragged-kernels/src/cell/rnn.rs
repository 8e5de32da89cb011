//! The Elman network (Elman 1990): `h' = tanh(a)` or `h' = max(a, 0)` with
//! `a = W_ih x + b_ih + W_hh h + b_hh`. Four vectors of units make a block.

use super::{Arithmetic, Derivatives, Outcome, tanh_slope};
use crate::Element;
use crate::math::tanh;
use crate::simd::Simd;

#[derive(Clone, Copy)]
pub(crate) struct Rnn {
    /// max(a, 0) instead of tanh.
    pub(crate) relu: bool,
}

impl<T: Element> Arithmetic<T, 4> for Rnn {
    #[inline(always)]
    fn forward<S: Simd<T>>(self, s: S, sums: [S::V; 4], carry: [S::V; 4]) -> Outcome<S::V, 4> {
        let zero = s.splat(T::default());
        let hidden = match self.relu {
            true => sums.map(|a| s.at_least(zero, a)),
            false => sums.map(|a| tanh(s, a)),
        };
        Outcome { hidden, carry, record: hidden }
    }

    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        record: [S::V; 4],
        _before: [S::V; 4],
        _after: [S::V; 4],
        d_hidden: [S::V; 4],
        d_carry: [S::V; 4],
    ) -> Derivatives<S::V, 4> {
        let zero = s.splat(T::default());
        let mut slots = d_hidden;
        for (slot, h) in slots.iter_mut().zip(record) {
            *slot = match self.relu {
                true => s.select_less(zero, h, *slot, zero),
                false => s.mul(*slot, tanh_slope(s, h)),
            };
        }
        Derivatives { slots, carry: d_carry }
    }
}
