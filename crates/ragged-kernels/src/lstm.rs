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
use crate::forward::{Activations, forward};
use crate::layout::Geometry;
use crate::{Element, PackedShape, Result, SimdLevel};

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

/// What the backward pass needs of the forward pass: the gates and cells, 5 H numbers a row with H
/// rounded up to a whole number of vectors. The memory is used again when it is dropped.
#[derive(Debug, Clone)]
pub struct LstmTape<T: Element> {
    pub(crate) activations: Activations<T>,
    /// The level that laid the buffers out.
    pub(crate) level: SimdLevel,
    pub(crate) rows: usize,
    pub(crate) hidden: usize,
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
    check(shape, weights, input, &output)?;
    forward(&Geometry::new::<T>(shape), weights, input, output, false);
    Ok(())
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
    check(shape, weights, input, &output)?;
    let geometry = Geometry::new::<T>(shape);
    let activations = forward(&geometry, weights, input, output, true);
    Ok(LstmTape {
        activations,
        level: shape.simd(),
        rows: shape.rows(),
        hidden: shape.hidden_size(),
    })
}

fn check<T: Element>(
    shape: &PackedShape,
    weights: &LstmWeights<T>,
    input: &LstmInput<T>,
    output: &LstmOutput<T>,
) -> Result<()> {
    weights.check(shape)?;
    input.check(shape)?;
    output.check(shape)
}
