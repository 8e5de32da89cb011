//! Both passes with the activations of one segment of time steps at a time (Gruslys et al. 2016).
//!
//! The forward pass keeps the states before each segment. The backward pass takes the segments from the last to the
//! first: it computes the activations of a segment from those states once more, and goes back through its steps.
//!
//! Every result has the bits of a pass over all steps at once. Each number is computed by the same operations: the
//! states go on from segment to segment as they do from step to step, and all sums over rows are taken from the last
//! step to the first ([`backward_order`](crate::layout::row_order::backward_order)), wherever the segments end.

use crate::element::Float;
use crate::gemm::forward_weights::ForwardWeights;
use crate::gradients::Gradients;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::segment::Position;
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::{Input, OutputGradients, Weights};
use crate::passes::backward::{BackwardPass, SavedForBackward};
use crate::passes::forward::{OutputTargets, forward_pass};
use crate::passes::replay::{can_replay, replay};
use crate::recurrence::activations::Activations;
use crate::simd::dispatch::SimdFloat;
use crate::threads::team::Team;

/// The number of elements that are kept for the backward pass with segments of `steps` steps: the states before each
/// segment of the sequences that have begun.
pub(crate) fn kept_len(layout: &KernelLayout, steps: usize) -> usize {
    let continuing = (0..layout.num_segments(steps)).map(|index| layout.continuing(index, steps));
    continuing.sum::<usize>() * state_width(layout)
}

/// The number of elements of the states of one sequence.
fn state_width(layout: &KernelLayout) -> usize {
    layout.output_size + if layout.cell.has_cell_state() { layout.hidden_size } else { 0 }
}

/// Runs the forward pass segment by segment, and writes every element of `to` and of `kept`, which has
/// [`kept_len`] elements.
pub(crate) fn forward_in_segments<T: SimdFloat>(
    layout: &KernelLayout,
    steps: usize,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    to: OutputTargets<T>,
    mut kept: Option<&mut [T]>,
    team: &Team,
) {
    let mut before = States::initial(layout, input);
    let mut after = before.clone();
    for index in 0..layout.num_segments(steps) {
        let segment = layout.segment(index, steps);
        if let Some(left) = kept.take() {
            let len = segment.continuing * state_width(layout);
            let (of_segment, left) = left.split_at_mut(len);
            before.save(layout, segment.continuing, of_segment);
            kept = Some(left);
        }
        let first = segment.rows.start;
        let to = OutputTargets {
            output: to.output.map(|output| output.offset(first * layout.output_size)),
            cell_states: to.cell_states.map(|states| states.offset(first * layout.hidden_size)),
            ..after.targets()
        };
        let input = segment.input(input, &before.h, before.c.as_deref());
        forward_pass(&segment.layout, weights, &input, to, None, team);
        std::mem::swap(&mut before, &mut after);
    }
    to.h_n.copy_from_slice(&before.h);
    if let (Some(c_n), Some(c)) = (to.c_n, &before.c) {
        c_n.copy_from_slice(c);
    }
}

/// Runs the backward pass from what [`forward_in_segments`] has kept, and writes every element of the gradients in
/// `to`.
///
/// `hidden` are the hidden states of all steps, `[N, P]`, or nothing where they are to be computed once more as well,
/// which takes longer.
#[allow(clippy::too_many_arguments)]
pub(crate) fn backward_in_segments<T: SimdFloat>(
    layout: &KernelLayout,
    steps: usize,
    weights: &Weights<T>,
    input: &Input<T>,
    mut kept: &[T],
    hidden: &[T],
    output_gradients: &OutputGradients<T>,
    to: Gradients<Option<SyncPtr<T>>>,
    team: &Team,
) {
    let forward_weights = ForwardWeights::pack(layout, weights, team);
    let mut pass = BackwardPass::new(layout, weights, output_gradients, to, team);
    let initial = States::initial(layout, input);
    let (mut before, mut after) = (initial.clone(), initial.clone());
    let count = layout.num_segments(steps);
    for index in (0..count).rev() {
        let segment = layout.segment(index, steps);
        let len = segment.continuing * state_width(layout);
        let (left, of_segment) = kept.split_at(kept.len() - len);
        kept = left;
        before.load(layout, &initial, segment.continuing, of_segment);
        let (input, d_output) = (
            segment.input(input, &before.h, before.c.as_deref()),
            segment.output_gradients(output_gradients),
        );
        let with_mask = input.hidden_mask.is_some();
        let mut tape = PooledBuffer::new(Activations::of_tape(&segment.layout, with_mask).len());
        let known = !hidden.is_empty() && can_replay(layout);
        let len = segment.layout.rows * layout.output_size;
        let mut output = PooledBuffer::new(if known { 0 } else { len });
        let output = if known {
            let (hidden, tape) = (segment.of_rows(hidden, layout.output_size), tape.as_mut_slice());
            replay(&segment.layout, &forward_weights, &input, hidden, tape, team);
            hidden
        } else {
            let states = Some(SyncPtr::new(output.as_mut_slice()));
            let to = OutputTargets { output: states, ..after.targets() };
            let tape = Some(tape.as_mut_slice());
            forward_pass(&segment.layout, &forward_weights, &input, to, tape, team);
            output.as_slice()
        };
        let saved = SavedForBackward { output, tape: tape.as_slice() };
        let position = Position { first: index + 1 == count, last: index == 0 };
        pass.segment(&segment.layout, segment.rows.start, &input, saved, &d_output, position);
    }
    pass.finish(layout);
}

/// The states of all sequences between two segments.
#[derive(Clone)]
struct States<T> {
    /// `[B, P]`.
    h: Vec<T>,
    /// `[B, H]`, of an LSTM.
    c: Option<Vec<T>>,
}

impl<T: Float> States<T> {
    /// The states before the first step.
    fn initial(layout: &KernelLayout, input: &Input<T>) -> Self {
        let state = |given: Option<&[T]>, columns: usize| match given {
            Some(given) => given.to_vec(),
            None => vec![T::default(); layout.batch_size * columns],
        };
        let with_cells = layout.cell.has_cell_state();
        Self {
            h: state(input.h_0, layout.output_size),
            c: with_cells.then(|| state(input.c_0, layout.hidden_size)),
        }
    }

    /// Where a pass writes the states after a segment, and no other output.
    fn targets(&mut self) -> OutputTargets<'_, T> {
        let Self { h, c } = self;
        OutputTargets { output: None, h_n: h, c_n: c.as_deref_mut(), cell_states: None }
    }

    /// Copies the states of the first `count` sequences to `to`: the hidden states, then the cell states.
    fn save(&self, layout: &KernelLayout, count: usize, to: &mut [T]) {
        let (h, c) = to.split_at_mut(count * layout.output_size);
        h.copy_from_slice(&self.h[..h.len()]);
        if let Some(states) = &self.c {
            c.copy_from_slice(&states[..c.len()]);
        }
    }

    /// Takes the first `count` sequences from what [`save`](Self::save) has written, and the others, which begin
    /// later, from their initial states.
    fn load(&mut self, layout: &KernelLayout, initial: &Self, count: usize, from: &[T]) {
        let (h, c) = from.split_at(count * layout.output_size);
        self.h[..h.len()].copy_from_slice(h);
        self.h[h.len()..].copy_from_slice(&initial.h[h.len()..]);
        if let (Some(states), Some(initial)) = (&mut self.c, &initial.c) {
            states[..c.len()].copy_from_slice(c);
            states[c.len()..].copy_from_slice(&initial[c.len()..]);
        }
    }
}
