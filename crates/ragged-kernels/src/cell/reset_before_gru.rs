//! The gated recurrent unit as Cho et al. (2014) define it: the reset gate multiplies h before the product, as in
//! ONNX's `linear_before_reset = 0` and Keras's `reset_after=False`. The product of n has to wait for r of all units,
//! so a step has two parts.
//!
//! ```text
//! r, z = sigmoid(a_r), sigmoid(a_z)      n = tanh(W_in x + b_in + W_hn (r h) + b_hn)
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
pub(crate) struct ResetBeforeGru;

impl<T: Float> CellStep<T, 1> for ResetBeforeGru {
    const RESETS_FIRST: bool = true;

    #[inline(always)]
    fn reset<S: Simd<T>>(self, s: S, [r, z, n, unused]: [S::V; 4]) -> [S::V; 4] {
        [sigmoid(s, r), sigmoid(s, z), n, unused]
    }

    /// Takes r and z after their nonlinearities, and saves r, z, n.
    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        [r, z, n, unused]: [S::V; 4],
        [h]: [S::V; 1],
    ) -> StepOutput<S::V, 1> {
        let n = tanh(s, n);
        let h = s.mul_add(z, s.sub(h, n), n);
        StepOutput { hidden: [h], carry: [h], saved: [r, z, n, unused] }
    }

    /// ```text
    /// dn = dh' (1 - z)      dz = dh' (h - n)      dh = dh' z, in addition to the products
    /// ```
    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        _block: usize,
        [_, z, n, _]: [S::V; 4],
        [h_before]: [S::V; 1],
        _h_after: [S::V; 1],
        [d_hidden]: [S::V; 1],
        [d_carry]: [S::V; 1],
    ) -> StepGradients<S::V, 1> {
        let zero = s.splat(T::default());
        let d_hidden = s.add(d_hidden, d_carry);
        let d_n = s.mul(d_hidden, s.sub(s.splat(T::ONE), z));
        let d_z = s.mul(d_hidden, s.sub(h_before, n));
        StepGradients {
            // The gradient of r follows from the product.
            slots: [
                zero,
                s.mul(d_z, sigmoid_derivative(s, z)),
                s.mul(d_n, tanh_derivative(s, n)),
                zero,
            ],
            carry: [s.mul(d_hidden, z)],
        }
    }

    /// Computes the slots of the side only.
    #[inline(always)]
    unsafe fn product<S: Simd<T>, const R: usize>(
        self,
        s: S,
        side: Side,
        sums: Tile<T, S, R, 4>,
        a: *const T,
        columns: usize,
        w: *const T,
    ) -> Tile<T, S, R, 4> {
        // SAFETY: the caller's; the weights of a side hold its slots only.
        unsafe {
            match side {
                Side::Input => slots::<T, S, R, 3>(s, 0, sums, a, columns, w),
                Side::Hidden => slots::<T, S, R, 2>(s, 0, sums, a, columns, w),
                Side::Reset => slots::<T, S, R, 1>(s, 2, sums, a, columns, w),
            }
        }
    }
}

/// Returns `sums + a w` for `V` slots from `first` on.
///
/// # Safety
///
/// As [`CellStep::product`].
#[inline(always)]
unsafe fn slots<T: Float, S: Simd<T>, const R: usize, const V: usize>(
    s: S,
    first: usize,
    mut sums: Tile<T, S, R, 4>,
    a: *const T,
    columns: usize,
    w: *const T,
) -> Tile<T, S, R, 4> {
    let a = Strided { start: a, row_stride: columns, column_stride: 1 };
    let mut some = zero_tile::<T, S, R, V>(s);
    for (some, sums) in some.iter_mut().zip(&sums) {
        some.copy_from_slice(&sums[first..first + V]);
    }
    // SAFETY: the caller's.
    let some = unsafe { microkernel::<T, S, R, V>(s, some, 0..columns, a, w) };
    for (sums, some) in sums.iter_mut().zip(&some) {
        sums[first..first + V].copy_from_slice(some);
    }
    sums
}
