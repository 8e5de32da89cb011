//! Zoneout (Krueger et al. 2017): how much of its previous states each step of a cell keeps.

use candle_core::{Tensor, WithDType};

use crate::config::RecurrentConfig;

/// The fractions that a pass keeps.
#[derive(Debug, Clone)]
pub(crate) struct Zoneout {
    /// Of the hidden states.
    pub(crate) hidden: Kept,
    /// Of the cell states of an LSTM.
    pub(crate) cell: Kept,
}

/// The fractions of one kind of state.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// The same for all units and steps.
    All(f64),
    /// One per packed row and unit, `[N, P]` or `[N, H]`.
    Rows(Tensor),
}

impl Zoneout {
    /// Returns the expectation of what training keeps, which inference keeps; nothing without zoneout.
    pub(crate) fn expected(config: &RecurrentConfig) -> Option<Self> {
        let RecurrentConfig { zoneout_hidden, zoneout_cell, .. } = *config;
        let (hidden, cell) = (Kept::All(zoneout_hidden), Kept::All(zoneout_cell));
        (zoneout_hidden > 0.0 || zoneout_cell > 0.0).then_some(Self { hidden, cell })
    }
}

impl Kept {
    /// Returns the fractions of all rows, if they differ.
    pub(crate) fn rows(&self) -> Option<&Tensor> {
        match self {
            Self::All(_) => None,
            Self::Rows(rows) => Some(rows),
        }
    }

    /// Returns these fractions for the kernels; `rows` are the elements of [`rows`](Self::rows).
    pub(crate) fn of<'a, T: WithDType>(
        &self,
        rows: Option<&'a [T]>,
    ) -> ragged_kernels::Kept<'a, T> {
        match (self, rows) {
            (_, Some(rows)) => ragged_kernels::Kept::Rows(rows),
            (Self::All(fraction), None) => ragged_kernels::Kept::All(T::from_f64(*fraction)),
            // The kernels refuse rows of the wrong length.
            (Self::Rows(_), None) => ragged_kernels::Kept::Rows(&[]),
        }
    }
}
