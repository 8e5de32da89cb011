//! The LSTM with layer normalisation (Ba, Kiros and Hinton 2016, supplementary equations 20 to 22):
//!
//! ```text
//! a = LN(W_ih x; w_ih) + b_ih + LN(W_hh h; w_hh) + b_hh      over all 4 H elements of each product
//! i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)      g = tanh(a_g)
//! c' = f c + i g      h' = o tanh(LN(c'; w_c) + b_c)
//! ```
//!
//! The biases are those of the normalisations; the paper has a third one in the same place, which would add nothing.
//! This file has what is left without the normalisations: the hidden state is o, which the time loop multiplies.
//! `tests/reference/mod.rs` has the same cell written element by element.

use crate::cell::kind::{CellKind, Side};
use crate::cell::step::{CellStep, StepGradients, StepOutput, sigmoid_derivative, tanh_derivative};
use crate::element::Float;
use crate::layer_norm::groups::Groups;
use crate::simd::math::{sigmoid, tanh};
use crate::simd::vector::Simd;

#[derive(Clone, Copy)]
pub(crate) struct LayerNormLstm;

impl<T: Float> CellStep<T, 1> for LayerNormLstm {
    const NORMALIZES: bool = true;
    const GROUPS: [Groups; 2] = [CellKind::LayerNormLstm.groups(Side::Input); 2];

    /// Saves i, f, g, o after their nonlinearities.
    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        [i, f, g, o]: [S::V; 4],
        [c]: [S::V; 1],
    ) -> StepOutput<S::V, 1> {
        let (i, f, g, o) = (sigmoid(s, i), sigmoid(s, f), tanh(s, g), sigmoid(s, o));
        let c = s.mul_add(f, c, s.mul(i, g));
        StepOutput { hidden: [o], carry: [c], saved: [i, f, g, o] }
    }

    #[inline(always)]
    fn new_carry<S: Simd<T>>(self, s: S, [i, f, g, _]: [S::V; 4], [c]: [S::V; 1]) -> [S::V; 1] {
        [s.mul_add(f, c, s.mul(i, g))]
    }

    /// ```text
    /// di = dc' g      df = dc' c      dg = dc' i      dc = dc' f
    /// ```
    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        [i, f, g, o]: [S::V; 4],
        [c_before]: [S::V; 1],
        _c_after: [S::V; 1],
        [d_o]: [S::V; 1],
        [d_c]: [S::V; 1],
    ) -> StepGradients<S::V, 1> {
        StepGradients {
            slots: [
                s.mul(s.mul(d_c, g), sigmoid_derivative(s, i)),
                s.mul(s.mul(d_c, c_before), sigmoid_derivative(s, f)),
                s.mul(s.mul(d_c, i), tanh_derivative(s, g)),
                s.mul(d_o, sigmoid_derivative(s, o)),
            ],
            carry: [s.mul(d_c, f)],
        }
    }
}
