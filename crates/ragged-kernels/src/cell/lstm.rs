//! Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
//! 2000), with the gates in PyTorch's order:
//!
//! ```text
//! i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)      g = tanh(a_g)
//! c' = f c + i g                                          h' = o tanh(c')
//! ```
//!
//! `tests/reference/mod.rs` has the same cell written element by element.

use crate::cell::step::{CellStep, StepGradients, StepOutput, sigmoid_derivative, tanh_derivative};
use crate::element::Float;
use crate::simd::math::{sigmoid, tanh};
use crate::simd::vector::Simd;

#[derive(Clone, Copy)]
pub(crate) struct Lstm;

impl<T: Float> CellStep<T, 1> for Lstm {
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
        StepOutput { hidden: [s.mul(o, tanh(s, c))], carry: [c], saved: [i, f, g, o] }
    }

    #[inline(always)]
    fn new_carry<S: Simd<T>>(self, s: S, [i, f, g, _]: [S::V; 4], [c]: [S::V; 1]) -> [S::V; 1] {
        [s.mul_add(f, c, s.mul(i, g))]
    }

    /// ```text
    /// do = dh' tanh(c')      dc' += dh' o (1 - tanh(c')^2)
    /// di = dc' g      df = dc' c      dg = dc' i      dc = dc' f
    /// ```
    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        [i, f, g, o]: [S::V; 4],
        [c_before]: [S::V; 1],
        [c_after]: [S::V; 1],
        [d_hidden]: [S::V; 1],
        [d_carry]: [S::V; 1],
    ) -> StepGradients<S::V, 1> {
        let tanh_c = tanh(s, c_after);
        let d_c = s.mul_add(s.mul(d_hidden, o), tanh_derivative(s, tanh_c), d_carry);
        StepGradients {
            slots: [
                s.mul(s.mul(d_c, g), sigmoid_derivative(s, i)),
                s.mul(s.mul(d_c, c_before), sigmoid_derivative(s, f)),
                s.mul(s.mul(d_c, i), tanh_derivative(s, g)),
                s.mul(s.mul(d_hidden, tanh_c), sigmoid_derivative(s, o)),
            ],
            carry: [s.mul(d_c, f)],
        }
    }
}
