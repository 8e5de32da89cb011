//! Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
//! 2000), in PyTorch's order of gates:
//!
//! ```text
//! i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)      g = tanh(a_g)
//! c' = f c + i g                                          h' = o tanh(c')
//! ```

use super::{Arithmetic, Derivatives, Outcome, sigmoid_slope, tanh_slope};
use crate::Element;
use crate::math::{sigmoid, tanh};
use crate::simd::Simd;

#[derive(Clone, Copy)]
pub(crate) struct Lstm;

impl<T: Element> Arithmetic<T, 1> for Lstm {
    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        [i, f, g, o]: [S::V; 4],
        [c]: [S::V; 1],
    ) -> Outcome<S::V, 1> {
        let (i, f, g, o) = (sigmoid(s, i), sigmoid(s, f), tanh(s, g), sigmoid(s, o));
        let c = s.mul_add(f, c, s.mul(i, g));
        Outcome { hidden: [s.mul(o, tanh(s, c))], carry: [c], record: [i, f, g, o] }
    }

    /// ```text
    /// do = dh' tanh(c')      dc' += dh' o (1 - tanh(c')^2)
    /// di = dc' g      df = dc' c      dg = dc' i      dc = dc' f
    /// ```
    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        [i, f, g, o]: [S::V; 4],
        [before]: [S::V; 1],
        [after]: [S::V; 1],
        [d_hidden]: [S::V; 1],
        [d_carry]: [S::V; 1],
    ) -> Derivatives<S::V, 1> {
        let tanh_c = tanh(s, after);
        let d_c = s.mul_add(s.mul(d_hidden, o), tanh_slope(s, tanh_c), d_carry);
        Derivatives {
            slots: [
                s.mul(s.mul(d_c, g), sigmoid_slope(s, i)),
                s.mul(s.mul(d_c, before), sigmoid_slope(s, f)),
                s.mul(s.mul(d_c, i), tanh_slope(s, g)),
                s.mul(s.mul(d_hidden, tanh_c), sigmoid_slope(s, o)),
            ],
            carry: [s.mul(d_c, f)],
        }
    }
}
