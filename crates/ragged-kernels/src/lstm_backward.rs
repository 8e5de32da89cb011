//! The LSTM backward pass through time over packed rows.
//!
//! With `d` for the derivative of the loss, `c` and `h` the state before the step, primes after it,
//! and each row's `dh'` the sum of what its output and its next step ask for:
//!
//! ```text
//! do = dh' tanh(c')                       dc' += dh' o (1 - tanh(c')^2)
//! di = dc' g      df = dc' c      dg = dc' i      dc = dc' f
//! da = [di i(1-i), df f(1-f), dg (1-g^2), do o(1-o)]            before the non-linearity
//! dh = W_hh^T da      dx = W_ih^T da      dW_ih += da x^T      dW_hh += da h^T      db += da
//! ```

use crate::error::check_len;
use crate::matmul::{Matrix, matmul_add};
use crate::{Element, LstmInput, LstmTape, LstmWeights, PackedShape, Result};

/// The derivatives of the loss by what the forward pass wrote.
#[derive(Debug, Clone, Copy)]
pub struct LstmCotangents<'a, T> {
    /// By the output, `[N, H]`.
    pub output: &'a [T],
    /// By the final hidden states, `[B, H]`.
    pub h_n: &'a [T],
    /// By the final cell states, `[B, H]`.
    pub c_n: &'a [T],
}

/// Where the gradients go; the values before the call are not read.
#[derive(Debug)]
pub struct LstmGradients<'a, T> {
    /// `[N, I]`; `None` where nobody asks for it.
    pub x: Option<&'a mut [T]>,
    /// `[4H, I]`.
    pub weight_ih: &'a mut [T],
    /// `[4H, H]`.
    pub weight_hh: &'a mut [T],
    /// `[4H]`: the gradient of `bias_ih` and of `bias_hh`, which always agree.
    pub bias: &'a mut [T],
    /// `[B, H]`.
    pub h_0: &'a mut [T],
    /// `[B, H]`.
    pub c_0: &'a mut [T],
}

/// Backpropagation through time: the gradients of everything that [`crate::lstm_forward`] read.
///
/// `output` is what the forward pass wrote, `[N, H]`. The tape is only read: the pass can be run
/// again.
///
/// # Errors
///
/// [`crate::Error::Length`] names the first slice that does not fit `shape`.
pub fn lstm_backward<T: Element>(
    shape: &PackedShape,
    weights: &LstmWeights<T>,
    input: &LstmInput<T>,
    output: &[T],
    tape: &LstmTape<T>,
    cotangents: &LstmCotangents<T>,
    gradients: LstmGradients<T>,
) -> Result<()> {
    weights.check(shape)?;
    input.check(shape)?;
    check(shape, output, tape, cotangents, &gradients)?;
    let (n, i, h) = (shape.rows(), shape.input_size(), shape.hidden_size());
    let LstmGradients { x: dx, weight_ih, weight_hh, bias, h_0: dh, c_0: dc } = gradients;
    weight_hh.fill(T::default());

    // dh and dc carry the derivative by the running state, from each sequence's last step back.
    dh.copy_from_slice(cotangents.h_n);
    dc.copy_from_slice(cotangents.c_n);
    let mut d_gates = vec![T::default(); n * 4 * h];
    let steps = shape.steps();
    for (k, step) in steps.iter().enumerate().rev() {
        let rows = step.start..step.start + step.running;
        let before = Before::new(k.checked_sub(1).map(|k| steps[k]), step.running);
        for (b, row) in rows.clone().enumerate() {
            let state = b * h..(b + 1) * h;
            cell_backward(
                &mut d_gates[row * 4 * h..(row + 1) * 4 * h],
                &tape.gates[row * 4 * h..(row + 1) * 4 * h],
                &tape.cells[row * h..(row + 1) * h],
                before.row(b, h, &tape.cells, input.c_0),
                &cotangents.output[row * h..(row + 1) * h],
                &dh[state.clone()],
                &mut dc[state],
            );
        }
        let d_gates = &d_gates[rows.start * 4 * h..rows.end * 4 * h];
        let dh = &mut dh[..step.running * h];
        dh.fill(T::default());
        let da = Matrix::new(d_gates, step.running, 4 * h);
        matmul_add(dh, da, Matrix::new(weights.weight_hh, 4 * h, h));
        // h of the step before: the output's rows where the sequence has begun, h_0 elsewhere.
        let split = before.running * 4 * h;
        let outputs = &output[before.start * h..(before.start + before.running) * h];
        let begun = Matrix::new(&d_gates[..split], before.running, 4 * h);
        matmul_add(weight_hh, begun.t(), Matrix::new(outputs, before.running, h));
        let fresh = step.running - before.running;
        let h_0 = &input.h_0[before.running * h..step.running * h];
        let beginning = Matrix::new(&d_gates[split..], fresh, 4 * h);
        matmul_add(weight_hh, beginning.t(), Matrix::new(h_0, fresh, h));
    }

    let da = Matrix::new(&d_gates, n, 4 * h);
    weight_ih.fill(T::default());
    matmul_add(weight_ih, da.t(), Matrix::new(input.x, n, i));
    if let Some(dx) = dx {
        dx.fill(T::default());
        matmul_add(dx, da, Matrix::new(weights.weight_ih, 4 * h, i));
    }
    bias.fill(T::default());
    for row in d_gates.chunks_exact(4 * h) {
        bias.iter_mut().zip(row).for_each(|(sum, &d)| *sum += d);
    }
    Ok(())
}

/// Where the state before a step lies: in the packed rows of the step taken before it, and in the
/// initial state for the sequences that begin with this step.
struct Before {
    start: usize,
    running: usize,
}

impl Before {
    fn new(previous: Option<crate::shape::Step>, running: usize) -> Self {
        let (start, previous) = previous.map_or((0, 0), |step| (step.start, step.running));
        Self { start, running: previous.min(running) }
    }

    fn row<'a, T>(&self, b: usize, h: usize, packed: &'a [T], initial: &'a [T]) -> &'a [T] {
        let (from, row) = if b < self.running { (packed, self.start + b) } else { (initial, b) };
        &from[row * h..(row + 1) * h]
    }
}

/// One row of one step: writes `da`, and moves `dc` one step back.
fn cell_backward<T: Element>(
    da: &mut [T],
    gates: &[T],
    c_after: &[T],
    c_before: &[T],
    d_output: &[T],
    dh: &[T],
    dc: &mut [T],
) {
    let h = dc.len();
    let one = T::ONE;
    for u in 0..h {
        let (i, f, g, o) = (gates[u], gates[h + u], gates[2 * h + u], gates[3 * h + u]);
        let tanh_c = c_after[u].tanh();
        let dh = dh[u] + d_output[u];
        let d = dc[u] + dh * o * (one - tanh_c * tanh_c);
        da[u] = d * g * i * (one - i);
        da[h + u] = d * c_before[u] * f * (one - f);
        da[2 * h + u] = d * i * (one - g * g);
        da[3 * h + u] = dh * tanh_c * o * (one - o);
        dc[u] = d * f;
    }
}

fn check<T: Element>(
    shape: &PackedShape,
    output: &[T],
    tape: &LstmTape<T>,
    cotangents: &LstmCotangents<T>,
    gradients: &LstmGradients<T>,
) -> Result<()> {
    let (n, b, i, h) = (shape.rows(), shape.batch(), shape.input_size(), shape.hidden_size());
    check_len("output", "N x H", output.len(), n * h)?;
    check_len("the tape's gates", "N x 4H", tape.gates.len(), n * 4 * h)?;
    check_len("the tape's cells", "N x H", tape.cells.len(), n * h)?;
    check_len("the cotangent of output", "N x H", cotangents.output.len(), n * h)?;
    check_len("the cotangent of h_n", "B x H", cotangents.h_n.len(), b * h)?;
    check_len("the cotangent of c_n", "B x H", cotangents.c_n.len(), b * h)?;
    if let Some(x) = &gradients.x {
        check_len("the gradient of x", "N x I", x.len(), n * i)?;
    }
    check_len("the gradient of weight_ih", "4H x I", gradients.weight_ih.len(), 4 * h * i)?;
    check_len("the gradient of weight_hh", "4H x H", gradients.weight_hh.len(), 4 * h * h)?;
    check_len("the gradient of the biases", "4H", gradients.bias.len(), 4 * h)?;
    check_len("the gradient of h_0", "B x H", gradients.h_0.len(), b * h)?;
    check_len("the gradient of c_0", "B x H", gradients.c_0.len(), b * h)
}
