//! The state that a layer passes from one step to the next.

use std::fmt;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// A recurrent state, which consists of one or more tensors.
///
/// The tensors of a layer are `[L * D, B, ..]` (unbatched `[L * D, ..]`), those of a single cell
/// `[B, ..]`, with the sequences in the caller's order.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{LstmState, State};
///
/// let zeros = Tensor::zeros((1, 2, 4), DType::F32, &Device::Cpu)?;
/// let state = LstmState { h: zeros.clone(), c: zeros };
/// assert_eq!(state.parts().len(), 2);
/// // The state of the second sequence.
/// let second = state.map(|part| part.narrow(1, 1, 1))?;
/// assert_eq!(second.c.dims(), [1, 1, 4]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
pub trait State: Clone + fmt::Debug {
    /// Returns the tensors in a fixed order, the hidden state first.
    fn parts(&self) -> Vec<&Tensor>;

    /// Returns the state of these tensors, in the order of [`parts`](Self::parts).
    fn from_parts(parts: Vec<Tensor>) -> Self;

    /// Applies a function to every tensor.
    ///
    /// # Errors
    ///
    /// The errors of `f`.
    fn map(&self, f: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<Self> {
        let parts = self.parts().into_iter().map(f).collect::<candle_core::Result<_>>()?;
        Ok(Self::from_parts(parts))
    }
}

/// The state of a [`Gru`](crate::Gru) or [`Rnn`](crate::Rnn): the hidden state.
impl State for Tensor {
    fn parts(&self) -> Vec<&Tensor> {
        vec![self]
    }

    fn from_parts(mut parts: Vec<Tensor>) -> Self {
        parts.swap_remove(0)
    }
}

/// The tensors of a state of any kind.
impl State for Vec<Tensor> {
    fn parts(&self) -> Vec<&Tensor> {
        self.iter().collect()
    }

    fn from_parts(parts: Vec<Tensor>) -> Self {
        parts
    }
}

/// The state of an [`Lstm`](crate::Lstm) or [`LstmCell`](crate::LstmCell).
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Lstm, LstmState, Mode, Parameters, RecurrentConfig};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), vb)?;
/// let ones = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu);
/// let state = LstmState { h: ones(&[1, 2, 4])?, c: ones(&[1, 2, 4])? };
/// let (_, state) = lstm.forward(&ones(&[2, 5, 3])?, Some(&state), Mode::Inference)?;
/// assert_eq!(state.c.dims(), [1, 2, 4]);
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LstmState {
    /// The hidden states, `[L * D, B, P]` (of a single cell `[B, P]`); P is H without a projection.
    pub h: Tensor,
    /// The cell states, `[L * D, B, H]` (of a single cell `[B, H]`).
    pub c: Tensor,
}

impl State for LstmState {
    fn parts(&self) -> Vec<&Tensor> {
        vec![&self.h, &self.c]
    }

    fn from_parts(mut parts: Vec<Tensor>) -> Self {
        let (c, h) = (parts.swap_remove(1), parts.swap_remove(0));
        Self { h, c }
    }
}

/// Checks the shape of an argument, and its dtype and device against those of a parameter.
pub(crate) fn check_like(
    name: &'static str,
    tensor: &Tensor,
    dims: &[usize],
    parameter: &Tensor,
) -> Result<()> {
    if tensor.dims() != dims {
        let (expected, got) = (dims.to_vec(), tensor.dims().to_vec());
        return Err(Error::Shape { name, expected, got });
    }
    check_type(name, tensor, parameter)
}

/// Checks the dtype and device of an argument against those of a parameter.
pub(crate) fn check_type(name: &'static str, tensor: &Tensor, parameter: &Tensor) -> Result<()> {
    if tensor.dtype() != parameter.dtype() {
        return Err(Error::DType { name, expected: parameter.dtype(), got: tensor.dtype() });
    }
    if !tensor.device().same_device(parameter.device()) {
        let (expected, got) = (parameter.device().location(), tensor.device().location());
        return Err(Error::Device { name, expected, got });
    }
    Ok(())
}

/// Selects sequences of a tensor `[L * D, B, ..]` of a layer's state, in this order.
pub(crate) fn select(state: &Tensor, sequences: &[usize]) -> candle_core::Result<Tensor> {
    if sequences.iter().copied().eq(0..state.dim(1)?) {
        return Ok(state.clone());
    }
    let index: Vec<i64> = sequences.iter().map(|&index| index as i64).collect();
    let index =
        Tensor::from_vec(index, sequences.len(), &Device::Cpu)?.to_device(state.device())?;
    state.contiguous()?.index_select(&index, 1)
}
