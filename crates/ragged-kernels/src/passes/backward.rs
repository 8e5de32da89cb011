//! The backward pass: packs the weights, runs the time loop, and computes the gradients that are sums
//! over all steps.
//!
//! The time loop computes `da`, the gradient with respect to the slots' sums, of every row. Then follow
//! `dW = sum da [x h]^T` and `db = sum da`, divided among the threads by units and not by sequences so
//! that each sum has one order, and `dx = W_ih^T da` row by row.

use crate::cell::gru::Gru;
use crate::cell::kind::{CellKind, Side};
use crate::cell::layer_norm_gru::LayerNormGru;
use crate::cell::layer_norm_lstm::LayerNormLstm;
use crate::cell::lstm::Lstm;
use crate::cell::peephole_lstm::{PeepholeLstm, pack_peepholes};
use crate::cell::reset_before_gru::ResetBeforeGru;
use crate::cell::rnn::Rnn;
use crate::cell::step::CellStep;
use crate::gemm::weight_panels::pack_column_panels;
use crate::gradients::Gradients;
use crate::layer_norm::gradients::{NormOperands, NormTargets, norm_gradients};
use crate::layer_norm::statistics::COEFFICIENTS;
use crate::layer_norm::weights::LayerNormWeights;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::states::{masked_initial_hidden, pack_states, unpack_states};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::{Input, OutputGradients, Weights};
use crate::passes::input_projection::input_gradient;
use crate::passes::peephole_gradient::peephole_gradient;
use crate::passes::projection;
use crate::passes::weight_gradient::{reset_gradient, weight_gradient};
use crate::recurrence::activations::Activations;
use crate::recurrence::backward::BackwardLoop;
use crate::recurrence::kept_states::{KeptGradients, KeptStates};
use crate::recurrence::norm_gradients::NormGradients;
use crate::simd::dispatch::SimdFloat;
use crate::threads::plan::Plan;
use crate::threads::team::Team;

/// What the forward pass computed and the backward pass reads.
#[derive(Clone, Copy)]
pub(crate) struct SavedForBackward<'a, T: SimdFloat> {
    /// The hidden states, `[N, P]`.
    pub(crate) output: &'a [T],
    /// The tape.
    pub(crate) tape: &'a [T],
}

/// Runs the backward pass and writes every element of the gradients in `to`; all slices fit the layout.
pub(crate) fn backward_pass<T: SimdFloat>(
    layout: &KernelLayout,
    weights: &Weights<T>,
    input: &Input<T>,
    saved: SavedForBackward<T>,
    output_gradients: &OutputGradients<T>,
    to: Gradients<Option<SyncPtr<T>>>,
    team: &Team,
) {
    let SavedForBackward { output, tape } = saved;
    let activations = Activations::of_tape(layout, input.hidden_mask.is_some()).split(tape);
    let d_output = output_gradients;
    let bptt = match layout.cell {
        CellKind::Lstm => run::<T, _, 1>(Lstm, layout, weights, input, activations, d_output, team),
        CellKind::PeepholeLstm => {
            let packed = pack_peepholes(layout, weights);
            let cell = PeepholeLstm::new(layout, &packed);
            run::<T, _, 1>(cell, layout, weights, input, activations, d_output, team)
        }
        CellKind::Gru => run::<T, _, 1>(Gru, layout, weights, input, activations, d_output, team),
        CellKind::ResetBeforeGru => {
            run::<T, _, 1>(ResetBeforeGru, layout, weights, input, activations, d_output, team)
        }
        CellKind::LayerNormLstm => {
            run::<T, _, 1>(LayerNormLstm, layout, weights, input, activations, d_output, team)
        }
        CellKind::LayerNormGru => {
            run::<T, _, 1>(LayerNormGru, layout, weights, input, activations, d_output, team)
        }
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: layout.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, layout, weights, input, activations, d_output, team)
        }
    };
    let BpttOutput { mut da, mut dh, d_carry, dh_rows, norm } = bptt;
    if let Some(h_0) = to.h_0 {
        if layout.cell.has_carry() && !layout.cell.has_cell_state() {
            // The GRU reads h_0 outside the product as well.
            let sums = dh.as_mut_slice().iter_mut().zip(d_carry.as_slice());
            sums.for_each(|(h, &carried)| *h += carried);
        }
        unpack_states(layout, dh.as_slice(), layout.output_size, h_0);
    }
    if let Some(c_0) = to.c_0 {
        unpack_states(layout, d_carry.as_slice(), layout.hidden_size, c_0);
    }
    let hidden = if input.hidden_mask.is_some() { activations.masked } else { output };
    let initial_hidden = masked_initial_hidden(layout, input.h_0, input.hidden_mask);
    let weight_gradient = |da: [&PooledBuffer<T>; 2], sides| {
        weight_gradient(layout, input.x, hidden, initial_hidden.as_slice(), da, sides, team);
    };
    if let Some(norm) = norm {
        let NormBuffers { weights: packed, d_products, coefficients, d_cells, new_carries } = norm;
        let with_inputs = to.weight_ih.is_some() || to.x.is_some();
        let operands = NormOperands {
            weights: &packed,
            activations,
            da: SyncPtr::new(da.as_mut_slice()),
            replace: with_inputs,
            coefficients: coefficients.as_slice(),
            cells: match input.zoneout {
                Some(_) => new_carries.as_slice(),
                None => activations.carries,
            },
            d_cells: d_cells.as_slice(),
        };
        let targets = NormTargets {
            biases: [to.bias_ih, to.bias_hh],
            weights: [to.ln_ih_weight, to.ln_hh_weight],
            cell: [to.ln_c_weight, to.ln_c_bias],
        };
        norm_gradients(layout, operands, targets, team);
        // `da` is now the gradient with respect to the inputs' products.
        weight_gradient([&da, &d_products], [(to.weight_ih, None), (to.weight_hh, None)]);
        if let Some(dx) = to.x {
            input_gradient(layout, weights.weight_ih, &da, dx, team);
        }
        return;
    }
    weight_gradient([&da; 2], [(to.weight_ih, to.bias_ih), (to.weight_hh, to.bias_hh)]);
    if let Some(weight_hh) = to.weight_hh.filter(|_| layout.cell.resets_before()) {
        reset_gradient(layout, input.x, activations.reset, &da, weight_hh, team);
    }
    if let Some(dx) = to.x {
        input_gradient(layout, weights.weight_ih, &da, dx, team);
    }
    if layout.cell.has_peepholes() {
        let to = [to.weight_ci, to.weight_cf, to.weight_co];
        peephole_gradient(layout, activations, input.c_0, &da, to, team);
    }
    if let Some(weight_hr) = to.weight_hr {
        projection::weight_gradient(layout, &dh_rows, activations.unprojected, weight_hr, team);
    }
}

/// The result of backpropagation through time.
struct BpttOutput<T: SimdFloat> {
    /// The gradient with respect to the slots' sums, `[block][row][slot][lane]`.
    da: PooledBuffer<T>,
    /// The gradient with respect to the initial hidden states through the product,
    /// `[vector][sequence][lane]`.
    dh: PooledBuffer<T>,
    /// The gradient with respect to the initial carries, `[vector][sequence][lane]`.
    d_carry: PooledBuffer<T>,
    /// With a projection: the gradient with respect to the hidden states of all steps, `[N, P]`.
    dh_rows: PooledBuffer<T>,
    /// With layer normalisation.
    norm: Option<NormBuffers<T>>,
}

/// What backpropagation through time leaves of layer normalisation.
struct NormBuffers<T: SimdFloat> {
    weights: LayerNormWeights<T>,
    /// The gradient with respect to the products with the hidden states, `[block][row][slot][lane]`.
    d_products: PooledBuffer<T>,
    /// Those of the inputs' products, `[COEFFICIENTS][N]`.
    coefficients: PooledBuffer<T>,
    /// The gradient with respect to the scaled cell states of an LSTM, `[vector][row][lane]`.
    d_cells: PooledBuffer<T>,
    /// With zoneout: the cell states as the cell computed them, likewise.
    new_carries: PooledBuffer<T>,
}

fn run<T: SimdFloat, A: CellStep<T, U>, const U: usize>(
    cell: A,
    layout: &KernelLayout,
    weights: &Weights<T>,
    input: &Input<T>,
    activations: Activations<&[T]>,
    output_gradients: &OutputGradients<T>,
    team: &Team,
) -> BpttOutput<T> {
    let (h, p) = (layout.hidden_size, layout.output_size);
    let room = |needed: bool, len: usize| PooledBuffer::<T>::new(if needed { len } else { 0 });
    let mut da = PooledBuffer::new(layout.gates_len());
    let mut dh = pack_states(layout, output_gradients.h_n, p);
    let mut d_carry = pack_states(layout, output_gradients.c_n, h);
    let mut dh_rows = room(layout.has_projection(), layout.rows * p);
    let mut d_unprojected = room(layout.has_projection(), layout.states_len());
    let resets = layout.cell.resets_before();
    let mut d_reset = room(resets, layout.states_len());
    let with_cells = |len: usize| if layout.cell.has_cell_state() { len } else { 0 };
    let zoneout = input.zoneout.is_some();
    let mut d_kept = room(zoneout, layout.states_len());
    let mut d_kept_cells = room(zoneout, with_cells(layout.states_len()));
    // A copy, in which the mixtures are replaced.
    let mut new_carries = room(zoneout, activations.carries.len());
    new_carries.as_mut_slice().copy_from_slice(if zoneout { activations.carries } else { &[] });
    let kept = KeptStates::of(input).map(|states| KeptGradients {
        states,
        d_output: output_gradients.output,
        d_cell_states: output_gradients.cell_states,
        d_hidden: SyncPtr::new(d_kept.as_mut_slice()),
        d_cells: SyncPtr::new(d_kept_cells.as_mut_slice()),
    });
    let norm = LayerNormWeights::pack(layout, weights);
    let mut norm = norm.map(|weights| NormBuffers {
        weights,
        d_products: PooledBuffer::new(layout.gates_len()),
        coefficients: PooledBuffer::new(layout.rows * COEFFICIENTS),
        d_cells: PooledBuffer::new(with_cells(layout.row_vectors_len())),
        new_carries: PooledBuffer::new(0),
    });
    let d_output = output_gradients.output.filter(|_| !zoneout);
    let normalizes_cells = A::NORMALIZES && layout.cell.has_cell_state();
    let da_start = SyncPtr::new(da.as_mut_slice());
    let d_products = match &mut norm {
        Some(norm) => SyncPtr::new(norm.d_products.as_mut_slice()),
        None => da_start,
    };
    let norm_gradients = norm.as_mut().map(|norm| NormGradients {
        input: norm.weights.input.as_slice(),
        hidden: norm.weights.hidden.as_slice(),
        cell: norm.weights.cell.as_slice(),
        cell_bias: norm.weights.cell_bias.as_slice(),
        d_output,
        coefficients: SyncPtr::new(norm.coefficients.as_mut_slice()),
        d_cells: SyncPtr::new(norm.d_cells.as_mut_slice()),
    });
    let initial_carry = if layout.cell.has_cell_state() { input.c_0 } else { input.h_0 };
    let backward_loop = BackwardLoop::<T, A, U> {
        cell,
        layout,
        panels: &pack_column_panels(layout, Side::Hidden, weights.weight_hh, p, team),
        initial_carry,
        mask: input.hidden_mask,
        new_carries: match zoneout {
            true => SyncPtr::new(new_carries.as_mut_slice()),
            false => SyncPtr::from_ptr(activations.carries.as_ptr().cast_mut()),
        },
        reset_panels: match resets {
            true => pack_column_panels(layout, Side::Reset, weights.weight_hh, p, team),
            false => PooledBuffer::new(0),
        },
        weight_hr: weights.weight_hr.map(|w| projection::backward_panels(layout, w, team)),
        activations,
        d_output: d_output.filter(|_| !normalizes_cells),
        d_cell_states: output_gradients.cell_states.filter(|_| !zoneout),
        kept,
        da: da_start,
        d_products,
        norm: norm_gradients,
        dh: SyncPtr::new(dh.as_mut_slice()),
        d_carry: SyncPtr::new(d_carry.as_mut_slice()),
        dh_rows: SyncPtr::new(dh_rows.as_mut_slice()),
        d_unprojected: SyncPtr::new(d_unprojected.as_mut_slice()),
        d_reset: SyncPtr::new(d_reset.as_mut_slice()),
    };
    Plan::new::<T>(layout, team.num_threads()).run(layout, &backward_loop, team);
    if let Some(norm) = &mut norm {
        norm.new_carries = new_carries;
    }
    BpttOutput { da, dh, d_carry, dh_rows, norm }
}
