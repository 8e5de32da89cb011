//! One layer and direction: what its passes read and write.

use crate::backward::Seen;
use crate::cell::CellKind;
use crate::crew::Crew;
use crate::error::check_len;
use crate::forward::Activations;
use crate::layout::Geometry;
use crate::plan::crew_size;
use crate::{Element, Error, PackedShape, Result, SimdLevel};

/// The parameters, row-major, with PyTorch's names and order of gates; G is [`CellKind::gates`].
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a, T> {
    /// `[G H, I]`.
    pub weight_ih: &'a [T],
    /// `[G H, P]`.
    pub weight_hh: &'a [T],
    /// `[G H]`, or none.
    pub bias_ih: Option<&'a [T]>,
    /// `[G H]`, or none.
    pub bias_hh: Option<&'a [T]>,
    /// `[P, H]`, where the shape has a projection.
    pub weight_hr: Option<&'a [T]>,
}

/// What a layer and direction reads: rows and initial states, in sorted order.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a, T> {
    /// `[N, I]`, packed.
    pub x: &'a [T],
    /// `[B, P]`; zeros where `None`.
    pub h_0: Option<&'a [T]>,
    /// `[B, H]`, for the LSTM; zeros where `None`.
    pub c_0: Option<&'a [T]>,
    /// `[B, P]`: what the hidden state is multiplied by on its way into the next step's product, for
    /// recurrent dropout with one mask a sequence (Gal and Ghahramani 2016).
    pub hidden_mask: Option<&'a [T]>,
}

/// What a layer and direction writes; the values before the call are not read.
#[derive(Debug)]
pub struct Output<'a, T> {
    /// `[N, P]`, packed: the hidden state of every step.
    pub output: &'a mut [T],
    /// `[B, P]`: the hidden state after each sequence's last step.
    pub h_n: &'a mut [T],
    /// `[B, H]`, for the LSTM: the cell state after each sequence's last step.
    pub c_n: Option<&'a mut [T]>,
    /// `[N, H]`, for the LSTM: the cell state of every step, where somebody asks for it.
    pub cells: Option<&'a mut [T]>,
}

/// What the backward pass needs of the forward pass. For each row the LSTM keeps 5 H numbers, the GRU
/// 5 H and the RNN H, with H rounded up to whole vectors, and H more with a projection. The memory is
/// used again when it is dropped.
#[derive(Debug, Clone)]
pub struct Tape<T: Element> {
    pub(crate) activations: Activations<T>,
    cell: CellKind,
    /// The level that laid the buffers out.
    level: SimdLevel,
    rows: usize,
    hidden: usize,
    width: usize,
}

/// The derivatives of the loss by what the forward pass wrote; `None` stands for zeros.
#[derive(Debug, Clone, Copy)]
pub struct Cotangents<'a, T> {
    /// By the output, `[N, P]`.
    pub output: Option<&'a [T]>,
    /// By the final hidden states, `[B, P]`.
    pub h_n: Option<&'a [T]>,
    /// By the final cell states, `[B, H]`.
    pub c_n: Option<&'a [T]>,
    /// By the cell states of all steps, `[N, H]`.
    pub cells: Option<&'a [T]>,
}

/// Where the gradients go; `None` where nobody asks. The values before the call are not read.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// `[N, I]`.
    pub x: Option<&'a mut [T]>,
    /// `[G H, I]`.
    pub weight_ih: Option<&'a mut [T]>,
    /// `[G H, P]`.
    pub weight_hh: Option<&'a mut [T]>,
    /// `[G H]`.
    pub bias_ih: Option<&'a mut [T]>,
    /// `[G H]`; the same numbers as `bias_ih` but for the GRU.
    pub bias_hh: Option<&'a mut [T]>,
    /// `[P, H]`.
    pub weight_hr: Option<&'a mut [T]>,
    /// `[B, P]`.
    pub h_0: Option<&'a mut [T]>,
    /// `[B, H]`.
    pub c_0: Option<&'a mut [T]>,
}

impl<T> Default for Cotangents<'_, T> {
    fn default() -> Self {
        Self { output: None, h_n: None, c_n: None, cells: None }
    }
}

impl<T> Default for Gradients<'_, T> {
    fn default() -> Self {
        Self {
            x: None,
            weight_ih: None,
            weight_hh: None,
            bias_ih: None,
            bias_hh: None,
            weight_hr: None,
            h_0: None,
            c_0: None,
        }
    }
}

/// The forward pass without a tape: for inference.
///
/// # Errors
///
/// [`Error::Length`] names the first slice that does not fit `shape`, [`Error::Absent`] one that the
/// cell does not have.
pub fn infer<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: Output<T>,
) -> Result<()> {
    check_forward(cell, shape, weights, input, &output)?;
    let geometry = Geometry::new::<T>(cell, shape, shape.simd());
    let crew = Crew::new(crew_size(&geometry));
    T::forward_pass(&geometry, weights, input, output, false, &crew);
    Ok(())
}

/// The forward pass, keeping what [`backward`] needs.
///
/// # Errors
///
/// As [`infer`].
pub fn forward<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: Output<T>,
) -> Result<Tape<T>> {
    check_forward(cell, shape, weights, input, &output)?;
    let level = shape.simd();
    let geometry = Geometry::new::<T>(cell, shape, level);
    let crew = Crew::new(crew_size(&geometry));
    let activations = T::forward_pass(&geometry, weights, input, output, true, &crew);
    let Geometry { rows, hidden, width, .. } = geometry;
    Ok(Tape { activations, cell, level, rows, hidden, width })
}

/// Backpropagation through time: the gradients of everything that [`forward`] read.
///
/// `output` is what the forward pass wrote, `[N, P]`. The tape is only read: the pass can be run
/// again.
///
/// # Errors
///
/// [`Error::Length`] names the first slice that does not fit `shape` (the tape among them),
/// [`Error::Absent`] one that the cell does not have.
pub fn backward<T: Element>(
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: &[T],
    tape: &Tape<T>,
    cotangents: &Cotangents<T>,
    gradients: Gradients<T>,
) -> Result<()> {
    let cell = tape.cell;
    check_inputs(cell, shape, weights, input)?;
    let (n, b, i) = (shape.rows(), shape.batch(), shape.input_size());
    let (h, p, g) = (shape.hidden_size(), shape.output_size(), cell.gates());
    check_len("the tape's rows", "N", tape.rows, n)?;
    check_len("the tape's hidden units", "H", tape.hidden, h)?;
    check_len("the tape's hidden state", "P", tape.width, p)?;
    check_len("output", "N x P", output.len(), n * p)?;
    let Cotangents { output: d_output, h_n, c_n, cells } = *cotangents;
    let lstm = cell.has_cell_state();
    check_some("the cotangent of output", "N x P", d_output, n * p, true)?;
    check_some("the cotangent of h_n", "B x P", h_n, b * p, true)?;
    check_some("the cotangent of c_n", "B x H", c_n, b * h, lstm)?;
    check_some("the cotangent of cells", "N x H", cells, n * h, lstm)?;
    let x = gradients.x.as_deref();
    check_some("the gradient of x", "N x I", x, n * i, true)?;
    let (ih, hh) = (gradients.weight_ih.as_deref(), gradients.weight_hh.as_deref());
    check_some("the gradient of weight_ih", "G H x I", ih, g * h * i, true)?;
    check_some("the gradient of weight_hh", "G H x P", hh, g * h * p, true)?;
    let (ih, hh) = (gradients.bias_ih.as_deref(), gradients.bias_hh.as_deref());
    check_some("the gradient of bias_ih", "G H", ih, g * h, true)?;
    check_some("the gradient of bias_hh", "G H", hh, g * h, true)?;
    let hr = gradients.weight_hr.as_deref();
    check_some("the gradient of weight_hr", "P x H", hr, p * h, p != h)?;
    check_some("the gradient of h_0", "B x P", gradients.h_0.as_deref(), b * p, true)?;
    check_some("the gradient of c_0", "B x H", gradients.c_0.as_deref(), b * h, lstm)?;
    let geometry = Geometry::new::<T>(cell, shape, tape.level);
    let seen = Seen { output, tape: &tape.activations, cotangents };
    let crew = Crew::new(crew_size(&geometry));
    T::backward_pass(&geometry, weights, input, seen, gradients, &crew);
    Ok(())
}

fn check_forward<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: &Output<T>,
) -> Result<()> {
    check_inputs(cell, shape, weights, input)?;
    let (n, b) = (shape.rows(), shape.batch());
    let (h, p, lstm) = (shape.hidden_size(), shape.output_size(), cell.has_cell_state());
    check_len("output", "N x P", output.output.len(), n * p)?;
    check_len("h_n", "B x P", output.h_n.len(), b * p)?;
    check_some("c_n", "B x H", output.c_n.as_deref(), b * h, lstm)?;
    check_some("cells", "N x H", output.cells.as_deref(), n * h, lstm)
}

fn check_inputs<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
) -> Result<()> {
    let (n, b, i) = (shape.rows(), shape.batch(), shape.input_size());
    let (h, p, rows) =
        (shape.hidden_size(), shape.output_size(), cell.gates() * shape.hidden_size());
    let lstm = cell.has_cell_state();
    if p != h && !lstm {
        return Err(Error::Absent { name: "a projection" });
    }
    check_len("weight_ih", "G H x I", weights.weight_ih.len(), rows * i)?;
    check_len("weight_hh", "G H x P", weights.weight_hh.len(), rows * p)?;
    check_some("bias_ih", "G H", weights.bias_ih, rows, true)?;
    check_some("bias_hh", "G H", weights.bias_hh, rows, true)?;
    check_some("weight_hr", "P x H", weights.weight_hr, p * h, p != h)?;
    if p != h {
        check_len("weight_hr", "P x H", weights.weight_hr.map_or(0, <[T]>::len), p * h)?;
    }
    check_len("x", "N x I", input.x.len(), n * i)?;
    check_some("h_0", "B x P", input.h_0, b * p, true)?;
    check_some("c_0", "B x H", input.c_0, b * h, lstm)?;
    check_some("hidden_mask", "B x P", input.hidden_mask, b * p, true)
}

/// Checks what need not be given, and may be only where the cell has it.
fn check_some<T>(
    name: &'static str,
    what: &'static str,
    slice: Option<&[T]>,
    expected: usize,
    has: bool,
) -> Result<()> {
    match slice {
        None => Ok(()),
        Some(_) if !has => Err(Error::Absent { name }),
        Some(slice) => check_len(name, what, slice.len(), expected),
    }
}
