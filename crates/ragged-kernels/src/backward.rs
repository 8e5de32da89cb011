//! Backpropagation through time, then the gradients that need all steps at once.
//!
//! First, from the last step to the first, `da` of every row (see `through_time`). Then, cut by units
//! instead of sequences so that every sum has one order, `dW = sum da [x h]^T` and `db = sum da`; and
//! `dx = W_ih^T da` row by row.

use crate::buffer::{Buffer, Shared};
use crate::cell::{Arithmetic, CellKind, Gru, Lstm, Rnn, Side};
use crate::crew::Crew;
use crate::forward::{Activations, initial_hidden};
use crate::input_product::input_gradient;
use crate::layer::{Cotangents, Gradients, Input, Weights};
use crate::layout::Geometry;
use crate::plan::Plan;
use crate::through_time::ThroughTime;
use crate::weight_gradient::weight_gradient;
use crate::{Element, pack, projection, states};

/// What is known when the backward pass begins.
pub(crate) struct Seen<'a, T: Element> {
    /// What the forward pass wrote, `[N, P]`.
    pub(crate) output: &'a [T],
    pub(crate) tape: &'a Activations<T>,
    pub(crate) cotangents: &'a Cotangents<'a, T>,
}

/// Runs the backward pass; all slices fit the geometry.
pub(crate) fn backward_pass<T: Element>(
    geometry: &Geometry,
    weights: &Weights<T>,
    input: &Input<T>,
    seen: Seen<T>,
    wanted: &Gradients<bool>,
    crew: &Crew,
) -> Gradients<Option<Vec<T>>> {
    let Seen { output, tape, cotangents } = seen;
    let through = match geometry.cell {
        CellKind::Lstm => run::<T, _, 1>(Lstm, geometry, weights, input, tape, cotangents, crew),
        CellKind::Gru => run::<T, _, 1>(Gru, geometry, weights, input, tape, cotangents, crew),
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: geometry.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, geometry, weights, input, tape, cotangents, crew)
        }
    };
    let Through { da, dh, d_carry, dh_rows } = through;
    let h_0 = wanted.h_0.then(|| {
        let mut h_0 = states::store(geometry, dh.as_slice(), geometry.width);
        if geometry.cell == CellKind::Gru {
            // The hidden state goes on beside the product, too.
            let beside = states::store(geometry, d_carry.as_slice(), geometry.width);
            h_0.iter_mut().zip(beside).for_each(|(h, beside)| *h += beside);
        }
        h_0
    });
    let c_0 = wanted.c_0.then(|| states::store(geometry, d_carry.as_slice(), geometry.hidden));
    let hidden = if input.hidden_mask.is_some() { tape.masked.as_slice() } else { output };
    let initial = initial_hidden(geometry, input);
    let sides = [(wanted.weight_ih, wanted.bias_ih), (wanted.weight_hh, wanted.bias_hh)];
    let [(weight_ih, bias_ih), (weight_hh, bias_hh)] =
        weight_gradient(geometry, input.x, hidden, initial.as_slice(), &da, sides, crew);
    let x = wanted.x.then(|| input_gradient(geometry, weights.weight_ih, &da, crew));
    let weight_hr = wanted
        .weight_hr
        .then(|| projection::weight_gradient(geometry, &dh_rows, &tape.units, crew));
    Gradients { x, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, h_0, c_0 }
}

/// What the way back through time leaves behind.
struct Through<T: Element> {
    /// By the slots' sums, `[block][row][slot][lane]`.
    da: Buffer<T>,
    /// By the initial hidden states, through the product.
    dh: Buffer<T>,
    /// By the initial carried states.
    d_carry: Buffer<T>,
    /// By all hidden states, `[N, P]`, with a projection.
    dh_rows: Buffer<T>,
}

fn run<T: Element, A: Arithmetic<T, U>, const U: usize>(
    cell: A,
    geometry: &Geometry,
    weights: &Weights<T>,
    input: &Input<T>,
    tape: &Activations<T>,
    cotangents: &Cotangents<T>,
    crew: &Crew,
) -> Through<T> {
    let (p, projects) = (geometry.width, geometry.projects());
    let (mut da, mut dh) =
        (Buffer::new(geometry.gates_len()), states::load(geometry, cotangents.h_n, p));
    let mut d_carry = states::load(geometry, cotangents.c_n, geometry.hidden);
    let mut dh_rows = Buffer::new(if projects { geometry.rows * p } else { 0 });
    let mut d_units = Buffer::new(if projects { geometry.states_len() } else { 0 });
    let lstm = geometry.cell.has_cell_state();
    let through_time = ThroughTime::<T, A, U> {
        cell,
        geometry,
        panels: &pack::column_panels(geometry, Side::Hidden, weights.weight_hh, p, crew),
        weight_hr: weights.weight_hr.map(|w| projection::backward_panels(geometry, w, crew)),
        tape,
        initial_carry: if lstm { input.c_0 } else { input.h_0 },
        mask: input.hidden_mask,
        d_output: cotangents.output,
        d_cells: cotangents.cells,
        da: Shared::new(da.as_mut_slice()),
        dh: Shared::new(dh.as_mut_slice()),
        d_carry: Shared::new(d_carry.as_mut_slice()),
        dh_rows: Shared::new(dh_rows.as_mut_slice()),
        d_units: Shared::new(d_units.as_mut_slice()),
    };
    Plan::new::<T>(geometry, crew.parts()).run(geometry.level, &through_time, crew);
    Through { da, dh, d_carry, dh_rows }
}
