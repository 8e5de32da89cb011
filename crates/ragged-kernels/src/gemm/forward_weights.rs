//! The weights of one layer and direction in the order in which the forward pass reads them.

use crate::cell::kind::Side;
use crate::cell::peephole_lstm::pack_peepholes;
use crate::gemm::weight_panels::{pack_biases, pack_gate_panels, pack_projection_panels};
use crate::layer_norm::centered_weights::center;
use crate::layer_norm::weights::LayerNormWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::operands::Weights;
use crate::simd::dispatch::SimdFloat;
use crate::threads::team::Team;

/// Packed weights. They depend on the sizes and the SIMD level of a layout, and not on its batch.
#[derive(Debug, Clone)]
pub(crate) struct ForwardWeights<T: SimdFloat> {
    /// The biases of both sides, `[block][slot][lane]`.
    pub(crate) bias: PooledBuffer<T>,
    /// `W_ih`, `[block][column][slot of the side][lane]`; centred for a cell with layer normalisation.
    pub(crate) input: PooledBuffer<T>,
    /// `W_hh`, likewise.
    pub(crate) hidden: PooledBuffer<T>,
    /// `W_hn` of a GRU with the reset before the product, likewise; otherwise empty.
    pub(crate) reset: PooledBuffer<T>,
    /// `W_hr` in panels of depth H, with a projection.
    pub(crate) projection: Option<PooledBuffer<T>>,
    /// The peepholes, `[block][i f o][lane]`; empty for a cell without them.
    pub(crate) peepholes: PooledBuffer<T>,
    /// Of a cell with layer normalisation, which has its biases there, and zeros in `bias`.
    pub(crate) layer_norm: Option<LayerNormWeights<T>>,
}

impl<T: SimdFloat> ForwardWeights<T> {
    /// Packs weights that fit the layout.
    pub(crate) fn pack(layout: &KernelLayout, weights: &Weights<T>, team: &Team) -> Self {
        let biases = [(Side::Input, weights.bias_ih), (Side::Hidden, weights.bias_hh)];
        let gates = |side, weight, columns| {
            let mut panels = pack_gate_panels(layout, side, weight, columns, team);
            if layout.cell.normalizes() {
                center(layout, side, columns, &mut panels, team);
            }
            panels
        };
        Self {
            bias: match layout.cell.normalizes() {
                true => pack_biases(layout, biases.map(|(side, _)| (side, None))),
                false => pack_biases(layout, biases),
            },
            input: gates(Side::Input, weights.weight_ih, layout.input_size),
            hidden: gates(Side::Hidden, weights.weight_hh, layout.output_size),
            reset: gates(Side::Reset, weights.weight_hh, layout.output_size),
            projection: weights.weight_hr.map(|w| pack_projection_panels(layout, w, team)),
            peepholes: pack_peepholes(layout, weights),
            layer_norm: LayerNormWeights::pack(layout, weights),
        }
    }

    /// Returns the same weights for long use, in buffers of about their size.
    pub(crate) fn trimmed(self) -> Self {
        let Self { bias, input, hidden, reset, projection, peepholes, layer_norm } = self;
        let [bias, input, hidden, reset, peepholes] =
            [bias, input, hidden, reset, peepholes].map(PooledBuffer::trimmed);
        let projection = projection.map(PooledBuffer::trimmed);
        let layer_norm = layer_norm.map(LayerNormWeights::trimmed);
        Self { bias, input, hidden, reset, projection, peepholes, layer_norm }
    }
}
