//! The parameters of a trained model, by name.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use crate::error::{Error, Result};

/// The parameters, named as in a checkpoint.
pub(super) struct Weights<'a>(pub(super) &'a BTreeMap<String, Tensor>);

impl Weights<'_> {
    /// Returns the elements of a parameter, row-major, whose shape is checked.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.0.get(name) {
            Some(tensor) if tensor.dims() == shape => {
                Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
            }
            other => Err(Error::misfit(name.into(), shape, other)),
        }
    }

    /// Returns the number of bytes of all parameters.
    pub(super) fn bytes(&self) -> usize {
        self.0.values().map(|tensor| tensor.elem_count() * size_of::<f32>()).sum()
    }
}
