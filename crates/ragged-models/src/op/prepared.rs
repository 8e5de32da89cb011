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

    /// Keeps these fractions of the hidden and the cell states in each step; other cells than an LSTM have no cell
    /// states.
    pub(crate) fn with_zoneout(self, hidden: f64, cell: f64) -> Result<Self> {
        if self.0.is::<PreparedWeights<f32>>() {
            return keep(&*self.weights::<f32>()?, hidden, cell);
        }
        #[cfg(feature = "f64")]
        if self.0.is::<PreparedWeights<f64>>() {
            return keep(&*self.weights::<f64>()?, hidden, cell);
        }
        bail!("recurrent layer: expected {ELEMENTS}")
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

fn keep<T: Element + WithDType>(
    weights: &PreparedWeights<T>,
    hidden: f64,
    cell: f64,
) -> Result<PreparedCell> {
    let cell = weights.cell().has_cell_state().then(|| <T as WithDType>::from_f64(cell));
    let weights = weights.clone().with_zoneout(<T as WithDType>::from_f64(hidden), cell);
    Ok(PreparedCell(Arc::new(weights.map_err(candle_core::Error::wrap)?)))
}

fn prepare<T: Element + WithDType>(
    kind: CellKind,
    parameters: &CellParameters,
) -> Result<PreparedWeights<T>> {
    let CellParameters { weight_ih, weight_hh, biases, weight_hr, peepholes, .. } = parameters;
    let biases = biases.as_ref();
    let (bias_ih, bias_hh) = (biases.map(|(ih, _)| ih), biases.map(|(_, hh)| hh));
    let [ci, cf, co] = [0, 1, 2].map(|gate| peepholes.as_ref().map(|weights| &weights[gate]));
    let weight_hr = weight_hr.as_ref();
    let tensors = [Some(weight_ih), Some(weight_hh), bias_ih, bias_hh, weight_hr, ci, cf, co];
    let tensors = tensors.into_iter().chain(parameters.layer_norm());
    let contiguous = |tensor: Option<&Tensor>| tensor.map(Tensor::contiguous).transpose();
    let tensors = tensors.map(contiguous).collect::<Result<Vec<_>>>()?;
    let storages: Vec<_> =
        tensors.iter().map(|tensor| tensor.as_ref().map(Tensor::storage_and_layout)).collect();
    let slices = storages.iter().map(|storage| storage.as_ref().map(slice::<T>).transpose());
    let slices = slices.collect::<Result<Vec<_>>>()?;
    let &[Some(ih), Some(hh), bias_ih, bias_hh, weight_hr, ci, cf, co, ref norm @ ..] =
        slices.as_slice()
    else {
        bail!("recurrent layer: expected weights");
    };
    let mut weights = Weights::new(ih, hh);
    (weights.bias_ih, weights.bias_hh, weights.weight_hr) = (bias_ih, bias_hh, weight_hr);
    (weights.weight_ci, weights.weight_cf, weights.weight_co) = (ci, cf, co);
    if let &[ih, hh, c, c_bias] = norm {
        (weights.ln_ih_weight, weights.ln_hh_weight) = (ih, hh);
        (weights.ln_c_weight, weights.ln_c_bias) = (c, c_bias);
    }
    let (i, h, p) = (weight_ih.dim(1)?, weight_hh.dim(0)? / kind.gates(), weight_hh.dim(1)?);
    PackedShape::new(0, &[], i, h, Direction::Forward)
        .and_then(|shape| if p == h { Ok(shape) } else { shape.with_projection(p) })
        .and_then(|shape| PreparedWeights::new(kind, &shape, &weights))
        .map_err(candle_core::Error::wrap)
}
