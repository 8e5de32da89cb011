//! The activations of steps whose hidden states are known, for a backward pass that computes them once more.
//!
//! The products with the hidden states need no recurrence then: they are computed for many rows at a time, where each
//! weight that is loaded serves many rows, and only the cells are left to the time loop. The results have the bits of
//! the forward pass.

use crate::cell::gru::Gru;
use crate::cell::kind::CellKind;
use crate::cell::lstm::Lstm;
use crate::cell::peephole_lstm::PeepholeLstm;
use crate::cell::rnn::Rnn;
use crate::cell::step::CellStep;
use crate::gemm::forward_weights::ForwardWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::row_spans::previous_hidden_spans;
use crate::layout::states::{masked_initial_hidden, pack_states};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::Input;
use crate::passes::input_projection::{add_hidden_product, project_input};
use crate::recurrence::activations::Activations;
use crate::recurrence::forward::ForwardLoop;
use crate::recurrence::kept_states::{KeptForward, KeptStates};
use crate::simd::dispatch::SimdFloat;
use crate::threads::plan::Plan;
use crate::threads::team::Team;

/// Whether the hidden states of these steps save the recurrence: in a step, all units are independent then. They are
/// not with a projection, a reset before the product and layer normalisation.
pub(crate) fn can_replay(layout: &KernelLayout) -> bool {
    let KernelLayout { cell, .. } = *layout;
    !layout.has_projection() && !cell.resets_before() && !cell.normalizes()
}

/// Writes every element of the `tape`, from the hidden states of all steps, `[N, P]`. Only for steps that
/// [`can_replay`] allows.
pub(crate) fn replay<T: SimdFloat>(
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    hidden: &[T],
    tape: &mut [T],
    team: &Team,
) {
    match layout.cell {
        CellKind::PeepholeLstm => {
            let cell = PeepholeLstm::new(layout, &weights.peepholes);
            run::<T, _, 1>(cell, layout, weights, input, hidden, tape, team)
        }
        CellKind::Gru | CellKind::ResetBeforeGru | CellKind::LayerNormGru => {
            run::<T, _, 1>(Gru, layout, weights, input, hidden, tape, team)
        }
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: layout.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, layout, weights, input, hidden, tape, team)
        }
        CellKind::Lstm | CellKind::LayerNormLstm => {
            run::<T, _, 1>(Lstm, layout, weights, input, hidden, tape, team)
        }
    }
}

fn run<T: SimdFloat, A: CellStep<T, U>, const U: usize>(
    cell: A,
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    hidden: &[T],
    tape: &mut [T],
    team: &Team,
) {
    let parts = Activations::of_tape(layout, input.hidden_mask.is_some());
    let activations = parts.split_mut(tape);
    project_input(layout, input.x, weights, activations.gates, team);
    let masked = input.hidden_mask.map(|mask| masked_rows(layout, hidden, mask));
    let before = masked.as_ref().map_or(hidden, PooledBuffer::as_slice);
    let initial_hidden = masked_initial_hidden(layout, input.h_0, input.hidden_mask);
    let spans = previous_hidden_spans(layout, before, initial_hidden.as_slice());
    add_hidden_product(layout, spans, weights, activations.gates, team);

    let initial_carry = if layout.cell.has_cell_state() { input.c_0 } else { input.h_0 };
    let with_carry = layout.cell.has_carry();
    let mut carry = pack_states(layout, initial_carry.filter(|_| with_carry), layout.hidden_size);
    let with_cells = input.zoneout.is_some_and(|zoneout| zoneout.cell.is_some());
    let mut cells_before = PooledBuffer::new(if with_cells { layout.states_len() } else { 0 });
    let cells_before = SyncPtr::new(cells_before.as_mut_slice());
    // The loop writes the hidden states once more.
    let mut output = PooledBuffer::new(hidden.len());
    let forward_loop = ForwardLoop::<T, A, U> {
        cell,
        layout,
        x: None,
        with_hidden_product: true,
        weights,
        initial_hidden: initial_hidden.as_slice(),
        mask: input.hidden_mask,
        kept: KeptStates::of(input).map(|states| KeptForward { states, cells_before }),
        activations,
        carry: SyncPtr::new(carry.as_mut_slice()),
        output: SyncPtr::new(output.as_mut_slice()),
        cell_states: None,
        save_for_backward: true,
    };
    Plan::blocks(layout, team.num_threads()).run(layout, &forward_loop, team);
}

/// Returns the hidden states `[N, P]` times the mask `[B, P]`.
fn masked_rows<T: SimdFloat>(layout: &KernelLayout, hidden: &[T], mask: &[T]) -> PooledBuffer<T> {
    let mut masked = PooledBuffer::<T>::new(hidden.len());
    let p = layout.output_size;
    for step in &layout.steps {
        let rows = step.start * p..(step.start + step.batch_size) * p;
        let to = masked.as_mut_slice()[rows.clone()].iter_mut();
        to.zip(&hidden[rows]).zip(mask).for_each(|((to, &hidden), &mask)| *to = hidden * mask);
    }
    masked
}
