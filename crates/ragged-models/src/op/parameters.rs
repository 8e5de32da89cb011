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
}
