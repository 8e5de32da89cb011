//! The LSTM forward pass over packed rows.
//!
//! For each row, with `h` and `c` the state that the row's sequence brings from its step before:
//!
//! ```text
//! [i f g o] = W_ih x + b_ih + W_hh h + b_hh        gates, each H wide
//! i, f, o = sigmoid(i, f, o)      g = tanh(g)
//! c' = f c + i g                  h' = o tanh(c')
//! ```
//!
//! (Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, in PyTorch's order.)

use crate::error::check_len;
use crate::matmul::{Matrix, matmul_add};
use crate::{Element, PackedShape, Result};

/// The parameters of one layer and direction, row-major, gates in the order i, f, g, o.
#[derive(Debug, Clone, Copy)]
pub struct LstmWeights<'a, T> {
    /// `[4H, I]`.
    pub weight_ih: &'a [T],
    /// `[4H, H]`.
    pub weight_hh: &'a [T],
    /// `[4H]`, or none.
    pub bias_ih: Option<&'a [T]>,
    /// `[4H]`, or none.
    pub bias_hh: Option<&'a [T]>,
}

/// What a layer and direction reads: rows and initial states, in sorted order.
#[derive(Debug, Clone, Copy)]
pub struct LstmInput<'a, T> {
    /// `[N, I]`, packed.
    pub x: &'a [T],
    /// `[B, H]`.
    pub h_0: &'a [T],
    /// `[B, H]`.
    pub c_0: &'a [T],
}

/// What a layer and direction writes; the values before the call are not read.
#[derive(Debug)]
pub struct LstmOutput<'a, T> {
    /// `[N, H]`, packed: the hidden state of every step.
    pub output: &'a mut [T],
    /// `[B, H]`: the hidden state after each sequence's last step.
    pub h_n: &'a mut [T],
    /// `[B, H]`: the cell state after each sequence's last step.
    pub c_n: &'a mut [T],
}

/// What the backward pass needs of the forward pass: 5 H numbers a row.
#[derive(Debug, Clone)]
pub struct LstmTape<T> {
    /// `[N, 4H]`: the gates after their non-linearity.
    pub(crate) gates: Vec<T>,
    /// `[N, H]`: the cell states.
    pub(crate) cells: Vec<T>,
}

impl<T: Element> LstmWeights<'_, T> {
    pub(crate) fn check(&self, shape: &PackedShape) -> Result<()> {
        let (i, h) = (shape.input_size(), shape.hidden_size());
        check_len("weight_ih", "4H x I", self.weight_ih.len(), 4 * h * i)?;
        check_len("weight_hh", "4H x H", self.weight_hh.len(), 4 * h * h)?;
        for (name, bias) in [("bias_ih", self.bias_ih), ("bias_hh", self.bias_hh)] {
            if let Some(bias) = bias {
                check_len(name, "4H", bias.len(), 4 * h)?;
            }
        }
        Ok(())
    }
}

impl<T: Element> LstmInput<'_, T> {
    pub(crate) fn check(&self, shape: &PackedShape) -> Result<()> {
        let state = shape.batch() * shape.hidden_size();
        check_len("x", "N x I", self.x.len(), shape.rows() * shape.input_size())?;
        check_len("h_0", "B x H", self.h_0.len(), state)?;
        check_len("c_0", "B x H", self.c_0.len(), state)
    }
}

impl<T: Element> LstmOutput<'_, T> {
    fn check(&self, shape: &PackedShape) -> Result<()> {
        let state = shape.batch() * shape.hidden_size();
        check_len("output", "N x H", self.output.len(), shape.rows() * shape.hidden_size())?;
        check_len("h_n", "B x H", self.h_n.len(), state)?;
        check_len("c_n", "B x H", self.c_n.len(), state)
    }
}

/// The forward pass without a tape: for inference.
///
/// # Errors
///
/// [`crate::Error::Length`] names the first slice that does not fit `shape`.
pub fn lstm_infer<T: Element>(
    shape: &PackedShape,
    weights: &LstmWeights<T>,
    input: &LstmInput<T>,
    output: LstmOutput<T>,
) -> Result<()> {
    lstm_forward(shape, weights, input, output).map(drop)
}

/// The forward pass, keeping what [`crate::lstm_backward`] needs.
///
/// # Errors
///
/// [`crate::Error::Length`] names the first slice that does not fit `shape`.
pub fn lstm_forward<T: Element>(
    shape: &PackedShape,
    weights: &LstmWeights<T>,
    input: &LstmInput<T>,
    output: LstmOutput<T>,
) -> Result<LstmTape<T>> {
    weights.check(shape)?;
    input.check(shape)?;
    output.check(shape)?;
    let (n, i, h) = (shape.rows(), shape.input_size(), shape.hidden_size());
    let LstmOutput { output, h_n, c_n } = output;

    // The input's part of all gates of all rows is one matrix product.
    let mut gates = vec![T::default(); n * 4 * h];
    for bias in [weights.bias_ih, weights.bias_hh].into_iter().flatten() {
        for row in gates.chunks_exact_mut(4 * h) {
            row.iter_mut().zip(bias).for_each(|(gate, &b)| *gate += b);
        }
    }
    let x = Matrix::new(input.x, n, i);
    matmul_add(&mut gates, x, Matrix::new(weights.weight_ih, 4 * h, i).t());

    // h_n and c_n carry the running states: a sequence that has ended, or has no step, stays.
    let mut cells = vec![T::default(); n * h];
    h_n.copy_from_slice(input.h_0);
    c_n.copy_from_slice(input.c_0);
    let weight_hh = Matrix::new(weights.weight_hh, 4 * h, h).t();
    for step in shape.steps() {
        let end = step.start + step.running;
        let gates = &mut gates[step.start * 4 * h..end * 4 * h];
        let states = ..step.running * h;
        matmul_add(gates, Matrix::new(&h_n[states], step.running, h), weight_hh);
        let rows =
            gates.chunks_exact_mut(4 * h).zip(c_n.chunks_exact_mut(h)).zip(h_n.chunks_exact_mut(h));
        for ((gates, c), hidden) in rows {
            cell(gates, c, hidden);
        }
        output[step.start * h..end * h].copy_from_slice(&h_n[states]);
        cells[step.start * h..end * h].copy_from_slice(&c_n[states]);
    }
    Ok(LstmTape { gates, cells })
}

/// One row of one step: raw gates in, activated gates out; `c` and `hidden` move one step on.
fn cell<T: Element>(gates: &mut [T], c: &mut [T], hidden: &mut [T]) {
    let h = c.len();
    for u in 0..h {
        let (i, f) = (gates[u].sigmoid(), gates[h + u].sigmoid());
        let (g, o) = (gates[2 * h + u].tanh(), gates[3 * h + u].sigmoid());
        c[u] = f * c[u] + i * g;
        hidden[u] = o * c[u].tanh();
        (gates[u], gates[h + u], gates[2 * h + u], gates[3 * h + u]) = (i, f, g, o);
    }
}
