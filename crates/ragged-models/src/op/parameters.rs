//! The parameters of a cell as tensors.

use candle_core::Tensor;

/// The parameters of one layer and direction: G gates of H rows.
#[derive(Debug, Clone)]
pub(crate) struct CellParameters {
    /// `[G H, I]`.
    pub(crate) weight_ih: Tensor,
    /// `[G H, P]`.
    pub(crate) weight_hh: Tensor,
    /// `bias_ih` and `bias_hh`, `[G H]` each.
    pub(crate) biases: Option<(Tensor, Tensor)>,
    /// `[P, H]`, for an LSTM with a projection.
    pub(crate) weight_hr: Option<Tensor>,
    /// `weight_ci`, `weight_cf` and `weight_co`, `[H]` each, for an LSTM with peepholes.
    pub(crate) peepholes: Option<[Tensor; 3]>,
    /// With layer normalisation.
    pub(crate) layer_norm: Option<LayerNormParameters>,
}

/// The parameters of a cell's normalisations.
#[derive(Debug, Clone)]
pub(crate) struct LayerNormParameters {
    /// `ln_ih_weight` and `ln_hh_weight`, `[G H]` each.
    pub(crate) sides: [Tensor; 2],
    /// `ln_c_weight` and `ln_c_bias`, `[H]` each, for an LSTM.
    pub(crate) cell: Option<[Tensor; 2]>,
}

impl CellParameters {
    /// Returns `ln_ih_weight`, `ln_hh_weight`, `ln_c_weight` and `ln_c_bias`, where the cell has them.
    pub(crate) fn layer_norm(&self) -> [Option<&Tensor>; 4] {
        let sides = self.layer_norm.as_ref().map(|norm| &norm.sides);
        let cell = self.layer_norm.as_ref().and_then(|norm| norm.cell.as_ref());
        let ([ih, hh], [weight, bias]) =
            ([0, 1].map(|k| sides.map(|sides| &sides[k])), [0, 1].map(|k| cell.map(|c| &c[k])));
        [ih, hh, weight, bias]
    }
}
