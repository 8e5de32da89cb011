//! The negative log-likelihood of a CRF, as an operation in candle's graph.

use std::marker::PhantomData;

use candle_core::{CpuStorage, DType, Device, Result, Shape, Tensor, WithDType, bail};
use ragged_kernels::{CrfWeights, Element, PackedRows, crf_gradients, crf_losses};
use ragged_sequence::PackedLayout;

use crate::op::multi_op::{MultiOp, apply};
use crate::op::storage::slice;

/// Returns the losses `[B]` in sorted order of emissions `[N, C]`, transitions `[C, C]`, start and end scores `[C]` and
/// packed tags `[N]`.
pub(crate) fn crf_loss(
    layout: &PackedLayout,
    inputs: &[Tensor; 4],
    tags: Vec<u32>,
) -> Result<Tensor> {
    let layout = layout.clone();
    let outputs = match inputs[0].dtype() {
        DType::F32 => apply(CrfOp::<f32> { layout, tags, element: PhantomData }, inputs, true)?,
        #[cfg(feature = "f64")]
        DType::F64 => apply(CrfOp::<f64> { layout, tags, element: PhantomData }, inputs, true)?,
        dtype => return Err(candle_core::Error::UnsupportedDTypeForOp(dtype, "crf")),
    };
    let [losses] = <[Tensor; 1]>::try_from(outputs)
        .map_err(|outputs| candle_core::Error::Msg(format!("crf: {} outputs", outputs.len())))?;
    Ok(losses)
}

struct CrfOp<T> {
    layout: PackedLayout,
    tags: Vec<u32>,
    element: PhantomData<T>,
}

/// Calls `f` with the rows, the weights and the emissions of the inputs.
pub(crate) fn with_slices<T: WithDType, R>(
    layout: &PackedLayout,
    inputs: &[Tensor],
    f: impl FnOnce(&PackedRows, &CrfWeights<T>, &[T]) -> ragged_kernels::Result<R>,
) -> Result<R> {
    let [emissions, transitions, start, end] = inputs else { bail!("crf: expected 4 inputs") };
    let storages = [emissions, transitions, start, end].map(Tensor::storage_and_layout);
    let [emissions, transitions, start, end] = &storages;
    let weights =
        CrfWeights { transitions: slice(transitions)?, start: slice(start)?, end: slice(end)? };
    let emissions = slice(emissions)?;
    let rows = PackedRows::new(layout.batch_size(), layout.batch_sizes());
    let result = rows.and_then(|rows| f(&rows, &weights, emissions));
    result.map_err(candle_core::Error::wrap)
}

impl<T: Element + WithDType> MultiOp for CrfOp<T> {
    fn name(&self) -> &'static str {
        "crf"
    }

    fn forward(&mut self, inputs: &[Tensor], _: bool) -> Result<Vec<(CpuStorage, Shape)>> {
        let losses = with_slices(&self.layout, inputs, |rows, weights, emissions| {
            crf_losses::<T>(rows, weights, emissions, &self.tags)
        })?;
        let shape = losses.len().into();
        Ok(vec![(T::to_cpu_storage_owned(losses), shape)])
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        _: &[Tensor],
        cotangents: &[Option<Tensor>],
        wanted: &[bool],
    ) -> Result<Vec<Option<Tensor>>> {
        let Some(cotangent) = &cotangents[0] else { return Ok(vec![None; inputs.len()]) };
        let cotangent = cotangent.to_vec1::<T>()?;
        let gradients = with_slices(&self.layout, inputs, |rows, weights, emissions| {
            crf_gradients::<T>(rows, weights, emissions, &self.tags, &cotangent)
        })?;
        let values = [gradients.emissions, gradients.transitions, gradients.start, gradients.end];
        let tensors =
            values.into_iter().zip(inputs).zip(wanted).map(|((values, input), wanted)| {
                wanted.then(|| Tensor::from_vec(values, input.dims(), &Device::Cpu)).transpose()
            });
        tensors.collect()
    }
}
