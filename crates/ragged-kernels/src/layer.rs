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

/// What a layer and direction computes.
#[derive(Debug, Clone, PartialEq)]
pub struct Output<T> {
    /// `[N, P]`, packed: the hidden state of every step.
    pub output: Vec<T>,
    /// `[B, P]`: the hidden state after each sequence's last step.
    pub h_n: Vec<T>,
    /// `[B, H]`, of the LSTM: the cell state after each sequence's last step.
    pub c_n: Option<Vec<T>>,
    /// `[N, H]`, of the LSTM: the cell state of every step, where it was asked for.
    pub cells: Option<Vec<T>>,
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

/// Something for each gradient: whether it is wanted (`Gradients<bool>`), or its numbers, where it was
/// (`Gradients<Option<Vec<_>>>`).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gradients<G> {
    /// `[N, I]`.
    pub x: G,
    /// `[G H, I]`.
    pub weight_ih: G,
    /// `[G H, P]`.
    pub weight_hh: G,
    /// `[G H]`.
    pub bias_ih: G,
    /// `[G H]`; the same numbers as `bias_ih` but for the GRU.
    pub bias_hh: G,
    /// `[P, H]`, where the shape has a projection.
    pub weight_hr: G,
    /// `[B, P]`.
    pub h_0: G,
    /// `[B, H]`, of the LSTM.
    pub c_0: G,
}

impl<T> Default for Cotangents<'_, T> {
    fn default() -> Self {
        Self { output: None, h_n: None, c_n: None, cells: None }
    }
}

/// The forward pass without a tape: for inference. `cells` asks for the cell states of all steps.
///
/// # Errors
///
/// [`Error::Length`] names the first slice that does not fit `shape`, [`Error::Absent`] one that the
/// cell does not have, [`Error::Unavailable`] an output.
pub fn infer<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    cells: bool,
) -> Result<Output<T>> {
    check_forward(cell, shape, weights, input, cells)?;
    let geometry = Geometry::new::<T>(cell, shape, shape.simd());
    let crew = Crew::new(crew_size(&geometry));
    let (output, _) = T::forward_pass(&geometry, weights, input, cells, false, &crew);
    Ok(output)
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
    cells: bool,
) -> Result<(Output<T>, Tape<T>)> {
    check_forward(cell, shape, weights, input, cells)?;
    let level = shape.simd();
    let geometry = Geometry::new::<T>(cell, shape, level);
    let crew = Crew::new(crew_size(&geometry));
    let (output, activations) = T::forward_pass(&geometry, weights, input, cells, true, &crew);
    let Geometry { rows, hidden, width, .. } = geometry;
    Ok((output, Tape { activations, cell, level, rows, hidden, width }))
}

/// Backpropagation through time: the `wanted` gradients of what [`forward`] read.
///
/// `output` is what the forward pass computed, `[N, P]`. The tape is only read: the pass can be run
/// again.
///
/// # Errors
///
/// [`Error::Length`] names the first slice that does not fit `shape` (the tape among them),
/// [`Error::Absent`] one that the cell does not have, [`Error::Unavailable`] a gradient.
pub fn backward<T: Element>(
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: &[T],
    tape: &Tape<T>,
    cotangents: &Cotangents<T>,
    wanted: &Gradients<bool>,
) -> Result<Gradients<Option<Vec<T>>>> {
    let cell = tape.cell;
    check_inputs(cell, shape, weights, input)?;
    let (n, b) = (shape.rows(), shape.batch());
    let (h, p) = (shape.hidden_size(), shape.output_size());
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
    check_wanted("the gradient of weight_hr", wanted.weight_hr, p != h)?;
    check_wanted("the gradient of c_0", wanted.c_0, lstm)?;
    let geometry = Geometry::new::<T>(cell, shape, tape.level);
    let seen = Seen { output, tape: &tape.activations, cotangents };
    let crew = Crew::new(crew_size(&geometry));
    Ok(T::backward_pass(&geometry, weights, input, seen, wanted, &crew))
}

fn check_forward<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    cells: bool,
) -> Result<()> {
    check_inputs(cell, shape, weights, input)?;
    check_wanted("cells", cells, cell.has_cell_state())
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

/// Checks that what is wanted is there.
fn check_wanted(name: &'static str, wanted: bool, has: bool) -> Result<()> {
    if wanted && !has {
        return Err(Error::Unavailable { name });
    }
    Ok(())
}
