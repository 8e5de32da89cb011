//! The weights of the normalisations in the order in which the kernels read them.

use crate::cell::kind::Side;
use crate::gemm::weight_panels::pack_biases;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::operands::Weights;
use crate::simd::dispatch::SimdFloat;

/// Zeros beyond H.
#[derive(Debug, Clone)]
pub(crate) struct LayerNormWeights<T: SimdFloat> {
    /// Of the input's product, `[block][slot][lane]`.
    pub(crate) input: PooledBuffer<T>,
    /// Of the hidden state's product, likewise.
    pub(crate) hidden: PooledBuffer<T>,
    /// The biases of both sides, which are added after the normalisation, likewise.
    pub(crate) bias: PooledBuffer<T>,
    /// Of the cell state, `[vector][lane]`; empty for a cell without one.
    pub(crate) cell: PooledBuffer<T>,
    /// The bias of the cell state, likewise.
    pub(crate) cell_bias: PooledBuffer<T>,
}

impl<T: SimdFloat> LayerNormWeights<T> {
    /// Packs weights that fit the layout; nothing for a cell without normalisation.
    pub(crate) fn pack(layout: &KernelLayout, weights: &Weights<T>) -> Option<Self> {
        if !layout.cell.normalizes() {
            return None;
        }
        let side = |side, weight| pack_biases(layout, [(side, weight), (side, None)]);
        let state = |weight: Option<&[T]>| {
            let Some(weight) = weight else { return PooledBuffer::new(0) };
            let mut packed = PooledBuffer::<T>::new(layout.vectors() * layout.lanes);
            let (units, padding) = packed.as_mut_slice().split_at_mut(weight.len());
            units.copy_from_slice(weight);
            padding.fill(T::default());
            packed
        };
        Some(Self {
            input: side(Side::Input, weights.ln_ih_weight),
            hidden: side(Side::Hidden, weights.ln_hh_weight),
            bias: pack_biases(
                layout,
                [(Side::Input, weights.bias_ih), (Side::Hidden, weights.bias_hh)],
            ),
            cell: state(weights.ln_c_weight),
            cell_bias: state(weights.ln_c_bias),
        })
    }

    /// Returns the same weights for long use.
    pub(crate) fn trimmed(self) -> Self {
        let Self { input, hidden, bias, cell, cell_bias } = self;
        let [input, hidden, bias, cell, cell_bias] =
            [input, hidden, bias, cell, cell_bias].map(PooledBuffer::trimmed);
        Self { input, hidden, bias, cell, cell_bias }
    }
}
