//! The gated recurrent unit (Cho et al. 2014) as PyTorch has it: the reset gate acts on the product
//! with h, not on h, so n needs its two products apart.
//!
//! ```text
//! r, z = sigmoid(a_r), sigmoid(a_z)      n = tanh(u + r v)
//! u = W_in x + b_in      v = W_hn h + b_hn
//! h' = (1 - z) n + z h
//! ```

use super::{Arithmetic, Derivatives, Outcome, Side, sigmoid_slope, tanh_slope};
use crate::Element;
use crate::math::{sigmoid, tanh};
use crate::simd::Simd;
use crate::tile::{Strided, Tile, accumulate, zero};

#[derive(Clone, Copy)]
pub(crate) struct Gru;

impl<T: Element> Arithmetic<T, 1> for Gru {
    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        [r, z, u, v]: [S::V; 4],
        [h]: [S::V; 1],
    ) -> Outcome<S::V, 1> {
        let (r, z) = (sigmoid(s, r), sigmoid(s, z));
        let n = tanh(s, s.mul_add(r, v, u));
        let h = s.mul_add(z, s.sub(h, n), n);
        Outcome { hidden: [h], carry: [h], record: [r, z, n, v] }
    }

    /// ```text
    /// dn = dh' (1 - z)      dz = dh' (h - n)      dh = dh' z, beside W_hh^T da
    /// du = dn (1 - n^2)      dv = du r      dr = du v
    /// ```
    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        [r, z, n, v]: [S::V; 4],
        [before]: [S::V; 1],
        _after: [S::V; 1],
        [d_hidden]: [S::V; 1],
        [d_carry]: [S::V; 1],
    ) -> Derivatives<S::V, 1> {
        // The hidden state is the carried state: both derivatives are its.
        let d_hidden = s.add(d_hidden, d_carry);
        let d_n = s.mul(d_hidden, s.sub(s.splat(T::ONE), z));
        let d_u = s.mul(d_n, tanh_slope(s, n));
        let d_z = s.mul(d_hidden, s.sub(before, n));
        Derivatives {
            slots: [
                s.mul(s.mul(d_u, v), sigmoid_slope(s, r)),
                s.mul(d_z, sigmoid_slope(s, z)),
                d_u,
                s.mul(d_u, r),
            ],
            carry: [s.mul(d_hidden, z)],
        }
    }

    /// Three slots of the four, so that nothing is multiplied by zero.
    #[inline(always)]
    unsafe fn product<S: Simd<T>, const R: usize>(
        self,
        s: S,
        side: Side,
        mut sums: Tile<T, S, R, 4>,
        a: *const T,
        columns: usize,
        w: *const T,
    ) -> Tile<T, S, R, 4> {
        let a = Strided { at: a, row: columns, column: 1 };
        let last = if side == Side::Input { 2 } else { 3 };
        let mut three = zero::<T, S, R, 3>(s);
        for (three, sums) in three.iter_mut().zip(&sums) {
            *three = [sums[0], sums[1], sums[last]];
        }
        // SAFETY: the caller's; the weights of a side hold its three slots alone.
        let three = unsafe { accumulate::<T, S, R, 3>(s, three, 0..columns, a, w) };
        for (sums, three) in sums.iter_mut().zip(three) {
            (sums[0], sums[1], sums[last]) = (three[0], three[1], three[2]);
        }
        sums
    }
}
