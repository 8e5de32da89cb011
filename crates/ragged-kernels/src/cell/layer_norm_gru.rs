//! The GRU with layer normalisation (Ba, Kiros and Hinton 2016, supplementary equations), with PyTorch's order of gates
//! and its z, which is 1 minus that of the paper:
//!
//! ```text
//! r, z = sigmoid(LN(W_i x; w_ih) + b_ih + LN(W_h h; w_hh) + b_hh)      over the 2 H elements of both gates
//! n = tanh(LN(W_in x; w_in) + b_in + r (LN(W_hn h; w_hn) + b_hn))      over H elements each
//! h' = (1 - z) n + z h
//! ```
//!
//! Without the normalisations it is the [`Gru`].

use crate::cell::gru::Gru;
use crate::cell::kind::{CellKind, Side};
use crate::cell::step::{CellStep, StepGradients, StepOutput};
use crate::element::Float;
use crate::gemm::microkernel::Tile;
use crate::layer_norm::groups::Groups;
use crate::simd::vector::Simd;

#[derive(Clone, Copy)]
pub(crate) struct LayerNormGru;

impl<T: Float> CellStep<T, 1> for LayerNormGru {
    const NORMALIZES: bool = true;
    const GROUPS: [Groups; 2] =
        [CellKind::LayerNormGru.groups(Side::Input), CellKind::LayerNormGru.groups(Side::Hidden)];

    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        block: usize,
        sums: [S::V; 4],
        carry: [S::V; 1],
    ) -> StepOutput<S::V, 1> {
        Gru.forward(s, block, sums, carry)
    }

    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        block: usize,
        saved: [S::V; 4],
        carry_before: [S::V; 1],
        carry_after: [S::V; 1],
        d_hidden: [S::V; 1],
        d_carry: [S::V; 1],
    ) -> StepGradients<S::V, 1> {
        Gru.backward(s, block, saved, carry_before, carry_after, d_hidden, d_carry)
    }

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
        // SAFETY: the caller's.
        unsafe { Gru.product::<S, R>(s, side, sums, a, columns, w) }
    }
}
