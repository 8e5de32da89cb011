//! The sum of the gradients of all shards, on all ranks.

use std::ops::AddAssign;

use bytemuck::Pod;
use candle_core::{DType, Storage, Tensor, Var, WithDType};
use serde::{Deserialize, Serialize};

use crate::distributed::all_reduce::all_reduce;
use crate::distributed::communicator::Communicator;
use crate::distributed::tree::tree_sum;
use crate::error::Result;
use crate::optim::gradient::Gradient;
use crate::optim::gradients::NamedGradients;

/// Whether a parameter has a gradient, and of what kind. The gradients of one parameter are all of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) enum GradientKind {
    #[default]
    None,
    Dense,
    Rows,
}

impl GradientKind {
    pub(crate) fn of(gradient: Option<&Gradient>) -> Self {
        match gradient {
            None => Self::None,
            Some(Gradient::Dense(_)) => Self::Dense,
            Some(Gradient::Rows { .. }) => Self::Rows,
        }
    }
}

/// Adds the gradients of the shards of all ranks along a binary tree. `kinds` says which parameters have a gradient in
/// any of the shards, and is empty if none has.
pub(crate) fn gradient_sum(
    ranks: &dyn Communicator,
    shards: Vec<Option<NamedGradients>>,
    parameters: &[(String, Var)],
    kinds: &[GradientKind],
) -> Result<Option<NamedGradients>> {
    let own = tree_sum(shards, |mut sum, other| {
        sum.add(other)?;
        Ok(sum)
    })?;
    if ranks.size() == 1 || kinds.is_empty() {
        return Ok(own);
    }
    let of = |name: &str| own.as_ref().and_then(|own| own.get(name));
    let dense = parameters.iter().zip(kinds).filter(|(_, kind)| **kind == GradientKind::Dense);
    let dense = dense.map(|((name, var), _)| (var, of(name)));
    let is_single = |(var, _): &(&Var, Option<&Gradient>)| var.dtype() == DType::F32;
    let singles: Vec<f32> = sum_dense(ranks, dense.clone().filter(is_single).collect())?;
    let doubles: Vec<f64> = sum_dense(ranks, dense.filter(|one| !is_single(one)).collect())?;
    let (mut singles, mut doubles) = (singles.as_slice(), doubles.as_slice());
    let mut named = vec![];
    for ((name, var), kind) in parameters.iter().zip(kinds) {
        let gradient = match kind {
            GradientKind::None => None,
            GradientKind::Dense => Some(Gradient::Dense(match var.dtype() {
                DType::F32 => take(&mut singles, var)?,
                dtype => take(&mut doubles, var)?.to_dtype(dtype)?,
            })),
            GradientKind::Rows => Some(sum_rows(ranks, of(name), var)?),
        };
        named.push((name.clone(), gradient));
    }
    Ok(Some(NamedGradients::of(named)))
}

/// Adds the gradients of whole parameters, one after the other in one vector.
fn sum_dense<T: WithDType + Pod + AddAssign>(
    ranks: &dyn Communicator,
    own: Vec<(&Var, Option<&Gradient>)>,
) -> Result<Vec<T>> {
    let count = own.iter().map(|(var, _)| var.elem_count()).sum();
    let mut all: Vec<T> = Vec::with_capacity(count);
    for (var, gradient) in own {
        let Some(gradient) = gradient else {
            // Minus zero changes no bit of any number to which it is added.
            all.resize(all.len() + var.elem_count(), T::from_f64(-0.0));
            continue;
        };
        let gradient = gradient.elements().to_dtype(T::DTYPE)?.contiguous()?;
        let (storage, layout) = gradient.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(elements), Some((start, end))) => {
                all.extend_from_slice(&T::cpu_storage_as_slice(elements)?[start..end]);
            }
            _ => all.extend(gradient.flatten_all()?.to_vec1::<T>()?),
        }
    }
    all_reduce(ranks, &mut all)?;
    Ok(all)
}

/// Returns the next elements in the shape of a parameter.
fn take<T: WithDType>(rest: &mut &[T], like: &Var) -> Result<Tensor> {
    let (own, others) = rest.split_at(like.elem_count());
    *rest = others;
    Ok(Tensor::from_slice(own, like.shape(), like.device())?)
}

/// Adds gradients of rows, whose number differs between ranks.
fn sum_rows(ranks: &dyn Communicator, own: Option<&Gradient>, table: &Var) -> Result<Gradient> {
    let features = table.dim(1)?;
    let mut sum = match own {
        Some(own) => own.clone(),
        None => Gradient::Rows {
            ids: vec![],
            rows: Tensor::zeros((0, features), table.dtype(), table.device())?,
        },
    };
    let mut distance = 1;
    while let (true, Gradient::Rows { ids, rows }) = (distance < ranks.size(), &sum) {
        let with = ranks.rank() ^ distance;
        let (sent, mut count) = ([ids.len() as u64], [0u64]);
        ranks.exchange(with, bytemuck::bytes_of(&sent), bytemuck::bytes_of_mut(&mut count))?;
        let mut others = vec![0u32; count[0] as usize];
        ranks.exchange(with, bytemuck::cast_slice(ids), bytemuck::cast_slice_mut(&mut others))?;
        let shape = (others.len(), features);
        let rows = match table.dtype() {
            DType::F32 => exchange_rows::<f32>(ranks, with, rows, shape)?,
            _ => exchange_rows::<f64>(ranks, with, rows, shape)?,
        };
        sum = sum.sum_with(Gradient::Rows { ids: others, rows })?;
        distance *= 2;
    }
    Ok(sum)
}

/// Sends rows to another rank and returns those that it sends, of the same dtype.
fn exchange_rows<T: WithDType + Pod>(
    ranks: &dyn Communicator,
    with: usize,
    rows: &Tensor,
    received: (usize, usize),
) -> Result<Tensor> {
    let sent = rows.flatten_all()?.to_dtype(T::DTYPE)?.to_vec1::<T>()?;
    let mut others = vec![T::zeroed(); received.0 * received.1];
    let others_bytes = bytemuck::cast_slice_mut(&mut others);
    ranks.exchange(with, bytemuck::cast_slice(&sent), others_bytes)?;
    Ok(Tensor::from_vec(others, received, rows.device())?.to_dtype(rows.dtype())?)
}
