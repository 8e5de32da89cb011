//! Values of all ranks.

use bytemuck::Pod;
use candle_core::{DType, Tensor, WithDType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::distributed::communicator::Communicator;
use crate::distributed::error::RankError;
use crate::error::Result;

/// A value or an error on its way to the other ranks.
#[derive(Serialize, Deserialize)]
enum Message<T> {
    Value(T),
    Error(String),
}

/// Returns the value of each rank, or on all ranks the error of the lowest one that has an error.
///
/// ```
/// use ragged_train::distributed::{SingleProcess, gather};
///
/// assert_eq!(gather(&SingleProcess, Ok(vec![1, 2]))?, [vec![1, 2]]);
/// # Ok::<(), ragged_train::Error>(())
/// ```
///
/// # Errors
///
/// The error of this process if it is alone, and otherwise [`RankError::OnRank`].
pub fn gather<T: Serialize + DeserializeOwned>(
    ranks: &dyn Communicator,
    value: Result<T>,
) -> Result<Vec<T>> {
    if ranks.size() == 1 {
        return Ok(vec![value?]);
    }
    let message = match value {
        Ok(value) => Message::Value(value),
        Err(error) => Message::Error(error.to_string()),
    };
    let unreadable = |rank| {
        move |error: serde_json::Error| RankError::OnRank { rank, message: error.to_string() }
    };
    let sent = serde_json::to_vec(&message).map_err(unreadable(ranks.rank()))?;
    let each = ranks.all_gather(&sent)?.into_iter().enumerate().map(|(rank, bytes)| {
        match serde_json::from_slice(&bytes).map_err(unreadable(rank))? {
            Message::Value(value) => Ok(value),
            Message::Error(message) => Err(RankError::OnRank { rank, message }.into()),
        }
    });
    each.collect()
}

/// Joins tensors `[.., B, ..]` along the second dimension, whose size differs between ranks: those of rank 0 first. A rank
/// without rows has no tensors.
pub(crate) fn gather_rows(ranks: &dyn Communicator, own: Vec<Tensor>) -> Result<Vec<Tensor>> {
    if ranks.size() == 1 {
        return Ok(own);
    }
    let shapes: Vec<Vec<usize>> = own.iter().map(|tensor| tensor.dims().to_vec()).collect();
    let shapes = gather(ranks, Ok(shapes))?;
    let single = own.first().is_none_or(|tensor| tensor.dtype() == DType::F32);
    let single = gather(ranks, Ok(single))?.into_iter().all(|single| single);
    match single {
        true => join_rows::<f32>(ranks, &own, &shapes),
        false => join_rows::<f64>(ranks, &own, &shapes),
    }
}

fn join_rows<T: WithDType + Pod>(
    ranks: &dyn Communicator,
    own: &[Tensor],
    shapes: &[Vec<Vec<usize>>],
) -> Result<Vec<Tensor>> {
    let mut sent: Vec<T> = vec![];
    for tensor in own {
        sent.extend(tensor.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1::<T>()?);
    }
    let received = ranks.all_gather(bytemuck::cast_slice(&sent))?;
    let device = own.first().map_or(candle_core::Device::Cpu, |tensor| tensor.device().clone());
    let mut each: Vec<Vec<Tensor>> = vec![];
    for (bytes, shapes) in received.iter().zip(shapes).filter(|(_, shapes)| !shapes.is_empty()) {
        let elements = bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned);
        let elements: Vec<T> = elements.collect();
        let mut rest = elements.as_slice();
        let mut tensors = vec![];
        for shape in shapes {
            let (values, others) = rest.split_at(shape.iter().product());
            tensors.push(Tensor::from_slice(values, shape.as_slice(), &device)?);
            rest = others;
        }
        each.push(tensors);
    }
    let parts = each.first().map_or(0, Vec::len);
    let joined = (0..parts).map(|k| {
        let parts: Vec<&Tensor> = each.iter().map(|tensors| &tensors[k]).collect();
        Ok(Tensor::cat(&parts, 1)?)
    });
    joined.collect()
}
