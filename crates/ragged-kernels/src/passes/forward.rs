//! The forward pass: computes `W_ih x + b` where the input is wide, and runs the time loop.
//!
//! A narrow input is multiplied in the tile of the recurrent product. For a wide one, `W_ih x + b` is
//! computed for all rows first, where each weight that is loaded serves many rows.

use crate::cell::gru::Gru;
use crate::cell::kind::CellKind;
use crate::cell::layer_norm_gru::LayerNormGru;
use crate::cell::layer_norm_lstm::LayerNormLstm;
use crate::cell::lstm::Lstm;
use crate::cell::peephole_lstm::PeepholeLstm;
use crate::cell::reset_before_gru::ResetBeforeGru;
use crate::cell::rnn::Rnn;
use crate::cell::step::CellStep;
use crate::gemm::forward_weights::ForwardWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::states::{final_hidden, masked_initial_hidden, pack_states, unpack_states};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::Input;
use crate::passes::input_projection::project_input;
use crate::recurrence::activations::Activations;
use crate::recurrence::forward::ForwardLoop;
use crate::recurrence::kept_states::{KeptForward, KeptStates};
use crate::simd::dispatch::SimdFloat;
use crate::threads::plan::Plan;
use crate::threads::team::Team;

/// The widest input (I) that is multiplied in the tile of the recurrent product. A wider one gains more from a
/// product of its own, in which each weight that is loaded serves many rows.
const MAX_FUSED_INPUT: usize = 32;

/// Where the forward pass stores its results. See [`Output`](crate::Output) for the shapes.
pub(crate) struct OutputTargets<'a, T> {
    /// The hidden states of all steps, where they are wanted.
    pub(crate) output: Option<SyncPtr<T>>,
    pub(crate) h_n: &'a mut [T],
    pub(crate) c_n: Option<&'a mut [T]>,
    pub(crate) cell_states: Option<SyncPtr<T>>,
}

/// Runs the forward pass and writes every element of `to` and of the `tape`; all slices fit the layout.
pub(crate) fn forward_pass<T: SimdFloat>(
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    to: OutputTargets<T>,
    tape: Option<&mut [T]>,
    team: &Team,
) {
    match layout.cell {
        CellKind::Lstm => run::<T, _, 1>(Lstm, layout, weights, input, to, tape, team),
        CellKind::PeepholeLstm => {
            let cell = PeepholeLstm::new(layout, &weights.peepholes);
            run::<T, _, 1>(cell, layout, weights, input, to, tape, team)
        }
        CellKind::Gru => run::<T, _, 1>(Gru, layout, weights, input, to, tape, team),
        CellKind::ResetBeforeGru => {
            run::<T, _, 1>(ResetBeforeGru, layout, weights, input, to, tape, team)
        }
        CellKind::LayerNormLstm => {
            run::<T, _, 1>(LayerNormLstm, layout, weights, input, to, tape, team)
        }
        CellKind::LayerNormGru => {
            run::<T, _, 1>(LayerNormGru, layout, weights, input, to, tape, team)
        }
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: layout.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, layout, weights, input, to, tape, team)
        }
    }
}

fn run<T: SimdFloat, A: CellStep<T, U>, const U: usize>(
    cell: A,
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    input: &Input<T>,
    to: OutputTargets<T>,
    tape: Option<&mut [T]>,
    team: &Team,
) {
    let has_carry = layout.cell.has_carry();
    let fused = layout.input_size <= MAX_FUSED_INPUT && !A::NORMALIZES;
    let (with_mask, save_for_backward) = (input.hidden_mask.is_some(), tape.is_some());
    let mut scratch;
    let activations = match tape {
        Some(tape) => Activations::of_tape(layout, with_mask).split_mut(tape),
        None => {
            let with_gates = !fused && !A::NORMALIZES;
            let parts = Activations::without_tape(layout, with_gates, with_mask);
            scratch = PooledBuffer::<T>::new(parts.len());
            parts.split_mut(scratch.as_mut_slice())
        }
    };
    let len = layout.rows * layout.output_size;
    let mut unwanted = PooledBuffer::new(if to.output.is_none() { len } else { 0 });
    let output = to.output.unwrap_or_else(|| SyncPtr::new(unwanted.as_mut_slice()));
    if !fused {
        let to = if A::NORMALIZES { activations.inputs } else { activations.gates };
        project_input(layout, input.x, weights, to, team);
    }

    let initial_carry = if layout.cell.has_cell_state() { input.c_0 } else { input.h_0 };
    let mut carry = pack_states(layout, initial_carry.filter(|_| has_carry), layout.hidden_size);
    let initial_hidden = masked_initial_hidden(layout, input.h_0, input.hidden_mask);
    let with_cells = input.zoneout.is_some_and(|zoneout| zoneout.cell.is_some());
    let mut cells_before = PooledBuffer::new(if with_cells { layout.states_len() } else { 0 });
    let cells_before = SyncPtr::new(cells_before.as_mut_slice());
    let forward_loop = ForwardLoop::<T, A, U> {
        cell,
        layout,
        x: fused.then_some(input.x),
        with_hidden_product: false,
        weights,
        initial_hidden: initial_hidden.as_slice(),
        mask: input.hidden_mask,
        kept: KeptStates::of(input).map(|states| KeptForward { states, cells_before }),
        activations,
        carry: SyncPtr::new(carry.as_mut_slice()),
        output,
        cell_states: to.cell_states,
        save_for_backward,
    };
    Plan::new::<T>(layout, team.num_threads()).run(layout, &forward_loop, team);
    // SAFETY: the loop has computed every block of every row.
    let output = unsafe { std::slice::from_raw_parts(output.get(), len) };
    final_hidden(layout, output, input.h_0, to.h_n);
    if let Some(c_n) = to.c_n {
        unpack_states(layout, carry.as_slice(), layout.hidden_size, SyncPtr::new(c_n));
    }
}
