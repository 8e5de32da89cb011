//! The weights of one layer and direction in the order in which the backward pass reads them.

use crate::cell::kind::Side;
use crate::cell::peephole_lstm::pack_peepholes;
use crate::gemm::weight_panels::pack_column_panels;
use crate::layer_norm::weights::LayerNormWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::operands::Weights;
use crate::passes::projection;
use crate::simd::dispatch::SimdFloat;
use crate::threads::team::Team;

/// Packed weights. They depend on the sizes and the SIMD level of a layout, and not on its batch.
pub(crate) struct BackwardWeights<T: SimdFloat> {
    /// `W_ih` in panels whose depth is the slots of all blocks, where the gradient of the input is wanted.
    pub(crate) input: Option<PooledBuffer<T>>,
    /// `W_hh`, likewise.
    pub(crate) hidden: PooledBuffer<T>,
    /// `W_hn` of a GRU with the reset before the product, likewise; otherwise empty.
    pub(crate) reset: PooledBuffer<T>,
    /// `W_hr` in panels of depth P, with a projection.
    pub(crate) projection: Option<PooledBuffer<T>>,
    /// The peepholes, `[block][i f o][lane]`; empty for a cell without them.
    pub(crate) peepholes: PooledBuffer<T>,
    /// Of a cell with layer normalisation.
    pub(crate) layer_norm: Option<LayerNormWeights<T>>,
}

impl<T: SimdFloat> BackwardWeights<T> {
    /// Packs weights that fit the layout, `W_ih` only if `with_input`.
    pub(crate) fn pack(
        layout: &KernelLayout,
        weights: &Weights<T>,
        with_input: bool,
        team: &Team,
    ) -> Self {
        let (i, p) = (layout.input_size, layout.output_size);
        let panels =
            |side, weight, columns| pack_column_panels(layout, side, weight, columns, team);
        Self {
            input: with_input.then(|| panels(Side::Input, weights.weight_ih, i)),
            hidden: panels(Side::Hidden, weights.weight_hh, p),
            reset: match layout.cell.resets_before() {
                true => panels(Side::Reset, weights.weight_hh, p),
                false => PooledBuffer::new(0),
            },
            projection: weights.weight_hr.map(|w| projection::backward_panels(layout, w, team)),
            peepholes: pack_peepholes(layout, weights),
            layer_norm: LayerNormWeights::pack(layout, weights),
        }
    }
}
