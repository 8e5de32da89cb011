//! The checks of the arguments against the shape and the cell.

use crate::cell::kind::CellKind;
use crate::error::{Error, Result};
use crate::gradients::Gradients;
use crate::operands::{ForwardOptions, Input, OutputGradients, OutputSlices, Weights};
use crate::shape::PackedShape;
use crate::zoneout::{Kept, Zoneout};

/// Checks the arguments of the forward pass.
pub(crate) fn check_forward<T: Copy>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    options: ForwardOptions,
) -> Result<()> {
    check_weights(cell, shape, weights)?;
    check_forward_inputs(cell, shape, input, options)
}

/// Checks the arguments of the forward pass, except for the weights.
pub(crate) fn check_forward_inputs<T: Copy>(
    cell: CellKind,
    shape: &PackedShape,
    input: &Input<T>,
    options: ForwardOptions,
) -> Result<()> {
    check_inputs(cell, shape, input)?;
    check_available("cell_states", options.cell_states, cell.has_cell_state())
}

/// Checks the arguments of the backward pass, except for the tape. `output` is `None` where the pass does not need it.
pub(crate) fn check_backward<T: Copy>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: Option<&[T]>,
    output_gradients: &OutputGradients<T>,
    wanted: &Gradients<bool>,
) -> Result<()> {
    check_weights(cell, shape, weights)?;
    check_inputs(cell, shape, input)?;
    let (n, b) = (shape.rows(), shape.batch_size());
    let (h, p) = (shape.hidden_size(), shape.output_size());
    check_option("output", "N x P", output, n * p, true)?;
    let OutputGradients { output, h_n, c_n, cell_states } = *output_gradients;
    let lstm = cell.has_cell_state();
    check_option("gradient of output", "N x P", output, n * p, true)?;
    check_option("gradient of h_n", "B x P", h_n, b * p, true)?;
    check_option("gradient of c_n", "B x H", c_n, b * h, lstm)?;
    check_option("gradient of cell_states", "N x H", cell_states, n * h, lstm)?;
    check_available("gradient of weight_hr", wanted.weight_hr, p != h)?;
    let peepholes = cell.has_peepholes();
    check_available("gradient of weight_ci", wanted.weight_ci, peepholes)?;
    check_available("gradient of weight_cf", wanted.weight_cf, peepholes)?;
    check_available("gradient of weight_co", wanted.weight_co, peepholes)?;
    let normalizes = cell.normalizes();
    check_available("gradient of ln_ih_weight", wanted.ln_ih_weight, normalizes)?;
    check_available("gradient of ln_hh_weight", wanted.ln_hh_weight, normalizes)?;
    check_available("gradient of ln_c_weight", wanted.ln_c_weight, normalizes && lstm)?;
    check_available("gradient of ln_c_bias", wanted.ln_c_bias, normalizes && lstm)?;
    check_available("gradient of c_0", wanted.c_0, lstm)
}

/// Checks the memory for the outputs of the forward pass.
pub(crate) fn check_output_slices<T>(
    cell: CellKind,
    shape: &PackedShape,
    to: &OutputSlices<T>,
) -> Result<()> {
    let (n, b) = (shape.rows(), shape.batch_size());
    let (h, p, lstm) = (shape.hidden_size(), shape.output_size(), cell.has_cell_state());
    check_len("output", "N x P", to.output.len(), n * p)?;
    check_len("h_n", "B x P", to.h_n.len(), b * p)?;
    check_option("c_n", "B x H", to.c_n.as_deref(), b * h, lstm)?;
    if lstm {
        check_len("c_n", "B x H", to.c_n.as_ref().map_or(0, |c_n| c_n.len()), b * h)?;
    }
    check_option("cell_states", "N x H", to.cell_states.as_deref(), n * h, lstm)
}

/// Checks the memory for the gradients that are wanted.
pub(crate) fn check_gradient_slices<T>(
    cell: CellKind,
    shape: &PackedShape,
    to: &Gradients<Option<&mut [T]>>,
) -> Result<()> {
    let of = to.as_ref().zip(Gradients::lens(shape, cell.gates()));
    for (name, letters, (slice, expected)) in [
        ("gradient of x", "N x I", of.x),
        ("gradient of weight_ih", "G H x I", of.weight_ih),
        ("gradient of weight_hh", "G H x P", of.weight_hh),
        ("gradient of bias_ih", "G H", of.bias_ih),
        ("gradient of bias_hh", "G H", of.bias_hh),
        ("gradient of weight_hr", "P x H", of.weight_hr),
        ("gradient of weight_ci", "H", of.weight_ci),
        ("gradient of weight_cf", "H", of.weight_cf),
        ("gradient of weight_co", "H", of.weight_co),
        ("gradient of ln_ih_weight", "G H", of.ln_ih_weight),
        ("gradient of ln_hh_weight", "G H", of.ln_hh_weight),
        ("gradient of ln_c_weight", "H", of.ln_c_weight),
        ("gradient of ln_c_bias", "H", of.ln_c_bias),
        ("gradient of h_0", "B x P", of.h_0),
        ("gradient of c_0", "B x H", of.c_0),
    ] {
        check_option(name, letters, slice.as_deref(), expected, true)?;
    }
    Ok(())
}

/// Checks the weights against the sizes of the layer.
pub(crate) fn check_weights<T>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
) -> Result<()> {
    let (i, h, p) = (shape.input_size(), shape.hidden_size(), shape.output_size());
    let gates = cell.gates() * h;
    if p != h && (!cell.has_cell_state() || cell.normalizes()) {
        return Err(Error::UnexpectedArgument { name: "projection" });
    }
    check_len("weight_ih", "G H x I", weights.weight_ih.len(), gates * i)?;
    check_len("weight_hh", "G H x P", weights.weight_hh.len(), gates * p)?;
    check_option("bias_ih", "G H", weights.bias_ih, gates, true)?;
    check_option("bias_hh", "G H", weights.bias_hh, gates, true)?;
    check_option("weight_hr", "P x H", weights.weight_hr, p * h, p != h)?;
    if p != h {
        check_len("weight_hr", "P x H", weights.weight_hr.map_or(0, <[T]>::len), p * h)?;
    }
    let peepholes = cell.has_peepholes();
    let normalizes = cell.normalizes();
    let normalizes_cell = normalizes && cell.has_cell_state();
    for (name, letters, weight, len, required) in [
        ("weight_ci", "H", weights.weight_ci, h, peepholes),
        ("weight_cf", "H", weights.weight_cf, h, peepholes),
        ("weight_co", "H", weights.weight_co, h, peepholes),
        ("ln_ih_weight", "G H", weights.ln_ih_weight, gates, normalizes),
        ("ln_hh_weight", "G H", weights.ln_hh_weight, gates, normalizes),
        ("ln_c_weight", "H", weights.ln_c_weight, h, normalizes_cell),
        ("ln_c_bias", "H", weights.ln_c_bias, h, normalizes_cell),
    ] {
        check_option(name, letters, weight, len, required)?;
        if required {
            check_len(name, letters, weight.map_or(0, <[T]>::len), len)?;
        }
    }
    Ok(())
}

/// Checks the packed rows and initial states.
fn check_inputs<T: Copy>(cell: CellKind, shape: &PackedShape, input: &Input<T>) -> Result<()> {
    let (n, b, i) = (shape.rows(), shape.batch_size(), shape.input_size());
    let (h, p, lstm) = (shape.hidden_size(), shape.output_size(), cell.has_cell_state());
    check_len("x", "N x I", input.x.len(), n * i)?;
    check_option("h_0", "B x P", input.h_0, b * p, true)?;
    check_option("c_0", "B x H", input.c_0, b * h, lstm)?;
    check_option("hidden_mask", "B x P", input.hidden_mask, b * p, true)?;
    let Some(Zoneout { hidden, cell }) = input.zoneout else { return Ok(()) };
    if cell.is_some() && !lstm {
        return Err(Error::UnexpectedArgument { name: "zoneout of cell states" });
    }
    let rows = |kept: Option<Kept<'_, T>>| match kept {
        Some(Kept::Rows(rows)) => Some(rows.len()),
        _ => None,
    };
    for (name, shape, got, expected) in [
        ("zoneout of hidden states", "N x P", rows(Some(hidden)), n * p),
        ("zoneout of cell states", "N x H", rows(cell), n * h),
    ] {
        got.map_or(Ok(()), |got| check_len(name, shape, got, expected))?;
    }
    Ok(())
}

/// Checks the length of a slice.
pub(crate) fn check_len(
    name: &'static str,
    shape: &'static str,
    got: usize,
    expected: usize,
) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Length { name, shape, expected, got })
}

/// Checks an optional slice, which may be given only where `available`.
fn check_option<T>(
    name: &'static str,
    shape: &'static str,
    slice: Option<&[T]>,
    expected: usize,
    available: bool,
) -> Result<()> {
    match slice {
        None => Ok(()),
        Some(_) if !available => Err(Error::UnexpectedArgument { name }),
        Some(slice) => check_len(name, shape, slice.len(), expected),
    }
}

/// Checks that a requested output or gradient is available.
fn check_available(name: &'static str, requested: bool, available: bool) -> Result<()> {
    if requested && !available {
        return Err(Error::Unavailable { name });
    }
    Ok(())
}
