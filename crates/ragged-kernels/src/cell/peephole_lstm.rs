//! The LSTM with peepholes (Gers and Schmidhuber 2000): its gates see the cell state, i and f the one before the step
//! and o the one after it. The weights are diagonal, one per unit and gate.
//!
//! ```text
//! i, f = sigmoid(a_i + w_ci c), sigmoid(a_f + w_cf c)      g = tanh(a_g)
//! c' = f c + i g      o = sigmoid(a_o + w_co c')           h' = o tanh(c')
//! ```
//!
//! `tests/reference/mod.rs` has the same cell written element by element.

use crate::cell::step::{CellStep, StepGradients, StepOutput, sigmoid_derivative, tanh_derivative};
use crate::element::Float;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::operands::Weights;
use crate::simd::math::{sigmoid, tanh};
use crate::simd::vector::Simd;

/// The weights of a unit: of the gates i, f and o.
pub(crate) const PEEPHOLES: usize = 3;

#[derive(Clone, Copy)]
pub(crate) struct PeepholeLstm<'a, T> {
    /// `[block][i f o][lane]`, zeros beyond H.
    weights: &'a [T],
}

/// Packs the weights as `[block][i f o][lane]`, with zeros for the lanes beyond H; nothing for a cell without them.
pub(crate) fn pack_peepholes<T: Float>(
    layout: &KernelLayout,
    weights: &Weights<T>,
) -> PooledBuffer<T> {
    let (Some(ci), Some(cf), Some(co)) = (weights.weight_ci, weights.weight_cf, weights.weight_co)
    else {
        return PooledBuffer::new(0);
    };
    let lanes = layout.lanes;
    let mut packed = PooledBuffer::<T>::new(layout.blocks * PEEPHOLES * lanes);
    let out = packed.as_mut_slice();
    out.fill(T::default());
    for (gate, weight) in [ci, cf, co].into_iter().enumerate() {
        for (block, from) in weight.chunks(lanes).enumerate() {
            out[(block * PEEPHOLES + gate) * lanes..][..from.len()].copy_from_slice(from);
        }
    }
    packed
}

impl<'a, T: Float> PeepholeLstm<'a, T> {
    /// Takes the weights of [`pack_peepholes`].
    pub(crate) fn new(layout: &KernelLayout, packed: &'a PooledBuffer<T>) -> Self {
        let weights = packed.as_slice();
        // What every step relies on.
        assert!(weights.len() >= layout.blocks * PEEPHOLES * layout.lanes, "packed peepholes");
        Self { weights }
    }

    /// The weights of a block's gates i, f and o.
    #[inline(always)]
    fn of_block<S: Simd<T>>(self, s: S, block: usize) -> [S::V; PEEPHOLES] {
        let start = self.weights.as_ptr().wrapping_add(block * PEEPHOLES * S::LANES);
        // SAFETY: there are weights for all blocks of the layout, which all steps belong to.
        unsafe { [s.load(start), s.load(start.add(S::LANES)), s.load(start.add(2 * S::LANES))] }
    }
}

impl<T: Float> CellStep<T, 1> for PeepholeLstm<'_, T> {
    /// Saves i, f, g, o after their nonlinearities.
    #[inline(always)]
    fn forward<S: Simd<T>>(
        self,
        s: S,
        block: usize,
        [i, f, g, o]: [S::V; 4],
        [c]: [S::V; 1],
    ) -> StepOutput<S::V, 1> {
        let [w_ci, w_cf, w_co] = self.of_block(s, block);
        let (i, f) = (sigmoid(s, s.mul_add(w_ci, c, i)), sigmoid(s, s.mul_add(w_cf, c, f)));
        let g = tanh(s, g);
        let c = s.mul_add(f, c, s.mul(i, g));
        let o = sigmoid(s, s.mul_add(w_co, c, o));
        StepOutput { hidden: [s.mul(o, tanh(s, c))], carry: [c], saved: [i, f, g, o] }
    }

    #[inline(always)]
    fn new_carry<S: Simd<T>>(self, s: S, [i, f, g, _]: [S::V; 4], [c]: [S::V; 1]) -> [S::V; 1] {
        [s.mul_add(f, c, s.mul(i, g))]
    }

    /// ```text
    /// do = dh' tanh(c')      da_o = do o (1 - o)      dc' += dh' o (1 - tanh(c')^2) + da_o w_co
    /// di = dc' g      df = dc' c      dg = dc' i      dc = dc' f + da_i w_ci + da_f w_cf
    /// ```
    #[inline(always)]
    fn backward<S: Simd<T>>(
        self,
        s: S,
        block: usize,
        [i, f, g, o]: [S::V; 4],
        [c_before]: [S::V; 1],
        [c_after]: [S::V; 1],
        [d_hidden]: [S::V; 1],
        [d_carry]: [S::V; 1],
    ) -> StepGradients<S::V, 1> {
        let [w_ci, w_cf, w_co] = self.of_block(s, block);
        let tanh_c = tanh(s, c_after);
        let da_o = s.mul(s.mul(d_hidden, tanh_c), sigmoid_derivative(s, o));
        let d_c = s.mul_add(s.mul(d_hidden, o), tanh_derivative(s, tanh_c), d_carry);
        let d_c = s.mul_add(da_o, w_co, d_c);
        let da_i = s.mul(s.mul(d_c, g), sigmoid_derivative(s, i));
        let da_f = s.mul(s.mul(d_c, c_before), sigmoid_derivative(s, f));
        StepGradients {
            slots: [da_i, da_f, s.mul(s.mul(d_c, i), tanh_derivative(s, g)), da_o],
            carry: [s.mul_add(da_f, w_cf, s.mul_add(da_i, w_ci, s.mul(d_c, f)))],
        }
    }
}
