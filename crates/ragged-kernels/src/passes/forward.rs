//! The forward pass: computes `W_ih x + b` where the input is wide, and runs the time loop.
//!
//! A narrow input is multiplied in the tile of the recurrent product. For a wide one, `W_ih x + b` is
//! computed for all rows first, where each weight that is loaded serves many rows.

use crate::cell::gru::Gru;
use crate::cell::kind::CellKind;
use crate::cell::lstm::Lstm;
use crate::cell::rnn::Rnn;
use crate::cell::step::CellStep;
use crate::gemm::forward_weights::ForwardWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::states::{final_hidden, masked_initial_hidden, pack_states, unpack_states};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::memory::uninit_vec::UninitVec;
use crate::operands::{ForwardOptions, Input, Output};
use crate::passes::input_projection::project_input;
use crate::recurrence::activations::Activations;
use crate::recurrence::forward::ForwardLoop;
use crate::simd::dispatch::SimdFloat;
use crate::threads::plan::Plan;
use crate::threads::team::Team;

/// The widest input (I) that is multiplied in the tile of the recurrent product. A wider one gains more from a
/// product of its own, in which each weight that is loaded serves many rows.
const MAX_FUSED_INPUT: usize = 32;

/// Runs the forward pass; all slices fit the layout. The activations are valid only with
/// `save_for_backward`.
pub(crate) fn forward_pass<T: SimdFloat>(
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    options: ForwardOptions,
    save_for_backward: bool,
    team: &Team,
) -> (Output<T>, Activations<T>) {
    let save = save_for_backward;
    match layout.cell {
        CellKind::Lstm => run::<T, _, 1>(Lstm, layout, weights, input, options, save, team),
        CellKind::Gru => run::<T, _, 1>(Gru, layout, weights, input, options, save, team),
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: layout.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, layout, weights, input, options, save, team)
        }
    }
}

fn run<T: SimdFloat, A: CellStep<T, U>, const U: usize>(
    cell: A,
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    options: ForwardOptions,
    save_for_backward: bool,
    team: &Team,
) -> (Output<T>, Activations<T>) {
    let (h, p) = (layout.hidden_size, layout.output_size);
    let has_carry = layout.cell.has_carry();
    let mut output = UninitVec::new(layout.rows * p);
    let mut cell_states = options.cell_states.then(|| UninitVec::new(layout.rows * h));
    let fused = layout.input_size <= MAX_FUSED_INPUT;
    let room = |needed: bool, len: usize| PooledBuffer::<T>::new(if needed { len } else { 0 });
    let mut activations = Activations {
        gates: room(save_for_backward || !fused, layout.gates_len()),
        carries: room(save_for_backward && has_carry, layout.row_vectors_len()),
        unprojected: room(layout.has_projection(), layout.row_vectors_len()),
        masked: room(input.hidden_mask.is_some(), layout.rows * p),
    };
    if !fused {
        let gates = SyncPtr::new(activations.gates.as_mut_slice());
        project_input(cell, layout, input.x, weights, gates, team);
    }

    let initial_carry = if layout.cell.has_cell_state() { input.c_0 } else { input.h_0 };
    let mut carry = pack_states(layout, initial_carry.filter(|_| has_carry), h);
    let initial_hidden = masked_initial_hidden(layout, input.h_0, input.hidden_mask);
    let forward_loop = ForwardLoop::<T, A, U> {
        cell,
        layout,
        x: fused.then_some(input.x),
        weights,
        initial_hidden: initial_hidden.as_slice(),
        mask: input.hidden_mask,
        gates: SyncPtr::new(activations.gates.as_mut_slice()),
        carries: SyncPtr::new(activations.carries.as_mut_slice()),
        unprojected: SyncPtr::new(activations.unprojected.as_mut_slice()),
        masked: SyncPtr::new(activations.masked.as_mut_slice()),
        carry: SyncPtr::new(carry.as_mut_slice()),
        output: output.as_sync_ptr(),
        cell_states: cell_states.as_mut().map(UninitVec::as_sync_ptr),
        save_for_backward,
    };
    Plan::new::<T>(layout, team.num_threads()).run(layout, &forward_loop, team);
    // SAFETY: the loop has computed every block of every row.
    let (output, cell_states) =
        unsafe { (output.assume_init(), cell_states.map(|states| states.assume_init())) };
    let h_n = final_hidden(layout, &output, input.h_0);
    let c_n = layout.cell.has_cell_state().then(|| unpack_states(layout, carry.as_slice(), h));
    (Output { output, h_n, c_n, cell_states }, activations)
}
