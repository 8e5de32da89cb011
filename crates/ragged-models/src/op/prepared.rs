//! The weights of a cell, packed once for the kernels.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Result, Tensor, WithDType, bail};
use ragged_kernels::{CellKind, Direction, Element, PackedShape, PreparedWeights, Weights};

use crate::op::parameters::CellParameters;
use crate::op::storage::{ELEMENTS, slice};

/// The weights of a [`Cell`](crate::Cell) as they were when this was made, in the order in which the kernels read
/// them.
///
/// A layer packs its weights at each call, since a training step changes them in between. A
/// [`Stream`](crate::Stream) and a [`PreparedModel`](crate::PreparedModel) hold packed copies instead.
#[derive(Clone)]
pub struct PreparedCell(Arc<dyn Any + Send + Sync>);

impl PreparedCell {
    /// Packs the parameters of a cell.
    pub(crate) fn new(kind: CellKind, parameters: &CellParameters) -> Result<Self> {
        Ok(match parameters.weight_ih.dtype() {
            DType::F32 => Self(Arc::new(prepare::<f32>(kind, parameters)?)),
            #[cfg(feature = "f64")]
            DType::F64 => Self(Arc::new(prepare::<f64>(kind, parameters)?)),
            dtype => bail!("recurrent layer: expected {ELEMENTS}, got {}", dtype.as_str()),
        })
    }

    /// Returns the weights as elements of this type.
    pub(crate) fn weights<T: Element>(&self) -> Result<Arc<PreparedWeights<T>>> {
        match self.0.clone().downcast() {
            Ok(weights) => Ok(weights),
            Err(_) => {
                bail!("recurrent layer: expected an input of the type of the prepared weights")
            }
        }
    }
}

impl fmt::Debug for PreparedCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedCell").finish_non_exhaustive()
    }
}

fn prepare<T: Element + WithDType>(
    kind: CellKind,
    parameters: &CellParameters,
) -> Result<PreparedWeights<T>> {
    let CellParameters { weight_ih, weight_hh, biases, weight_hr } = parameters;
    let biases = biases.as_ref();
    let (bias_ih, bias_hh) = (biases.map(|(ih, _)| ih), biases.map(|(_, hh)| hh));
    let tensors = [Some(weight_ih), Some(weight_hh), bias_ih, bias_hh, weight_hr.as_ref()];
    let contiguous = |tensor: Option<&Tensor>| tensor.map(Tensor::contiguous).transpose();
    let tensors = tensors.into_iter().map(contiguous).collect::<Result<Vec<_>>>()?;
    let storages: Vec<_> =
        tensors.iter().map(|tensor| tensor.as_ref().map(Tensor::storage_and_layout)).collect();
    let slices = storages.iter().map(|storage| storage.as_ref().map(slice::<T>).transpose());
    let slices = slices.collect::<Result<Vec<_>>>()?;
    let &[Some(ih), Some(hh), bias_ih, bias_hh, weight_hr] = slices.as_slice() else {
        bail!("recurrent layer: expected weights");
    };
    let mut weights = Weights::new(ih, hh);
    (weights.bias_ih, weights.bias_hh, weights.weight_hr) = (bias_ih, bias_hh, weight_hr);
    let (i, h, p) = (weight_ih.dim(1)?, weight_hh.dim(0)? / kind.gates(), weight_hh.dim(1)?);
    PackedShape::new(0, &[], i, h, Direction::Forward)
        .and_then(|shape| if p == h { Ok(shape) } else { shape.with_projection(p) })
        .and_then(|shape| PreparedWeights::new(kind, &shape, &weights))
        .map_err(candle_core::Error::wrap)
}
