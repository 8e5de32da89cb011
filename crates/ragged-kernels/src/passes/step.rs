//! One step of the forward pass on this thread, from packed weights and in the caller's memory.

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
use crate::memory::pooled_buffer::PooledBuffer;
use crate::memory::sync_ptr::SyncPtr;
use crate::passes::input_projection::project_input;
use crate::recurrence::activations::Activations;
use crate::recurrence::forward::ForwardLoop;
use crate::recurrence::kept_states::{KeptForward, KeptStates};
use crate::simd::denormals::FlushDenormals;
use crate::simd::dispatch::SimdFloat;
use crate::threads::plan::run_on_this_thread;
use crate::threads::team::Team;
use crate::zoneout::Zoneout;

/// The states of B rows before a step, and room for those after it.
#[derive(Debug, Clone)]
pub(crate) struct StepBuffers<T: SimdFloat> {
    /// The hidden states before the step, `[B, P]`.
    pub(crate) hidden: PooledBuffer<T>,
    /// Room for those after it, `[B, P]`.
    pub(crate) next: PooledBuffer<T>,
    /// c of the LSTM, h of the GRU, `[vector][row][lane]`.
    pub(crate) carry: PooledBuffer<T>,
    /// Room for the cell states of an LSTM before the step, for zoneout, in the order of `carry`; otherwise empty.
    pub(crate) cells_before: PooledBuffer<T>,
    /// Room for the hidden states before their projection, `[vector][row][lane]`; empty without one.
    pub(crate) unprojected: PooledBuffer<T>,
    /// Room for the gates and for h times the reset gate of a GRU with the reset before the product, as in
    /// [`Activations`]; otherwise empty.
    pub(crate) gates: PooledBuffer<T>,
    pub(crate) reset: PooledBuffer<T>,
    /// Room for the products and statistics of a cell with layer normalisation, likewise.
    pub(crate) inputs: PooledBuffer<T>,
    pub(crate) products: PooledBuffer<T>,
    pub(crate) moments: PooledBuffer<T>,
}

/// Replaces the states by those after one step with the inputs `x` `[B, I]`. The layout has a single step, of B
/// rows, and all slices and buffers fit it.
pub(crate) fn step<T: SimdFloat>(
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    x: &[T],
    zoneout: Option<Zoneout<'_, T>>,
    buffers: &mut StepBuffers<T>,
) {
    match layout.cell {
        CellKind::Lstm => run::<T, _, 1>(Lstm, layout, weights, x, zoneout, buffers),
        CellKind::PeepholeLstm => {
            let cell = PeepholeLstm::new(layout, &weights.peepholes);
            run::<T, _, 1>(cell, layout, weights, x, zoneout, buffers)
        }
        CellKind::Gru => run::<T, _, 1>(Gru, layout, weights, x, zoneout, buffers),
        CellKind::ResetBeforeGru => {
            run::<T, _, 1>(ResetBeforeGru, layout, weights, x, zoneout, buffers)
        }
        CellKind::LayerNormLstm => {
            run::<T, _, 1>(LayerNormLstm, layout, weights, x, zoneout, buffers)
        }
        CellKind::LayerNormGru => {
            run::<T, _, 1>(LayerNormGru, layout, weights, x, zoneout, buffers)
        }
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: layout.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, layout, weights, x, zoneout, buffers)
        }
    }
}

fn run<T: SimdFloat, A: CellStep<T, U>, const U: usize>(
    cell: A,
    layout: &KernelLayout,
    weights: &ForwardWeights<T>,
    x: &[T],
    zoneout: Option<Zoneout<'_, T>>,
    buffers: &mut StepBuffers<T>,
) {
    let StepBuffers {
        hidden,
        next,
        carry,
        cells_before,
        unprojected,
        gates,
        reset,
        inputs,
        products,
        moments,
    } = buffers;
    // Activations that only the backward pass reads.
    let mut none: [T; 0] = [];
    let none = SyncPtr::new(&mut none);
    let forward_loop = ForwardLoop::<T, A, U> {
        cell,
        layout,
        x: (!A::NORMALIZES).then_some(x),
        with_hidden_product: false,
        weights,
        initial_hidden: hidden.as_slice(),
        mask: None,
        kept: zoneout.map(|zoneout| KeptForward {
            states: KeptStates { zoneout, initial_hidden: Some(hidden.as_slice()) },
            cells_before: SyncPtr::new(cells_before.as_mut_slice()),
        }),
        activations: Activations {
            gates: SyncPtr::new(gates.as_mut_slice()),
            carries: none,
            unprojected: SyncPtr::new(unprojected.as_mut_slice()),
            masked: none,
            reset: SyncPtr::new(reset.as_mut_slice()),
            products: SyncPtr::new(products.as_mut_slice()),
            inputs: SyncPtr::new(inputs.as_mut_slice()),
            moments: SyncPtr::new(moments.as_mut_slice()),
        },
        carry: SyncPtr::new(carry.as_mut_slice()),
        output: SyncPtr::new(next.as_mut_slice()),
        cell_states: None,
        save_for_backward: false,
    };
    let _flush = FlushDenormals::new();
    if A::NORMALIZES {
        project_input(layout, x, weights, forward_loop.activations.inputs, &Team::new(1));
    }
    run_on_this_thread(layout, &forward_loop);
    std::mem::swap(hidden, next);
}
