//! The forward pass: the weights in order, then the recurrence.
//!
//! A narrow input is taken into the tile of the recurrent product; for a wide one, `W_ih x + b` is
//! computed for all rows beforehand, where each weight that is loaded serves many rows.

use crate::buffer::{Buffer, Shared};
use crate::cell::{Arithmetic, CellKind, Gru, Lstm, Rnn, Side};
use crate::crew::Crew;
use crate::fresh::Fresh;
use crate::input_product::project_input;
use crate::layer::{Input, Output, Weights};
use crate::layout::Geometry;
use crate::plan::Plan;
use crate::recurrence::Recurrence;
use crate::{Element, pack, projection, states};

/// The widest input that is taken into the recurrent product.
const NARROW: usize = 32;

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub(crate) struct Activations<T: Element> {
    /// What each cell records, `[block][row][slot][lane]`.
    pub(crate) gates: Buffer<T>,
    /// The carried state, `[vector][row][lane]`.
    pub(crate) carries: Buffer<T>,
    /// The units before their projection, `[vector][row][lane]`.
    pub(crate) units: Buffer<T>,
    /// The hidden states as the next step's product sees them where a mask lies between, `[N, P]`.
    pub(crate) masked: Buffer<T>,
}

/// Runs the forward pass; all slices fit the geometry. Unless `record` is set, the activations that
/// come back are of no use.
pub(crate) fn forward_pass<T: Element>(
    geometry: &Geometry,
    weights: &Weights<T>,
    input: &Input<T>,
    cells: bool,
    record: bool,
    crew: &Crew,
) -> (Output<T>, Activations<T>) {
    match geometry.cell {
        CellKind::Lstm => run::<T, _, 1>(Lstm, geometry, weights, input, cells, record, crew),
        CellKind::Gru => run::<T, _, 1>(Gru, geometry, weights, input, cells, record, crew),
        CellKind::RnnTanh | CellKind::RnnRelu => {
            let rnn = Rnn { relu: geometry.cell == CellKind::RnnRelu };
            run::<T, _, 4>(rnn, geometry, weights, input, cells, record, crew)
        }
    }
}

fn run<T: Element, A: Arithmetic<T, U>, const U: usize>(
    cell: A,
    geometry: &Geometry,
    weights: &Weights<T>,
    input: &Input<T>,
    cells: bool,
    record: bool,
    crew: &Crew,
) -> (Output<T>, Activations<T>) {
    let (h, p, carries) = (geometry.hidden, geometry.width, geometry.cell.carries());
    let mut output = Fresh::new(geometry.rows * p);
    let mut all_cells = cells.then(|| Fresh::new(geometry.rows * h));
    let narrow = geometry.input <= NARROW;
    let room = |needed: bool, len: usize| Buffer::<T>::new(if needed { len } else { 0 });
    let mut activations = Activations {
        gates: room(record || !narrow, geometry.gates_len()),
        carries: room(record && carries, geometry.carries_len()),
        units: room(geometry.projects(), geometry.carries_len()),
        masked: room(input.hidden_mask.is_some(), geometry.rows * p),
    };
    let bias =
        pack::biases(geometry, [(Side::Input, weights.bias_ih), (Side::Hidden, weights.bias_hh)]);
    let ih = (Side::Input, weights.weight_ih, geometry.input);
    let hh = (Side::Hidden, weights.weight_hh, p);
    if !narrow {
        let gates = Shared::new(activations.gates.as_mut_slice());
        project_input(cell, geometry, input.x, &bias, ih, gates, crew);
    }

    let columns = if narrow { &[ih, hh][..] } else { &[hh] };
    let initial_carry = if geometry.cell.has_cell_state() { input.c_0 } else { input.h_0 };
    let mut running = states::load(geometry, initial_carry.filter(|_| carries), h);
    let initial = initial_hidden(geometry, input);
    let recurrence = Recurrence::<T, A, U> {
        cell,
        geometry,
        x: narrow.then_some(input.x),
        panels: &pack::gate_panels(geometry, columns, crew),
        bias: &bias,
        initial: &initial,
        mask: input.hidden_mask,
        weight_hr: weights.weight_hr.map(|w| projection::forward_panels(geometry, w, crew)),
        gates: Shared::new(activations.gates.as_mut_slice()),
        carries: Shared::new(activations.carries.as_mut_slice()),
        units: Shared::new(activations.units.as_mut_slice()),
        masked: Shared::new(activations.masked.as_mut_slice()),
        running: Shared::new(running.as_mut_slice()),
        output: output.shared(),
        cells: all_cells.as_mut().map(Fresh::shared),
        record,
    };
    Plan::new::<T>(geometry, crew.parts()).run(geometry.level, &recurrence, crew);
    // SAFETY: the recurrence has taken every block of every row.
    let (output, cells) = unsafe { (output.written(), all_cells.map(|cells| cells.written())) };
    let h_n = states::last_rows(geometry, &output, input.h_0);
    let c_n =
        geometry.cell.has_cell_state().then(|| states::store(geometry, running.as_slice(), h));
    (Output { output, h_n, c_n, cells }, activations)
}

/// The initial hidden states as the first step's product sees them, `[B, P]`.
pub(crate) fn initial_hidden<T: Element>(geometry: &Geometry, input: &Input<T>) -> Buffer<T> {
    let mut initial = Buffer::<T>::new(geometry.batch * geometry.width);
    let to = initial.as_mut_slice();
    match (input.h_0, input.hidden_mask) {
        (None, _) => to.fill(T::default()),
        (Some(h_0), None) => to.copy_from_slice(h_0),
        (Some(h_0), Some(mask)) => {
            to.iter_mut().zip(h_0).zip(mask).for_each(|((to, &h), &m)| *to = h * m);
        }
    }
    initial
}
