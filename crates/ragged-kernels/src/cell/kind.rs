//! The kinds of cells: how many gates each has, and how they are laid out in slots.

use crate::layer_norm::groups::Groups;

/// A recurrent cell, named as PyTorch's `nn.RNNBase.mode`.
///
/// ```
/// use ragged_kernels::CellKind;
///
/// assert_eq!((CellKind::Lstm.gates(), CellKind::Gru.gates()), (4, 3));
/// assert!(CellKind::Lstm.has_cell_state() && !CellKind::Gru.has_cell_state());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CellKind {
    /// Long short-term memory, with gates i, f, g, o.
    Lstm,
    /// Long short-term memory with peepholes (Gers and Schmidhuber 2000): the gates i and f also see the cell state
    /// before the step, and o the one after it.
    PeepholeLstm,
    /// Gated recurrent unit, with gates r, z, n. As in PyTorch, the reset gate r multiplies the product
    /// `W_hn h + b_hn` and not h.
    Gru,
    /// Gated recurrent unit whose reset gate multiplies h before the product, `W_hn (r h) + b_hn` (Cho et al. 2014).
    ResetBeforeGru,
    /// LSTM with layer normalisation of both products and of the cell state (Ba, Kiros and Hinton 2016).
    LayerNormLstm,
    /// GRU with layer normalisation of both products, of the gates r and z together and of n alone.
    LayerNormGru,
    /// Elman network with tanh.
    RnnTanh,
    /// Elman network with max(x, 0).
    RnnRelu,
}

/// The products that enter a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// `W_ih x`.
    Input,
    /// `W_hh h`; of a GRU with the reset before the product, without `W_hn`.
    Hidden,
    /// `W_hn (r h)` of such a GRU.
    Reset,
}

impl CellKind {
    /// Returns G, the number of gates: the weights have G x H rows.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm | Self::PeepholeLstm | Self::LayerNormLstm => 4,
            Self::Gru | Self::ResetBeforeGru | Self::LayerNormGru => 3,
            Self::RnnTanh | Self::RnnRelu => 1,
        }
    }

    /// Returns whether the cell has a cell state c in addition to the hidden state h.
    pub fn has_cell_state(self) -> bool {
        matches!(self, Self::Lstm | Self::PeepholeLstm | Self::LayerNormLstm)
    }

    /// Returns whether the cell has the weights [`weight_ci`](crate::Weights::weight_ci) and the like.
    pub fn has_peepholes(self) -> bool {
        self == Self::PeepholeLstm
    }

    /// Returns whether the cell has layer normalisation, with the weights
    /// [`ln_ih_weight`](crate::Weights::ln_ih_weight) and the like.
    pub fn normalizes(self) -> bool {
        matches!(self, Self::LayerNormLstm | Self::LayerNormGru)
    }

    /// Which slots of a side's product are normalised together.
    pub(crate) const fn groups(self, side: Side) -> Groups {
        match (self, side) {
            (Self::LayerNormGru, Side::Input) => Groups([0, 0, 1, Groups::NONE]),
            (Self::LayerNormGru, _) => Groups([0, 0, Groups::NONE, 1]),
            _ => Groups([0; 4]),
        }
    }

    /// The slots that a product is added to.
    pub(crate) fn slots(self, side: Side) -> &'static [usize] {
        match (self, side) {
            (Self::Gru | Self::LayerNormGru, Side::Input) => &[0, 1, 2],
            (Self::Gru | Self::LayerNormGru, Side::Hidden) => &[0, 1, 3],
            (Self::ResetBeforeGru, Side::Input) => &[0, 1, 2],
            (Self::ResetBeforeGru, Side::Hidden) => &[0, 1],
            (Self::ResetBeforeGru, Side::Reset) => &[2],
            (_, Side::Reset) => &[],
            _ => &[0, 1, 2, 3],
        }
    }

    /// The slots that the bias of a side is added to.
    pub(crate) fn bias_slots(self, side: Side) -> &'static [usize] {
        match (self, side) {
            (Self::ResetBeforeGru, Side::Hidden) => &[0, 1, 2],
            _ => self.slots(side),
        }
    }

    /// Whether a step has a second product, of the hidden state times the reset gate.
    pub(crate) fn resets_before(self) -> bool {
        self == Self::ResetBeforeGru
    }

    /// The gate that a slot belongs to.
    pub(crate) fn gate(self, slot: usize) -> usize {
        match self {
            Self::Lstm | Self::PeepholeLstm | Self::LayerNormLstm => slot,
            Self::Gru | Self::ResetBeforeGru | Self::LayerNormGru => slot.min(2),
            Self::RnnTanh | Self::RnnRelu => 0,
        }
    }

    /// Vectors of units per block.
    pub(crate) fn vectors_per_block(self) -> usize {
        match self {
            Self::RnnTanh | Self::RnnRelu => 4,
            _ => 1,
        }
    }

    /// Whether a step reads the previous state outside the product as well: c of an LSTM, h of the
    /// GRU. This state is called the carry.
    pub(crate) fn has_carry(self) -> bool {
        !matches!(self, Self::RnnTanh | Self::RnnRelu)
    }
}
