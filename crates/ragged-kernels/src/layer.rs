//! The entry points: one layer and direction, forward and backward.

use crate::cell::kind::CellKind;
use crate::check::{check_backward, check_forward};
use crate::error::{Error, Result};
use crate::gemm::forward_weights::ForwardWeights;
use crate::gradients::Gradients;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::operands::{ForwardOptions, Input, Output, OutputGradients, Weights};
use crate::passes::backward::SavedForBackward;
use crate::passes::element_passes::ElementPasses;
use crate::passes::forward::OutputTargets;
use crate::passes::recompute::kept_len;
use crate::recurrence::activations::Activations;
use crate::results::{GradientMemory, OutputMemory};
use crate::sequence_passes::SequencePasses;
use crate::shape::PackedShape;
use crate::simd::level::SimdLevel;
use crate::threads::plan::team_size;
use crate::threads::team::Team;

/// An element type of the kernels: `f32` or, with the feature `f64`, `f64`. It cannot be implemented for
/// other types.
///
/// ```
/// use ragged_kernels::Element;
///
/// fn bytes<T: Element>(values: &[T]) -> usize {
///     std::mem::size_of_val(values)
/// }
/// assert_eq!((bytes(&[1f32; 3]), bytes(&[1f64; 3])), (12, 24));
/// ```
pub trait Element: ElementPasses + SequencePasses {}

impl Element for f32 {}
#[cfg(feature = "f64")]
impl Element for f64 {}

/// The activations that [`forward`] saves for [`backward`].
///
/// Per packed row, with H rounded up to a multiple of `lanes` (the elements per SIMD vector):
///
/// | cell | elements |
/// |---|---|
/// | LSTM, GRU | 5 H |
/// | RNN | H, rounded up to a multiple of `4 lanes` |
/// | in addition, with a projection | H |
/// | in addition, with a mask of the hidden states | P, not rounded |
/// | in addition, for a GRU with the reset before the product | P, not rounded |
/// | in addition, with layer normalisation | 8 H + 6 |
///
/// With [`ForwardOptions::recompute`], it holds instead the states, P elements and of an LSTM H more, of each sequence
/// before each segment after its first.
///
/// The memory is reused by later calls when the tape is dropped. See [`backward`] for an example.
#[derive(Debug, Clone)]
pub struct Tape<T: Element> {
    memory: PooledBuffer<T>,
    cell: CellKind,
    /// The level that determined the layout.
    level: SimdLevel,
    /// N.
    rows: usize,
    /// H.
    hidden_size: usize,
    /// P.
    output_size: usize,
    /// The steps of a segment, if the activations are computed once more.
    segment_steps: Option<usize>,
}

impl<T: Element> Tape<T> {
    /// Returns the number of elements saved.
    ///
    /// ```
    /// use ragged_kernels::*;
    ///
    /// // Three rows of an LSTM with 16 units, which fill whole vectors at every level.
    /// let shape = PackedShape::new(2, &[2, 1], 1, 16, Direction::Forward)?;
    /// let (weight_ih, weight_hh) = (vec![0.1f32; 64], vec![0.1; 1024]);
    /// let weights = Weights::new(&weight_ih, &weight_hh);
    /// let input = Input::new(&[1.0, -1.0, 2.0]);
    /// let (_, tape) = forward(CellKind::Lstm, &shape, &weights, &input, Default::default())?;
    /// assert_eq!(tape.elements(), 3 * 5 * 16);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn elements(&self) -> usize {
        self.memory.as_slice().len()
    }

    /// Checks that the tape comes from a forward pass over this shape, with a mask or without.
    fn check(&self, shape: &PackedShape, with_mask: bool) -> Result<()> {
        for (name, expected, got) in [
            ("N", shape.rows(), self.rows),
            ("H", shape.hidden_size(), self.hidden_size),
            ("P", shape.output_size(), self.output_size),
        ] {
            if expected != got {
                return Err(Error::Tape { name, expected, got });
            }
        }
        let layout = KernelLayout::new::<T>(self.cell, shape, self.level);
        let expected = match self.segment_steps {
            Some(steps) => kept_len(&layout, steps),
            None => Activations::of_tape(&layout, with_mask).len(),
        };
        let got = self.elements();
        if expected != got {
            return Err(Error::Tape { name: "elements", expected, got });
        }
        Ok(())
    }
}

/// Runs the forward pass for inference, without a tape.
///
/// It packs the weights first. [`PreparedWeights`](crate::PreparedWeights) packs them once for many calls.
///
/// # Errors
///
/// [`Error::Length`] names the first slice that does not fit `shape`, [`Error::UnexpectedArgument`] one
/// that the cell does not have, [`Error::Unavailable`] an output that it does not have.
///
/// ```
/// use ragged_kernels::{infer, CellKind, Direction, ForwardOptions, Input, PackedShape, Weights};
///
/// // Two sequences of lengths 2 and 1, one feature, one hidden unit.
/// let shape = PackedShape::new(2, &[2, 1], 1, 1, Direction::Forward)?;
/// let weights = Weights::new(&[0.5f32, 0.1, 1.0], &[0.2, 0.4, 0.1]);
/// let input = Input::new(&[1.0, -1.0, 2.0]).with_h_0(&[0.5, 0.0]);
/// let result = infer(CellKind::Gru, &shape, &weights, &input, ForwardOptions::default())?;
/// assert_eq!((result.output.len(), result.h_n.len()), (3, 2));
/// assert!(result.c_n.is_none());
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
pub fn infer<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    options: ForwardOptions,
) -> Result<Output<T>> {
    check_forward(cell, shape, weights, input, options)?;
    let layout = KernelLayout::new::<T>(cell, shape, shape.simd());
    let team = Team::new(team_size(&layout));
    let weights = T::pack_weights(&layout, weights, &team);
    let mut output = OutputMemory::new(&layout, options);
    run_forward(&layout, &weights, input, options, output.targets(), &team);
    // SAFETY: the pass has written to them.
    Ok(unsafe { output.assume_init() })
}

/// Runs the forward pass and saves the activations that [`backward`] reads.
///
/// The outputs are those of [`infer`], bit for bit. See [`backward`] for an example.
///
/// # Errors
///
/// As [`infer`].
pub fn forward<T: Element>(
    cell: CellKind,
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    options: ForwardOptions,
) -> Result<(Output<T>, Tape<T>)> {
    check_forward(cell, shape, weights, input, options)?;
    let level = shape.simd();
    let layout = KernelLayout::new::<T>(cell, shape, level);
    let team = Team::new(team_size(&layout));
    let weights = T::pack_weights(&layout, weights, &team);
    let mut output = OutputMemory::new(&layout, options);
    let with_mask = input.hidden_mask.is_some();
    // Without its output, the pass is computed once more: with no other segments, as one.
    let one = options.final_states_only.then_some(usize::MAX);
    let segment_steps = options.segment_steps().or(one);
    let mut memory = PooledBuffer::new(match segment_steps {
        Some(steps) => kept_len(&layout, steps),
        None => Activations::of_tape(&layout, with_mask).len(),
    });
    let (to, tape) = (output.targets(), Some(memory.as_mut_slice()));
    match segment_steps {
        Some(steps) => T::forward_in_segments(&layout, steps, &weights, input, to, tape, &team),
        None => T::forward_pass(&layout, &weights, input, to, tape, &team),
    }
    // SAFETY: the pass has written to them.
    let output = unsafe { output.assume_init() };
    let KernelLayout { rows, hidden_size, output_size, .. } = layout;
    Ok((output, Tape { memory, cell, level, rows, hidden_size, output_size, segment_steps }))
}

/// Runs the forward pass without a tape.
pub(crate) fn run_forward<T: Element>(
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    options: ForwardOptions,
    to: OutputTargets<T>,
    team: &Team,
) {
    match options.segment_steps() {
        Some(steps) => T::forward_in_segments(layout, steps, weights, input, to, None, team),
        None => T::forward_pass(layout, weights, input, to, None, team),
    }
}

/// Runs the backward pass, backpropagation through time, and returns the `wanted` gradients.
///
/// `shape`, `weights` and `input` are those of the forward pass, `output` `[N, P]` is its
/// [`Output::output`] and `tape` its tape, which is only read: the pass can be repeated. Where the activations are
/// [computed once more](ForwardOptions::recompute), `output` may be empty, and it takes less time if it is not.
///
/// # Errors
///
/// [`Error::Length`] names the first slice that does not fit `shape`, [`Error::Tape`] a tape that does
/// not, [`Error::UnexpectedArgument`] an argument that the cell does not have, [`Error::Unavailable`] a
/// gradient that it does not have.
///
/// ```
/// use ragged_kernels::*;
///
/// // Two sequences of lengths 2 and 1, one feature, one hidden unit.
/// let shape = PackedShape::new(2, &[2, 1], 1, 1, Direction::Forward)?;
/// let weights = Weights::new(&[0.5f32], &[0.2]);
/// let input = Input::new(&[1.0, -1.0, 2.0]);
/// let cell = CellKind::RnnTanh;
/// let (result, tape) = forward(cell, &shape, &weights, &input, ForwardOptions::default())?;
///
/// // The loss is the sum of the final hidden states.
/// let output_gradients = OutputGradients::default().with_h_n(&[1.0, 1.0]);
/// let mut wanted = Gradients::default();
/// wanted.x = true;
/// let output = &result.output;
/// let found = backward(&shape, &weights, &input, output, &tape, &output_gradients, &wanted)?;
/// let dx = found.x.unwrap();
/// // The last step of the second sequence is packed row 1: dh/dx = w (1 - h^2).
/// assert!((dx[1] - 0.5 * (1.0 - output[1] * output[1])).abs() < 1e-6);
/// assert!(found.weight_ih.is_none());
/// # Ok::<(), Error>(())
/// ```
pub fn backward<T: Element>(
    shape: &PackedShape,
    weights: &Weights<T>,
    input: &Input<T>,
    output: &[T],
    tape: &Tape<T>,
    output_gradients: &OutputGradients<T>,
    wanted: &Gradients<bool>,
) -> Result<Gradients<Option<Vec<T>>>> {
    tape.check(shape, input.hidden_mask.is_some())?;
    let given = Some(output).filter(|output| tape.segment_steps.is_none() || !output.is_empty());
    check_backward(tape.cell, shape, weights, input, given, output_gradients, wanted)?;
    let layout = KernelLayout::new::<T>(tape.cell, shape, tape.level);
    let saved = tape.memory.as_slice();
    let team = Team::new(team_size(&layout));
    let mut gradients = GradientMemory::new(shape, tape.cell.gates(), wanted);
    let (to, d_output) = (gradients.targets(), output_gradients);
    if let Some(steps) = tape.segment_steps {
        T::backward_in_segments(&layout, steps, weights, input, saved, output, d_output, to, &team);
    } else {
        let saved = SavedForBackward { output, tape: saved };
        T::backward_pass(&layout, weights, input, saved, d_output, to, &team);
    }
    // SAFETY: the pass has written to them.
    Ok(unsafe { gradients.assume_init() })
}
