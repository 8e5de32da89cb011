//! The embedding: one row of features per index.

use std::sync::Arc;

use candle_core::{DType, Tensor, Var};
use candle_nn::{Init, VarBuilder};

use crate::embedding::config::EmbeddingSize;
use crate::embedding::sparse_rows::SparseRows;
use crate::error::{Error, Result};
use crate::op::gather::gather;

/// A table with one row of features per index: the counterpart of `torch.nn.Embedding`, with its initial values,
/// N(0, 1).
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ragged_models::{Embedding, EmbeddingSize, Parameters};
///
/// let vb = Parameters::new(1).builder(DType::F32, &Device::Cpu);
/// let size = EmbeddingSize { num_embeddings: 10, embedding_dim: 4 };
/// let embedding = Embedding::new(size, vb)?;
/// let ids = Tensor::new(&[[1u32, 2], [3, 1]], &Device::Cpu)?;
/// assert_eq!(embedding.forward(&ids)?.dims(), [2, 2, 4]);
/// let error = embedding.forward(&Tensor::new(&[10u32], &Device::Cpu)?).unwrap_err();
/// assert_eq!(error.to_string(), "token id 10 at position 0: expected an id below 10");
/// # Ok::<(), ragged_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Embedding {
    /// `[V, E]`.
    weight: Tensor,
}

impl Embedding {
    /// Takes `weight` `[V, E]` from `vb`; a new one is drawn from N(0, 1).
    ///
    /// # Errors
    ///
    /// Errors from candle if `vb` does not have the parameter.
    pub fn new(size: EmbeddingSize, vb: VarBuilder) -> Result<Self> {
        let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
        let dims = (size.num_embeddings, size.embedding_dim);
        Ok(Self { weight: vb.get_with_hints(dims, "weight", normal)? })
    }

    /// Returns the rows of ids `[..]` of dtype `u32`: `[.., E]`.
    ///
    /// # Errors
    ///
    /// [`Error::TokenId`] for an id that is not below V, and errors from candle for another dtype.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let mut dims = ids.dims().to_vec();
        let rows = self.rows(ids.flatten_all()?.to_vec1()?)?;
        dims.push(self.weight.dims()[1]);
        Ok(rows.reshape(dims)?)
    }

    /// Returns the rows of some ids: `[N, E]`.
    pub(crate) fn rows(&self, ids: Vec<u32>) -> Result<Tensor> {
        self.check(&ids)?;
        Ok(gather(&self.weight, Arc::new(ids))?)
    }

    /// Returns the rows of some ids, `[N, E]`, as copies of a variable that has each of them once.
    pub(crate) fn sparse_rows(&self, mut ids: Vec<u32>) -> Result<(Tensor, SparseRows)> {
        self.check(&ids)?;
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for id in &mut ids {
            *id = distinct.partition_point(|distinct| distinct < id) as u32;
        }
        let rows = gather(&self.weight.detach(), Arc::new(distinct.clone()))?;
        let rows = Var::from_tensor(&rows)?;
        let copies = gather(&rows, Arc::new(ids))?;
        Ok((copies, SparseRows { table: self.weight.clone(), ids: distinct, rows }))
    }

    /// Checks that every id has a row.
    fn check(&self, ids: &[u32]) -> Result<()> {
        let count = self.weight.dims()[0];
        match ids.iter().position(|&id| id as usize >= count) {
            Some(position) => Err(Error::TokenId { position, got: ids[position], count }),
            None => Ok(()),
        }
    }

    /// Returns the dtype of the rows.
    pub(crate) fn dtype(&self) -> DType {
        self.weight.dtype()
    }

    /// Returns a table with the same rows, without gradients.
    pub(crate) fn frozen(&self) -> Self {
        Self { weight: self.weight.detach() }
    }

    /// Returns a copy with rows of its own, without gradients.
    pub(crate) fn copy(&self) -> Result<Self> {
        Ok(Self { weight: self.weight.copy()?.detach() })
    }
}
