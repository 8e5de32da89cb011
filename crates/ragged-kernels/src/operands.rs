//! What the passes over one layer and direction read and write.

use std::num::NonZeroUsize;

use crate::zoneout::Zoneout;

/// The parameters of one layer and direction, row-major, with PyTorch's names and order of gates. G is
/// [`CellKind::gates`](crate::CellKind::gates).
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
    /// `[H]`, the peepholes of gate i. All three are required for
    /// [`CellKind::PeepholeLstm`](crate::CellKind::PeepholeLstm).
    pub weight_ci: Option<&'a [T]>,
    /// `[H]`, of gate f.
    pub weight_cf: Option<&'a [T]>,
    /// `[H]`, of gate o.
    pub weight_co: Option<&'a [T]>,
    /// `[G H]`: multiplies the normalised `W_ih x`. Required for a cell with
    /// [layer normalisation](crate::CellKind::normalizes), whose biases are added after the normalisation.
    pub ln_ih_weight: Option<&'a [T]>,
    /// `[G H]`: multiplies the normalised `W_hh h`, likewise.
    pub ln_hh_weight: Option<&'a [T]>,
    /// `[H]`: multiplies the normalised cell state; required for
    /// [`CellKind::LayerNormLstm`](crate::CellKind::LayerNormLstm).
    pub ln_c_weight: Option<&'a [T]>,
    /// `[H]`: is added to it, likewise.
    pub ln_c_bias: Option<&'a [T]>,
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
            ln_ih_weight: None,
            ln_hh_weight: None,
            ln_c_weight: None,
            ln_c_bias: None,
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

    /// Adds the weights of the normalised products of both sides, `[G H]` each, for a cell with layer normalisation.
    ///
    /// ```
    /// use ragged_kernels::Weights;
    ///
    /// // A GRU with I = 1, H = 1.
    /// let weights = Weights::new(&[0.1f32; 3], &[0.2; 3]).with_layer_norm(&[1.0; 3], &[1.0; 3]);
    /// assert!(weights.ln_c_weight.is_none());
    /// ```
    pub fn with_layer_norm(self, ln_ih_weight: &'a [T], ln_hh_weight: &'a [T]) -> Self {
        Self { ln_ih_weight: Some(ln_ih_weight), ln_hh_weight: Some(ln_hh_weight), ..self }
    }

    /// Adds the weight and the bias of the normalised cell state, `[H]` each.
    ///
    /// ```
    /// use ragged_kernels::Weights;
    ///
    /// // An LSTM with I = 1, H = 1.
    /// let weights = Weights::new(&[0.1f32; 4], &[0.2; 4]).with_layer_norm(&[1.0; 4], &[1.0; 4]);
    /// let weights = weights.with_cell_layer_norm(&[1.0], &[0.0]);
    /// assert_eq!(weights.ln_c_bias, Some(&[0.0][..]));
    /// ```
    pub fn with_cell_layer_norm(self, ln_c_weight: &'a [T], ln_c_bias: &'a [T]) -> Self {
        Self { ln_c_weight: Some(ln_c_weight), ln_c_bias: Some(ln_c_bias), ..self }
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

/// The optional outputs of the forward pass, and the memory that it takes.
///
/// ```
/// use std::num::NonZeroUsize;
/// use ragged_kernels::ForwardOptions;
///
/// assert!(!ForwardOptions::default().cell_states);
/// assert!(ForwardOptions::default().with_cell_states(true).cell_states);
/// let steps = NonZeroUsize::new(100);
/// assert_eq!(ForwardOptions::default().with_recompute(steps).recompute, steps);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardOptions {
    /// Whether to return the cell states of all steps ([`Output::cell_states`]); only for the LSTM.
    pub cell_states: bool,
    /// Whether to return the final states only: [`Output::output`] is empty then, and no `[N, P]` is kept. The backward
    /// pass computes the hidden states once more, as with `recompute`.
    pub final_states_only: bool,
    /// The steps of a segment, of which the activations are in memory at once (Gruslys et al. 2016); those of all steps
    /// where `None`.
    ///
    /// The [`Tape`](crate::Tape) then holds the states before each segment, and the backward pass computes the
    /// activations of one segment after the other once more. For T steps of one sequence, segments of about √T take
    /// the least memory, that of about 2 √T steps. All results are the same, bit for bit.
    /// A pass without a tape runs in segments as well.
    pub recompute: Option<NonZeroUsize>,
}

impl ForwardOptions {
    /// The steps of a segment, where the pass runs in segments.
    pub(crate) fn segment_steps(&self) -> Option<usize> {
        self.recompute.map(NonZeroUsize::get)
    }

    /// Sets whether to return the final states only.
    pub fn with_final_states_only(self, final_states_only: bool) -> Self {
        Self { final_states_only, ..self }
    }

    /// Sets the steps of a segment.
    pub fn with_recompute(self, recompute: Option<NonZeroUsize>) -> Self {
        Self { recompute, ..self }
    }

    /// Sets whether to return the cell states of all steps.
    pub fn with_cell_states(self, cell_states: bool) -> Self {
        Self { cell_states, ..self }
    }
}

/// The outputs of one layer and direction; see [`infer`](crate::infer) for an example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Output<T> {
    /// `[N, P]`, packed: the hidden state of every step; empty with [`ForwardOptions::final_states_only`].
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
