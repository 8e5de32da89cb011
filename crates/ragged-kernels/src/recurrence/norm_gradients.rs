//! What the backward loop reads and writes for layer normalisation.

use crate::element::Float;
use crate::memory::sync_ptr::SyncPtr;

/// Layer normalisation of a backward loop.
#[derive(Clone, Copy)]
pub(crate) struct NormGradients<'a, T: Float> {
    /// The weights of the input's and of the hidden state's product, `[block][slot][lane]`.
    pub(crate) input: &'a [T],
    pub(crate) hidden: &'a [T],
    /// The weights and biases of the cell state of an LSTM, `[vector][lane]`.
    pub(crate) cell: &'a [T],
    pub(crate) cell_bias: &'a [T],
    /// The gradient with respect to `output`, `[N, P]`, for an LSTM without zoneout.
    pub(crate) d_output: Option<&'a [T]>,
    /// The coefficients of the input's product, `[COEFFICIENTS][N]`.
    pub(crate) coefficients: SyncPtr<T>,
    /// The gradient with respect to what the cell states of an LSTM become by their normalisation, weight and bias,
    /// `[vector][row][lane]`.
    pub(crate) d_cells: SyncPtr<T>,
}
