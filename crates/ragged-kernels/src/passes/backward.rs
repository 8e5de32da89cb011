//! The backward pass: packs the weights, runs the time loop, and computes the gradients that are sums
//! over all steps.
//!
//! The time loop computes `da`, the gradient with respect to the slots' sums, of every row. Then follow
//! `dW = sum da [x h]^T` and `db = sum da`, divided among the threads by units and not by sequences so
//! that each sum has one order, and `dx = W_ih^T da` row by row.
//!
//! It takes all steps at once, or segment by segment: the gradients with respect to the states and the sums go on
//! from one segment to the next, with the same operations in the same order.

use crate::cell::gru::Gru;
use crate::cell::kind::CellKind;
use crate::cell::layer_norm_gru::LayerNormGru;
use crate::cell::layer_norm_lstm::LayerNormLstm;
use crate::cell::lstm::Lstm;
use crate::cell::peephole_lstm::PeepholeLstm;
use crate::cell::reset_before_gru::ResetBeforeGru;
use crate::cell::rnn::Rnn;
use crate::cell::step::CellStep;
use crate::gradients::Gradients;
use crate::layer_norm::gradients::{NormOperands, NormTargets, norm_gradients};
use crate::layer_norm::statistics::COEFFICIENTS;
use crate::layout::kernel_layout::KernelLayout;
use crate::layout::segment::Position;
use crate::layout::states::{masked_initial_hidden, pack_states, unpack_states};
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::{Input, OutputGradients, Weights};
use crate::passes::backward_weights::BackwardWeights;
use crate::passes::input_projection::input_gradient;
use crate::passes::peephole_gradient::peephole_gradient;
use crate::passes::projection;
use crate::passes::weight_gradient::{WeightSums, reset_gradient, weight_gradient};
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
    let mut pass = BackwardPass::new(layout, weights, output_gradients, to, team);
    pass.segment(layout, 0, input, saved, output_gradients, Position::ONLY);
    pass.finish(layout);
}

/// A backward pass that takes the segments of a batch one by one, from the last to the first in the layer's direction.
pub(crate) struct BackwardPass<'a, T: SimdFloat> {
    weights: BackwardWeights<T>,
    to: Gradients<Option<SyncPtr<T>>>,
    /// The gradient with respect to the hidden states before the last segment that was taken, through the product,
    /// `[vector][sequence][lane]`.
    dh: PooledBuffer<T>,
    /// The gradient with respect to the carries, likewise.
    d_carry: PooledBuffer<T>,
    sums: WeightSums<T>,
    /// Of `W_hn` of a GRU with the reset before the product.
    reset_sums: WeightSums<T>,
    team: &'a Team,
}

impl<'a, T: SimdFloat> BackwardPass<'a, T> {
    /// Begins with the gradients of the final states. `layout` is that of all steps.
    pub(crate) fn new(
        layout: &KernelLayout,
        weights: &Weights<T>,
        output_gradients: &OutputGradients<T>,
        to: Gradients<Option<SyncPtr<T>>>,
        team: &'a Team,
    ) -> Self {
        let normalizes = layout.cell.normalizes();
        let bias = |bias: Option<SyncPtr<T>>| bias.filter(|_| !normalizes);
        let sides = [(to.weight_ih, bias(to.bias_ih)), (to.weight_hh, bias(to.bias_hh))];
        let reset = to.weight_hh.filter(|_| layout.cell.resets_before());
        Self {
            weights: BackwardWeights::pack(layout, weights, to.x.is_some(), team),
            to,
            dh: pack_states(layout, output_gradients.h_n, layout.output_size),
            d_carry: pack_states(layout, output_gradients.c_n, layout.hidden_size),
            sums: WeightSums::new(layout, &sides),
            reset_sums: WeightSums::new(layout, &[(None, None), (reset, None)]),
            team,
        }
    }

    /// Takes a segment, whose rows begin at `first_row` of all rows; all arguments are those of the segment.
    pub(crate) fn segment(
        &mut self,
        layout: &KernelLayout,
        first_row: usize,
        input: &Input<T>,
        saved: SavedForBackward<T>,
        output_gradients: &OutputGradients<T>,
        position: Position,
    ) {
        let SavedForBackward { output, tape } = saved;
        let (to, team) = (self.to, self.team);
        let activations = Activations::of_tape(layout, input.hidden_mask.is_some()).split(tape);
        let weights = &self.weights;
        let (dh, d_carry) = (&mut self.dh, &mut self.d_carry);
        let (dh, d_carry) = (SyncPtr::new(dh.as_mut_slice()), SyncPtr::new(d_carry.as_mut_slice()));
        let steps =
            Steps { layout, weights, input, activations, output_gradients, dh, d_carry, team };
        let BpttOutput { mut da, dh_rows, norm } = steps.through_time();
        let hidden = if input.hidden_mask.is_some() { activations.masked } else { output };
        let initial_hidden = masked_initial_hidden(layout, input.h_0, input.hidden_mask);
        let sums = &mut self.sums;
        let weight_gradient = |da: [&PooledBuffer<T>; 2], sides| {
            let initial_hidden = initial_hidden.as_slice();
            let so_far = (sums, position);
            weight_gradient(layout, input.x, hidden, initial_hidden, da, sides, so_far, team);
        };
        let dx =
            to.x.map(|dx| dx.offset(first_row * layout.input_size)).zip(weights.input.as_ref());
        if let (Some(norm), Some(packed)) = (norm, &weights.layer_norm) {
            let NormBuffers { d_products, coefficients, d_cells, new_carries } = norm;
            let with_inputs = to.weight_ih.is_some() || to.x.is_some();
            let operands = NormOperands {
                weights: packed,
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
            norm_gradients(layout, operands, targets, position, team);
            // `da` is now the gradient with respect to the inputs' products.
            weight_gradient([&da, &d_products], [(to.weight_ih, None), (to.weight_hh, None)]);
            if let Some((dx, panels)) = dx {
                input_gradient(layout, panels, &da, dx, team);
            }
            return;
        }
        weight_gradient([&da; 2], [(to.weight_ih, to.bias_ih), (to.weight_hh, to.bias_hh)]);
        if let Some(weight_hh) = to.weight_hh.filter(|_| layout.cell.resets_before()) {
            let to = [(None, None), (Some(weight_hh), None)];
            let so_far = (&mut self.reset_sums, position);
            reset_gradient(layout, input.x, activations.reset, &da, to, so_far, team);
        }
        if let Some((dx, panels)) = dx {
            input_gradient(layout, panels, &da, dx, team);
        }
        if layout.cell.has_peepholes() {
            let to = [to.weight_ci, to.weight_cf, to.weight_co];
            peephole_gradient(layout, activations, input.c_0, &da, to, position, team);
        }
        if let Some(to) = to.weight_hr {
            let unprojected = activations.unprojected;
            projection::weight_gradient(layout, &dh_rows, unprojected, to, position, team);
        }
    }

    /// Stores the gradients with respect to the initial states. `layout` is that of all steps.
    pub(crate) fn finish(mut self, layout: &KernelLayout) {
        if let Some(h_0) = self.to.h_0 {
            if layout.cell.has_carry() && !layout.cell.has_cell_state() {
                // The GRU reads h_0 outside the product as well.
                let sums = self.dh.as_mut_slice().iter_mut().zip(self.d_carry.as_slice());
                sums.for_each(|(h, &carried)| *h += carried);
            }
            unpack_states(layout, self.dh.as_slice(), layout.output_size, h_0);
        }
        if let Some(c_0) = self.to.c_0 {
            unpack_states(layout, self.d_carry.as_slice(), layout.hidden_size, c_0);
        }
    }
}

/// What the time loop of a segment leaves.
struct BpttOutput<T: SimdFloat> {
    /// The gradient with respect to the slots' sums, `[block][row][slot][lane]`.
    da: PooledBuffer<T>,
    /// With a projection: the gradient with respect to the hidden states of all steps, `[N, P]`.
    dh_rows: PooledBuffer<T>,
    /// With layer normalisation.
    norm: Option<NormBuffers<T>>,
}

/// What backpropagation through time leaves of layer normalisation.
struct NormBuffers<T: SimdFloat> {
    /// The gradient with respect to the products with the hidden states, `[block][row][slot][lane]`.
    d_products: PooledBuffer<T>,
    /// Those of the inputs' products, `[COEFFICIENTS][N]`.
    coefficients: PooledBuffer<T>,
    /// The gradient with respect to the scaled cell states of an LSTM, `[vector][row][lane]`.
    d_cells: PooledBuffer<T>,
    /// With zoneout: the cell states as the cell computed them, likewise.
    new_carries: PooledBuffer<T>,
}

/// The steps of a segment.
struct Steps<'a, 'b, T: SimdFloat> {
    layout: &'a KernelLayout,
    weights: &'a BackwardWeights<T>,
    input: &'a Input<'b, T>,
    activations: Activations<&'a [T]>,
    output_gradients: &'a OutputGradients<'b, T>,
    /// The gradients with respect to the states after the segment, and later before it, `[vector][sequence][lane]`.
    dh: SyncPtr<T>,
    d_carry: SyncPtr<T>,
    team: &'a Team,
}

impl<T: SimdFloat> Steps<'_, '_, T> {
    fn through_time(&self) -> BpttOutput<T> {
        match self.layout.cell {
            CellKind::Lstm => self.run::<_, 1>(Lstm),
            CellKind::PeepholeLstm => {
                self.run::<_, 1>(PeepholeLstm::new(self.layout, &self.weights.peepholes))
            }
            CellKind::Gru => self.run::<_, 1>(Gru),
            CellKind::ResetBeforeGru => self.run::<_, 1>(ResetBeforeGru),
            CellKind::LayerNormLstm => self.run::<_, 1>(LayerNormLstm),
            CellKind::LayerNormGru => self.run::<_, 1>(LayerNormGru),
            CellKind::RnnTanh => self.run::<_, 4>(Rnn { relu: false }),
            CellKind::RnnRelu => self.run::<_, 4>(Rnn { relu: true }),
        }
    }

    fn run<A: CellStep<T, U>, const U: usize>(&self, cell: A) -> BpttOutput<T> {
        let Self { layout, weights, input, activations, output_gradients, dh, d_carry, team } =
            *self;
        let p = layout.output_size;
        let room = |needed: bool, len: usize| PooledBuffer::<T>::new(if needed { len } else { 0 });
        let mut da = PooledBuffer::new(layout.gates_len());
        let mut dh_rows = room(layout.has_projection(), layout.rows * p);
        let mut d_unprojected = room(layout.has_projection(), layout.states_len());
        let mut d_reset = room(layout.cell.resets_before(), layout.states_len());
        let with_cells = |len: usize| if layout.cell.has_cell_state() { len } else { 0 };
        let zoneout = input.zoneout.is_some();
        let mut d_kept = room(zoneout, layout.states_len());
        let mut d_kept_cells = room(zoneout, with_cells(layout.states_len()));
        // A copy, in which the mixtures are replaced.
        let mut new_carries = room(zoneout, activations.carries.len());
        let carries = if zoneout { activations.carries } else { &[] };
        new_carries.as_mut_slice().copy_from_slice(carries);
        let kept = KeptStates::of(input).map(|states| KeptGradients {
            states,
            d_output: output_gradients.output,
            d_cell_states: output_gradients.cell_states,
            d_hidden: SyncPtr::new(d_kept.as_mut_slice()),
            d_cells: SyncPtr::new(d_kept_cells.as_mut_slice()),
        });
        let mut norm = weights.layer_norm.as_ref().map(|_| NormBuffers {
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
        let norm_gradients =
            norm.as_mut().zip(weights.layer_norm.as_ref()).map(|(norm, weights)| NormGradients {
                input: weights.input.as_slice(),
                hidden: weights.hidden.as_slice(),
                cell: weights.cell.as_slice(),
                cell_bias: weights.cell_bias.as_slice(),
                d_output,
                coefficients: SyncPtr::new(norm.coefficients.as_mut_slice()),
                d_cells: SyncPtr::new(norm.d_cells.as_mut_slice()),
            });
        let backward_loop = BackwardLoop::<T, A, U> {
            cell,
            layout,
            panels: &weights.hidden,
            initial_carry: if layout.cell.has_cell_state() { input.c_0 } else { input.h_0 },
            mask: input.hidden_mask,
            new_carries: match zoneout {
                true => SyncPtr::new(new_carries.as_mut_slice()),
                false => SyncPtr::from_ptr(activations.carries.as_ptr().cast_mut()),
            },
            reset_panels: &weights.reset,
            weight_hr: weights.projection.as_ref(),
            activations,
            d_output: d_output.filter(|_| !normalizes_cells),
            d_cell_states: output_gradients.cell_states.filter(|_| !zoneout),
            kept,
            da: da_start,
            d_products,
            norm: norm_gradients,
            dh,
            d_carry,
            dh_rows: SyncPtr::new(dh_rows.as_mut_slice()),
            d_unprojected: SyncPtr::new(d_unprojected.as_mut_slice()),
            d_reset: SyncPtr::new(d_reset.as_mut_slice()),
        };
        Plan::new::<T>(layout, team.num_threads()).run(layout, &backward_loop, team);
        if let Some(norm) = &mut norm {
            norm.new_carries = new_carries;
        }
        BpttOutput { da, dh_rows, norm }
    }
}
