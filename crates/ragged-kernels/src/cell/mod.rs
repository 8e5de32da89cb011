//! The recurrent cells: what they share, and the arithmetic of one step for a vector of units.
//!
//! Every cell has four *slots*: sums that a tile of the product yields for a block of units at once.
//!
//! | cell | a block is | slots | W_ih adds to | W_hh adds to |
//! |---|---|---|---|---|
//! | LSTM | one vector of units | gates i, f, g, o | all | all |
//! | GRU | one vector of units | r, z, and n's two parts, kept apart | r, z, n of x | r, z, n of h |
//! | RNN | four vectors of units | the vectors, one each | all | all |
//!
//! The products, the order of the steps, the threads and the gradients of the weights are the same
//! for all of them; [`Arithmetic`] is what differs.

mod gru;
mod lstm;
mod rnn;

pub(crate) use gru::Gru;
pub(crate) use lstm::Lstm;
pub(crate) use rnn::Rnn;

use crate::Element;
use crate::simd::Simd;
use crate::tile::{Strided, Tile, accumulate};

/// Which recurrent layer, by PyTorch's names of `nn.RNNBase.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CellKind {
    /// Long short-term memory, gates i, f, g, o.
    Lstm,
    /// Gated recurrent unit, gates r, z, n, with the reset gate behind the product as in PyTorch.
    Gru,
    /// An Elman network with tanh.
    RnnTanh,
    /// An Elman network with max(x, 0).
    RnnRelu,
}

/// The two products that enter a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// `W_ih x`.
    Input,
    /// `W_hh h`.
    Hidden,
}

impl CellKind {
    /// G: the weights have G x H rows.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::RnnTanh | Self::RnnRelu => 1,
        }
    }

    /// Whether there is a cell state beside the hidden state.
    pub fn has_cell_state(self) -> bool {
        self == Self::Lstm
    }

    /// The slots that a product adds to.
    pub(crate) fn slots(self, side: Side) -> &'static [usize] {
        match (self, side) {
            (Self::Gru, Side::Input) => &[0, 1, 2],
            (Self::Gru, Side::Hidden) => &[0, 1, 3],
            _ => &[0, 1, 2, 3],
        }
    }

    /// The gate that a slot belongs to.
    pub(crate) fn gate(self, slot: usize) -> usize {
        match self {
            Self::Lstm => slot,
            Self::Gru => slot.min(2),
            Self::RnnTanh | Self::RnnRelu => 0,
        }
    }

    /// Vectors of units in a block.
    pub(crate) fn spread(self) -> usize {
        match self {
            Self::Lstm | Self::Gru => 1,
            Self::RnnTanh | Self::RnnRelu => 4,
        }
    }

    /// Whether a vector of state goes from step to step beside the product: c of the LSTM, h of the
    /// GRU.
    pub(crate) fn carries(self) -> bool {
        matches!(self, Self::Lstm | Self::Gru)
    }
}

/// One step of a block of `U` vectors of units and one row.
pub(crate) trait Arithmetic<T: Element, const U: usize>: Copy + Sync {
    /// The state after the step from the slots' sums and the carried state before.
    fn forward<S: Simd<T>>(self, s: S, sums: [S::V; 4], carry: [S::V; U]) -> Outcome<S::V, U>;

    /// The derivatives before the step from those after it. `record` and `after` are what the
    /// forward pass made, `before` is the carried state that it started from.
    fn backward<S: Simd<T>>(
        self,
        s: S,
        record: [S::V; 4],
        before: [S::V; U],
        after: [S::V; U],
        d_hidden: [S::V; U],
        d_carry: [S::V; U],
    ) -> Derivatives<S::V, U>;

    /// `sums += a w` for the slots of one side, a `[R, columns]`.
    ///
    /// # Safety
    ///
    /// As [`accumulate`].
    #[inline(always)]
    unsafe fn product<S: Simd<T>, const R: usize>(
        self,
        s: S,
        _side: Side,
        sums: Tile<T, S, R, 4>,
        a: *const T,
        columns: usize,
        w: *const T,
    ) -> Tile<T, S, R, 4> {
        let a = Strided { at: a, row: columns, column: 1 };
        // SAFETY: the caller's.
        unsafe { accumulate::<T, S, R, 4>(s, sums, 0..columns, a, w) }
    }
}

/// What a step gives.
pub(crate) struct Outcome<V, const U: usize> {
    pub(crate) hidden: [V; U],
    pub(crate) carry: [V; U],
    /// For the backward pass.
    pub(crate) record: [V; 4],
}

/// What the backward pass of a step gives.
pub(crate) struct Derivatives<V, const U: usize> {
    /// By the slots' sums; for the two parts of the GRU's n, each by its own.
    pub(crate) slots: [V; 4],
    /// By the carried state.
    pub(crate) carry: [V; U],
}

/// The derivative of tanh where its value is y.
#[inline(always)]
pub(crate) fn tanh_slope<T: Element, S: Simd<T>>(s: S, y: S::V) -> S::V {
    s.sub(s.splat(T::ONE), s.mul(y, y))
}

/// The derivative of the logistic function where its value is y.
#[inline(always)]
pub(crate) fn sigmoid_slope<T: Element, S: Simd<T>>(s: S, y: S::V) -> S::V {
    s.mul(y, s.sub(s.splat(T::ONE), y))
}
