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

use crate::backward::{input_gradient, through_time};
use crate::error::check_len;
use crate::layout::Geometry;
use crate::weight_gradient::weight_gradient;
use crate::{Element, LstmInput, LstmTape, LstmWeights, PackedShape, Result};

/// The derivatives of the loss by what the forward pass wrote; `None` where they are zero, which
/// costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct LstmCotangents<'a, T> {
    /// By the output, `[N, H]`.
    pub output: Option<&'a [T]>,
    /// By the final hidden states, `[B, H]`.
    pub h_n: Option<&'a [T]>,
    /// By the final cell states, `[B, H]`.
    pub c_n: Option<&'a [T]>,
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
    /// `[B, H]`; `None` where nobody asks for it.
    pub h_0: Option<&'a mut [T]>,
    /// `[B, H]`; `None` where nobody asks for it.
    pub c_0: Option<&'a mut [T]>,
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
    let geometry = Geometry::new::<T>(&shape.with_simd(tape.level));
    let LstmGradients { x, weight_ih, weight_hh, bias, h_0, c_0 } = gradients;
    let da =
        &through_time(&geometry, weights.weight_hh, input, &tape.activations, cotangents, h_0, c_0);
    weight_gradient(&geometry, input, output, da, weight_ih, weight_hh, bias);
    if let Some(x) = x {
        input_gradient(&geometry, weights.weight_ih, da, x);
    }
    Ok(())
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
    check_len("the tape", "N x H", tape.rows * tape.hidden, n * h)?;
    check_len("the tape's rows", "N", tape.rows, n)?;
    let given = [
        ("the cotangent of output", "N x H", cotangents.output, n * h),
        ("the cotangent of h_n", "B x H", cotangents.h_n, b * h),
        ("the cotangent of c_n", "B x H", cotangents.c_n, b * h),
        ("the gradient of x", "N x I", gradients.x.as_deref(), n * i),
        ("the gradient of h_0", "B x H", gradients.h_0.as_deref(), b * h),
        ("the gradient of c_0", "B x H", gradients.c_0.as_deref(), b * h),
    ];
    for (name, shape, slice, expected) in given {
        if let Some(slice) = slice {
            check_len(name, shape, slice.len(), expected)?;
        }
    }
    check_len("the gradient of weight_ih", "4H x I", gradients.weight_ih.len(), 4 * h * i)?;
    check_len("the gradient of weight_hh", "4H x H", gradients.weight_hh.len(), 4 * h * h)?;
    check_len("the gradient of the biases", "4H", gradients.bias.len(), 4 * h)
}
