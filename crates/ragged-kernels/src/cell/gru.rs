//! The gated recurrent unit (Cho et al. 2014) as PyTorch defines it: the reset gate multiplies the
//! product with h, not h itself, so the two terms of n are summed separately.
//!
//! ```text
//! r, z = sigmoid(a_r), sigmoid(a_z)      n = tanh(u + r v)
//! u = W_in x + b_in      v = W_hn h + b_hn
//! h' = (1 - z) n + z h
//! ```
//!
//! `tests/reference/mod.rs` has the same cell written element by element.

use crate::cell::kind::Side;
use crate::cell::step::{CellStep, StepGradients, StepOutput, sigmoid_derivative, tanh_derivative};
use crate::element::Float;
use crate::gemm::microkernel::{Strided, Tile, microkernel, zero_tile};
use crate::simd::math::{sigmoid, tanh};
use crate::simd::vector::Simd;

#[derive(Clone, Copy)]
pub(crate) struct Gru;

impl<T: Float> CellStep<T, 1> for Gru {
    /// Saves r, z, n after their nonlinearities, and v.
    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        [r, z, u, v]: [S::V; 4],
        [h]: [S::V; 1],
    ) -> StepOutput<S::V, 1> {
        let (r, z) = (sigmoid(s, r), sigmoid(s, z));
        let n = tanh(s, s.mul_add(r, v, u));
        let h = s.mul_add(z, s.sub(h, n), n);
        StepOutput { hidden: [h], carry: [h], saved: [r, z, n, v] }
    }

    /// ```text
    /// dn = dh' (1 - z)      dz = dh' (h - n)      dh = dh' z, in addition to W_hh^T da
    /// du = dn (1 - n^2)      dv = du r      dr = du v
    /// ```
    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        [r, z, n, v]: [S::V; 4],
        [h_before]: [S::V; 1],
        _h_after: [S::V; 1],
        [d_hidden]: [S::V; 1],
        [d_carry]: [S::V; 1],
    ) -> StepGradients<S::V, 1> {
        // The hidden state is the carry: both gradients are with respect to it.
        let d_hidden = s.add(d_hidden, d_carry);
        let d_n = s.mul(d_hidden, s.sub(s.splat(T::ONE), z));
        let d_u = s.mul(d_n, tanh_derivative(s, n));
        let d_z = s.mul(d_hidden, s.sub(h_before, n));
        StepGradients {
            slots: [
                s.mul(s.mul(d_u, v), sigmoid_derivative(s, r)),
                s.mul(d_z, sigmoid_derivative(s, z)),
                d_u,
                s.mul(d_u, r),
            ],
            carry: [s.mul(d_hidden, z)],
        }
    }

    /// Computes three of the four slots, so that nothing is multiplied by zero.
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
        let a = Strided { start: a, row_stride: columns, column_stride: 1 };
        let last = if side == Side::Input { 2 } else { 3 };
        let mut three = zero_tile::<T, S, R, 3>(s);
        for (three, sums) in three.iter_mut().zip(&sums) {
            *three = [sums[0], sums[1], sums[last]];
        }
        // SAFETY: the caller's; the weights of a side hold its three slots only.
        let three = unsafe { microkernel::<T, S, R, 3>(s, three, 0..columns, a, w) };
        for (sums, three) in sums.iter_mut().zip(three) {
            (sums[0], sums[1], sums[last]) = (three[0], three[1], three[2]);
        }
        sums
    }
}
