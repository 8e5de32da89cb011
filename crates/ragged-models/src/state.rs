//! What a layer carries from one step to the next.

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// A recurrent state: one tensor, or several that belong together.
///
/// A layer's are `[L * D, B, ..]` (unbatched `[L * D, ..]`) in the caller's batch order, a single
/// cell's `[B, ..]`.
pub trait State: Clone {
    /// The tensors, in a fixed order.
    fn parts(&self) -> Vec<&Tensor>;

    /// The state of these tensors, in the order of [`parts`](Self::parts).
    fn from_parts(parts: Vec<Tensor>) -> Self;

    /// The same change to every tensor.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    fn map(&self, f: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<Self> {
        let parts = self.parts().into_iter().map(f).collect::<candle_core::Result<_>>()?;
        Ok(Self::from_parts(parts))
    }
}

/// The state of a [`Gru`](crate::Gru) or [`Rnn`](crate::Rnn): the hidden state alone.
impl State for Tensor {
    fn parts(&self) -> Vec<&Tensor> {
        vec![self]
    }

    fn from_parts(mut parts: Vec<Tensor>) -> Self {
        parts.swap_remove(0)
    }
}

/// A state whose kind is not known, part by part.
impl State for Vec<Tensor> {
    fn parts(&self) -> Vec<&Tensor> {
        self.iter().collect()
    }

    fn from_parts(parts: Vec<Tensor>) -> Self {
        parts
    }
}

/// The state of an [`Lstm`](crate::Lstm).
#[derive(Debug, Clone)]
pub struct LstmState {
    /// The hidden states, `[L * D, B, H]`, or P in the place of H with a projection.
    pub h: Tensor,
    /// The cell states, `[L * D, B, H]`.
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

/// Checks an argument's shape, and its dtype and device against the parameters'.
pub(crate) fn check_like(
    name: &'static str,
    tensor: &Tensor,
    dims: &[usize],
    parameter: &Tensor,
) -> Result<()> {
    if tensor.dims() != dims {
        let (expected, got) = (format!("shape {dims:?}"), format!("shape {:?}", tensor.dims()));
        return Err(Error::Input { name, expected, got });
    }
    check_kind(name, tensor, parameter)
}

/// Checks an argument's dtype and device against the parameters'.
pub(crate) fn check_kind(name: &'static str, tensor: &Tensor, parameter: &Tensor) -> Result<()> {
    if tensor.dtype() != parameter.dtype() {
        let dtype = |t: &Tensor| format!("dtype {}", t.dtype().as_str());
        return Err(Error::Input { name, expected: dtype(parameter), got: dtype(tensor) });
    }
    if !tensor.device().same_device(parameter.device()) {
        let device = |t: &Tensor| format!("device {:?}", t.device().location());
        return Err(Error::Input { name, expected: device(parameter), got: device(tensor) });
    }
    Ok(())
}

/// The sequences of a layer's state `[L * D, B, ..]` at these places, in this order.
pub(crate) fn select(state: &Tensor, places: &[usize]) -> candle_core::Result<Tensor> {
    let whole = places.len() == state.dim(1)?;
    if whole && places.iter().enumerate().all(|(place, &index)| place == index) {
        return Ok(state.clone());
    }
    let index: Vec<i64> = places.iter().map(|&index| index as i64).collect();
    let index = Tensor::from_vec(index, places.len(), &Device::Cpu)?.to_device(state.device())?;
    state.contiguous()?.index_select(&index, 1)
}
