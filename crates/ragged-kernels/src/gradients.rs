//! The gradients of a backward pass, by name.

use crate::cell::kind::CellKind;
use crate::shape::PackedShape;

/// One value per gradient of the backward pass: whether it is wanted (`Gradients<bool>`), the gradient
/// itself if it was (`Gradients<Option<Vec<T>>>`), or the caller's memory for it
/// (`Gradients<Option<&mut [T]>>`).
///
/// ```
/// use ragged_kernels::Gradients;
///
/// // The gradients of a layer without biases whose input needs none.
/// let mut wanted = Gradients::<bool>::default();
/// (wanted.weight_ih, wanted.weight_hh) = (true, true);
/// assert!(!wanted.x);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Gradients<G> {
    /// `[N, I]`, packed.
    pub x: G,
    /// `[G H, I]`.
    pub weight_ih: G,
    /// `[G H, P]`.
    pub weight_hh: G,
    /// `[G H]`.
    pub bias_ih: G,
    /// `[G H]`; equal to `bias_ih` except for the GRU.
    pub bias_hh: G,
    /// `[P, H]`, where the shape has a projection.
    pub weight_hr: G,
    /// `[H]`, of [`CellKind::PeepholeLstm`].
    pub weight_ci: G,
    /// `[H]`, likewise.
    pub weight_cf: G,
    /// `[H]`, likewise.
    pub weight_co: G,
    /// `[G H]`, of a cell with [layer normalisation](CellKind::normalizes).
    pub ln_ih_weight: G,
    /// `[G H]`, likewise.
    pub ln_hh_weight: G,
    /// `[H]`, of [`CellKind::LayerNormLstm`].
    pub ln_c_weight: G,
    /// `[H]`, likewise.
    pub ln_c_bias: G,
    /// `[B, P]`.
    pub h_0: G,
    /// `[B, H]`, of the LSTM.
    pub c_0: G,
}

impl<G> Gradients<G> {
    /// Applies a function to each value.
    pub(crate) fn map<R>(self, mut f: impl FnMut(G) -> R) -> Gradients<R> {
        Gradients {
            x: f(self.x),
            weight_ih: f(self.weight_ih),
            weight_hh: f(self.weight_hh),
            bias_ih: f(self.bias_ih),
            bias_hh: f(self.bias_hh),
            weight_hr: f(self.weight_hr),
            weight_ci: f(self.weight_ci),
            weight_cf: f(self.weight_cf),
            weight_co: f(self.weight_co),
            ln_ih_weight: f(self.ln_ih_weight),
            ln_hh_weight: f(self.ln_hh_weight),
            ln_c_weight: f(self.ln_c_weight),
            ln_c_bias: f(self.ln_c_bias),
            h_0: f(self.h_0),
            c_0: f(self.c_0),
        }
    }

    pub(crate) fn zip<R>(self, other: Gradients<R>) -> Gradients<(G, R)> {
        Gradients {
            x: (self.x, other.x),
            weight_ih: (self.weight_ih, other.weight_ih),
            weight_hh: (self.weight_hh, other.weight_hh),
            bias_ih: (self.bias_ih, other.bias_ih),
            bias_hh: (self.bias_hh, other.bias_hh),
            weight_hr: (self.weight_hr, other.weight_hr),
            weight_ci: (self.weight_ci, other.weight_ci),
            weight_cf: (self.weight_cf, other.weight_cf),
            weight_co: (self.weight_co, other.weight_co),
            ln_ih_weight: (self.ln_ih_weight, other.ln_ih_weight),
            ln_hh_weight: (self.ln_hh_weight, other.ln_hh_weight),
            ln_c_weight: (self.ln_c_weight, other.ln_c_weight),
            ln_c_bias: (self.ln_c_bias, other.ln_c_bias),
            h_0: (self.h_0, other.h_0),
            c_0: (self.c_0, other.c_0),
        }
    }

    pub(crate) fn as_ref(&self) -> Gradients<&G> {
        let Self {
            x,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            weight_hr,
            weight_ci,
            weight_cf,
            weight_co,
            ln_ih_weight,
            ln_hh_weight,
            ln_c_weight,
            ln_c_bias,
            h_0,
            c_0,
        } = self;
        Gradients {
            x,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            weight_hr,
            weight_ci,
            weight_cf,
            weight_co,
            ln_ih_weight,
            ln_hh_weight,
            ln_c_weight,
            ln_c_bias,
            h_0,
            c_0,
        }
    }

    pub(crate) fn as_mut(&mut self) -> Gradients<&mut G> {
        let Self {
            x,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            weight_hr,
            weight_ci,
            weight_cf,
            weight_co,
            ln_ih_weight,
            ln_hh_weight,
            ln_c_weight,
            ln_c_bias,
            h_0,
            c_0,
        } = self;
        Gradients {
            x,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            weight_hr,
            weight_ci,
            weight_cf,
            weight_co,
            ln_ih_weight,
            ln_hh_weight,
            ln_c_weight,
            ln_c_bias,
            h_0,
            c_0,
        }
    }
}

impl Gradients<usize> {
    /// The number of elements of each gradient of a cell with G `gates`.
    pub(crate) fn lens(shape: &PackedShape, gates: usize) -> Self {
        let (b, i) = (shape.batch_size(), shape.input_size());
        let (h, p) = (shape.hidden_size(), shape.output_size());
        Self {
            x: shape.rows() * i,
            weight_ih: gates * h * i,
            weight_hh: gates * h * p,
            bias_ih: gates * h,
            bias_hh: gates * h,
            weight_hr: p * h,
            weight_ci: h,
            weight_cf: h,
            weight_co: h,
            ln_ih_weight: gates * h,
            ln_hh_weight: gates * h,
            ln_c_weight: h,
            ln_c_bias: h,
            h_0: b * p,
            c_0: b * h,
        }
    }
}

impl Gradients<bool> {
    /// Requests every gradient that the cell and shape have.
    ///
    /// ```
    /// use ragged_kernels::{CellKind, Direction, Gradients, PackedShape};
    ///
    /// let shape = PackedShape::new(1, &[1, 1], 7, 16, Direction::Forward)?;
    /// let wanted = Gradients::all(CellKind::Gru, &shape);
    /// assert!(wanted.x && wanted.h_0 && !wanted.c_0 && !wanted.weight_hr);
    /// # Ok::<(), ragged_kernels::Error>(())
    /// ```
    pub fn all(cell: CellKind, shape: &PackedShape) -> Self {
        Self {
            x: true,
            weight_ih: true,
            weight_hh: true,
            bias_ih: true,
            bias_hh: true,
            weight_hr: shape.output_size() != shape.hidden_size(),
            weight_ci: cell.has_peepholes(),
            weight_cf: cell.has_peepholes(),
            weight_co: cell.has_peepholes(),
            ln_ih_weight: cell.normalizes(),
            ln_hh_weight: cell.normalizes(),
            ln_c_weight: cell.normalizes() && cell.has_cell_state(),
            ln_c_bias: cell.normalizes() && cell.has_cell_state(),
            h_0: true,
            c_0: cell.has_cell_state(),
        }
    }
}
