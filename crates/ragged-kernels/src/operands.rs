//! What the passes over one layer and direction read and write.

use crate::cell::kind::CellKind;
use crate::shape::PackedShape;
use crate::zoneout::Zoneout;

/// The parameters of one layer and direction, row-major, with PyTorch's names and order of gates. G is
/// [`CellKind::gates`].
///
/// ```
/// use ragged_kernels::Weights;
///
/// // An LSTM with one input feature and one hidden unit.
/// let (weight_ih, weight_hh, bias) = ([0.5f32, 0.1, 1.0, 0.3], [0.2, 0.4, 0.1, 0.6], [0.0; 4]);
/// let weights = Weights::new(&weight_ih, &weight_hh).with_biases(&bias, &bias);
/// assert!(weights.weight_hr.is_none());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Weights<'a, T> {
    /// `[G H, I]`.
    pub weight_ih: &'a [T],
    /// `[G H, P]`.
    pub weight_hh: &'a [T],
    /// `[G H]`; zeros where `None`.
    pub bias_ih: Option<&'a [T]>,
    /// `[G H]`; zeros where `None`.
    pub bias_hh: Option<&'a [T]>,
    /// `[P, H]`, required where the shape has a projection.
    pub weight_hr: Option<&'a [T]>,
    /// `[H]`, the peepholes of gate i, required for [`CellKind::PeepholeLstm`], and likewise those of f and o.
    pub weight_ci: Option<&'a [T]>,
    /// `[H]`, of gate f.
    pub weight_cf: Option<&'a [T]>,
    /// `[H]`, of gate o.
    pub weight_co: Option<&'a [T]>,
}

impl<'a, T> Weights<'a, T> {
    /// Creates weights without biases and projection: `weight_ih` `[G H, I]`, `weight_hh` `[G H, P]`.
    pub fn new(weight_ih: &'a [T], weight_hh: &'a [T]) -> Self {
        Self {
            weight_ih,
            weight_hh,
            bias_ih: None,
            bias_hh: None,
            weight_hr: None,
            weight_ci: None,
            weight_cf: None,
            weight_co: None,
        }
    }

    /// Adds the biases, `[G H]` each.
    pub fn with_biases(self, bias_ih: &'a [T], bias_hh: &'a [T]) -> Self {
        Self { bias_ih: Some(bias_ih), bias_hh: Some(bias_hh), ..self }
    }

    /// Adds the projection, `[P, H]`.
    ///
    /// ```
    /// use ragged_kernels::Weights;
    ///
    /// // I = 1, H = 2, P = 1.
    /// let weights = Weights::new(&[0.1f32; 8], &[0.2; 8]).with_projection(&[0.3; 2]);
    /// assert_eq!(weights.weight_hr, Some(&[0.3; 2][..]));
    /// ```
    pub fn with_projection(self, weight_hr: &'a [T]) -> Self {
        Self { weight_hr: Some(weight_hr), ..self }
    }

    /// Adds the peepholes of the gates i, f and o, `[H]` each.
    ///
    /// ```
    /// use ragged_kernels::Weights;
    ///
    /// // I = 1, H = 1.
    /// let weights = Weights::new(&[0.1f32; 4], &[0.2; 4]).with_peepholes(&[0.3], &[0.4], &[0.5]);
    /// assert_eq!(weights.weight_co, Some(&[0.5][..]));
    /// ```
    pub fn with_peepholes(
        self,
        weight_ci: &'a [T],
        weight_cf: &'a [T],
        weight_co: &'a [T],
    ) -> Self {
        let (weight_ci, weight_cf, weight_co) = (Some(weight_ci), Some(weight_cf), Some(weight_co));
        Self { weight_ci, weight_cf, weight_co, ..self }
    }
}

/// The packed rows and initial states of one layer and direction. States are in sorted order: the
/// longest sequence first.
///
/// ```
/// use ragged_kernels::Input;
///
/// // Two sequences of lengths 2 and 1, one feature, one hidden unit.
/// let input = Input::new(&[1.0f32, -1.0, 2.0]).with_h_0(&[0.5, 0.0]);
/// assert!(input.c_0.is_none());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Input<'a, T> {
    /// `[N, I]`, packed.
    pub x: &'a [T],
    /// `[B, P]`; zeros where `None`.
    pub h_0: Option<&'a [T]>,
    /// `[B, H]`, of the LSTM; zeros where `None`.
    pub c_0: Option<&'a [T]>,
    /// `[B, P]`: multiplies the hidden state that enters the next step's product; ones where `None`.
    /// For recurrent dropout with one mask per sequence (Gal and Ghahramani 2016).
    pub hidden_mask: Option<&'a [T]>,
    /// The fractions of the previous states that each step keeps; none where `None`.
    pub zoneout: Option<Zoneout<'a, T>>,
}

impl<'a, T> Input<'a, T> {
    /// Creates an input of packed rows `[N, I]` with initial states of zero, no mask and no zoneout.
    pub fn new(x: &'a [T]) -> Self {
        Self { x, h_0: None, c_0: None, hidden_mask: None, zoneout: None }
    }

    /// Sets the initial hidden states, `[B, P]`.
    pub fn with_h_0(self, h_0: &'a [T]) -> Self {
        Self { h_0: Some(h_0), ..self }
    }

    /// Sets the initial cell states, `[B, H]`.
    pub fn with_c_0(self, c_0: &'a [T]) -> Self {
        Self { c_0: Some(c_0), ..self }
    }

    /// Sets the mask of the hidden states, `[B, P]`.
    pub fn with_hidden_mask(self, hidden_mask: &'a [T]) -> Self {
        Self { hidden_mask: Some(hidden_mask), ..self }
    }

    /// Sets the fractions of the previous states that each step keeps.
    pub fn with_zoneout(self, zoneout: Zoneout<'a, T>) -> Self {
        Self { zoneout: Some(zoneout), ..self }
    }
}

/// The optional outputs of the forward pass.
///
/// ```
/// use ragged_kernels::ForwardOptions;
///
/// assert!(!ForwardOptions::default().cell_states);
/// assert!(ForwardOptions::default().with_cell_states(true).cell_states);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardOptions {
    /// Whether to return the cell states of all steps ([`Output::cell_states`]); only for the LSTM.
    pub cell_states: bool,
}

impl ForwardOptions {
    /// Sets whether to return the cell states of all steps.
    pub fn with_cell_states(self, cell_states: bool) -> Self {
        Self { cell_states, ..self }
    }
}

/// The outputs of one layer and direction; see [`infer`](crate::infer) for an example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Output<T> {
    /// `[N, P]`, packed: the hidden state of every step.
    pub output: Vec<T>,
    /// `[B, P]`: the hidden state after the last step of each sequence.
    pub h_n: Vec<T>,
    /// `[B, H]`, of the LSTM: the cell state after the last step of each sequence.
    pub c_n: Option<Vec<T>>,
    /// `[N, H]`, packed, of the LSTM: the cell state of every step, if
    /// [requested](ForwardOptions::cell_states).
    pub cell_states: Option<Vec<T>>,
}

/// The caller's memory for the outputs of [`forward_into`](crate::forward_into), of which every element is
/// written. See [`Output`] for the meaning of each field.
#[derive(Debug)]
#[non_exhaustive]
pub struct OutputSlices<'a, T> {
    /// `[N, P]`, packed.
    pub output: &'a mut [T],
    /// `[B, P]`.
    pub h_n: &'a mut [T],
    /// `[B, H]`, required for the LSTM.
    pub c_n: Option<&'a mut [T]>,
    /// `[N, H]`, packed, of the LSTM, if wanted.
    pub cell_states: Option<&'a mut [T]>,
}

impl<'a, T> OutputSlices<'a, T> {
    /// Creates the outputs of a GRU or RNN: `output` `[N, P]` and `h_n` `[B, P]`.
    pub fn new(output: &'a mut [T], h_n: &'a mut [T]) -> Self {
        Self { output, h_n, c_n: None, cell_states: None }
    }

    /// Adds the final cell states of an LSTM, `[B, H]`.
    pub fn with_c_n(self, c_n: &'a mut [T]) -> Self {
        Self { c_n: Some(c_n), ..self }
    }

    /// Adds the cell states of all steps of an LSTM, `[N, H]`.
    pub fn with_cell_states(self, cell_states: &'a mut [T]) -> Self {
        Self { cell_states: Some(cell_states), ..self }
    }
}

/// The gradients of the loss with respect to each field of [`Output`]; `None` stands for zeros.
///
/// ```
/// use ragged_kernels::OutputGradients;
///
/// // A loss that depends on the final hidden states only, as of a sequence classifier.
/// let output_gradients = OutputGradients::default().with_h_n(&[1.0f32, -1.0]);
/// assert!(output_gradients.output.is_none());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OutputGradients<'a, T> {
    /// `[N, P]`, packed.
    pub output: Option<&'a [T]>,
    /// `[B, P]`.
    pub h_n: Option<&'a [T]>,
    /// `[B, H]`, of the LSTM.
    pub c_n: Option<&'a [T]>,
    /// `[N, H]`, packed, of the LSTM.
    pub cell_states: Option<&'a [T]>,
}

impl<T> Default for OutputGradients<'_, T> {
    fn default() -> Self {
        Self { output: None, h_n: None, c_n: None, cell_states: None }
    }
}

impl<'a, T> OutputGradients<'a, T> {
    /// Sets the gradient with respect to [`Output::output`], `[N, P]`.
    pub fn with_output(self, output: &'a [T]) -> Self {
        Self { output: Some(output), ..self }
    }

    /// Sets the gradient with respect to [`Output::h_n`], `[B, P]`.
    pub fn with_h_n(self, h_n: &'a [T]) -> Self {
        Self { h_n: Some(h_n), ..self }
    }

    /// Sets the gradient with respect to [`Output::c_n`], `[B, H]`.
    pub fn with_c_n(self, c_n: &'a [T]) -> Self {
        Self { c_n: Some(c_n), ..self }
    }

    /// Sets the gradient with respect to [`Output::cell_states`], `[N, H]`.
    pub fn with_cell_states(self, cell_states: &'a [T]) -> Self {
        Self { cell_states: Some(cell_states), ..self }
    }
}

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
            h_0: true,
            c_0: cell.has_cell_state(),
        }
    }
}
