//! The entry points that write into the caller's memory: one layer and direction, forward and backward.
//!
//! A tensor library allocates its own outputs, and keeps the tape where it keeps its other saved tensors. Nothing is
//! copied between such memory and the kernels'.

use crate::cell::kind::CellKind;
use crate::check::{
    check_backward, check_forward, check_gradient_slices, check_len, check_output_slices,
};
use crate::error::Result;
use crate::gradients::Gradients;
use crate::layer::Element;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::{ForwardOptions, Input, OutputGradients, OutputSlices, Weights};
use crate::passes::backward::SavedForBackward;
use crate::passes::forward::OutputTargets;
use crate::recurrence::activations::Activations;
use crate::shape::PackedShape;
use crate::threads::plan::team_size;
use crate::threads::team::Team;

/// Returns the number of elements of a tape for [`forward_into`], with a
/// [mask](Input::hidden_mask) of the hidden states or without.
///
/// It is a multiple of N, and depends on the SIMD level of the shape. See [`backward_into`] for an example.
pub fn tape_len<T: Element>(cell: CellKind, shape: &PackedShape, with_hidden_mask: bool) -> usize {
    let layout = KernelLayout::new::<T>(cell, shape, shape.simd());
    Activations::of_tape(&layout, with_hidden_mask).len()
}

/// Runs the forward pass and writes every element of `to` and, if it is given, of the `tape`.
///
/// The outputs are those of [`infer`](crate::infer), bit for bit. See [`backward_into`] for an example.
///
/// # Errors
///
/// As [`infer`](crate::infer), and [`Error::Length`](crate::Error::Length) for an output or a tape of another size.
pub fn forward_into<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    to: OutputSlices<T>,
    tape: Option<&mut [T]>,
) -> Result<()> {
    check_forward(cell, shape, weights, input, ForwardOptions::default())?;
    check_output_slices(cell, shape, &to)?;
    if let Some(tape) = &tape {
        check_tape(cell, shape, input, tape)?;
    }
    let layout = KernelLayout::new::<T>(cell, shape, shape.simd());
    let team = Team::new(team_size(&layout));
    let weights = T::pack_weights(&layout, weights, &team);
    let to = OutputTargets {
        output: Some(SyncPtr::new(to.output)),
        h_n: to.h_n,
        c_n: to.c_n,
        cell_states: to.cell_states.map(SyncPtr::new),
    };
    T::forward_pass(&layout, &weights, input, to, tape, &team);
    Ok(())
}

/// Runs the backward pass and writes every element of the gradients in `to`.
///
/// The arguments are those of [`backward`](crate::backward), whose gradients these are, bit for bit. `tape` is one that
/// [`forward_into`] has written for a shape of the same SIMD level; other values give other gradients.
///
/// # Errors
///
/// As [`backward`](crate::backward), and [`Error::Length`](crate::Error::Length) for a gradient or a tape of another
/// size.
///
/// ```
/// use ragged_kernels::*;
///
/// // Two sequences of lengths 2 and 1, one feature, one hidden unit.
/// let shape = PackedShape::new(2, &[2, 1], 1, 1, Direction::Forward)?;
/// let (cell, weights) = (CellKind::RnnTanh, Weights::new(&[0.5f32], &[0.2]));
/// let input = Input::new(&[1.0, -1.0, 2.0]);
/// let (mut output, mut h_n) = ([0.0; 3], [0.0; 2]);
/// let mut tape = vec![0.0; tape_len::<f32>(cell, &shape, false)];
/// let to = OutputSlices::new(&mut output, &mut h_n);
/// forward_into(cell, &shape, &weights, &input, to, Some(&mut tape))?;
///
/// // The loss is the sum of the final hidden states.
/// let loss = OutputGradients::default().with_h_n(&[1.0, 1.0]);
/// let mut dx = [0.0; 3];
/// let mut to = Gradients::default();
/// to.x = Some(&mut dx[..]);
/// backward_into(cell, &shape, &weights, &input, &output, &tape, &loss, to)?;
/// // The last step of the second sequence is packed row 1: dh/dx = w (1 - h^2).
/// assert!((dx[1] - 0.5 * (1.0 - output[1] * output[1])).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[allow(clippy::too_many_arguments)]
pub fn backward_into<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: &[T],
    tape: &[T],
    output_gradients: &OutputGradients<T>,
    to: Gradients<Option<&mut [T]>>,
) -> Result<()> {
    let wanted = to.as_ref().map(|slice| slice.is_some());
    check_backward(cell, shape, weights, input, Some(output), output_gradients, &wanted)?;
    check_gradient_slices(cell, shape, &to)?;
    check_tape(cell, shape, input, tape)?;
    let layout = KernelLayout::new::<T>(cell, shape, shape.simd());
    let saved = SavedForBackward { output, tape };
    let team = Team::new(team_size(&layout));
    let to = to.map(|slice| slice.map(SyncPtr::new));
    T::backward_pass(&layout, weights, input, saved, output_gradients, to, &team);
    Ok(())
}

fn check_tape<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    input: &Input<T>,
    tape: &[T],
) -> Result<()> {
    let expected = tape_len::<T>(cell, shape, input.hidden_mask.is_some());
    check_len("tape", "tape_len", tape.len(), expected)
}
