//! What is the same in all steps of a sequence, as an input of a model.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_nn::{Module, VarBuilder};
use ragged_sequence::PackedLayout;
use serde::{Deserialize, Serialize};

use crate::config::check;
use crate::embedding::config::EmbeddingSize;
use crate::embedding::table::Embedding;
use crate::error::{Error, Result};
use crate::model::linear::Linear;
use crate::op::gather::gather;

/// Where static values join a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StaticJoin {
    /// They are inputs of the head, next to what the readout selects.
    #[default]
    Head,
    /// A linear layer makes the initial states of the recurrent layer of them.
    State,
}

/// The static values that a [`Model`](crate::Model) takes: numbers, and categories with a table each. They are S
/// features, the numbers first.
///
/// ```
/// use ragged_models::{EmbeddingSize, StaticConfig, StaticJoin};
///
/// let region = EmbeddingSize { num_embeddings: 5, embedding_dim: 8 };
/// let config = StaticConfig { num_values: 2, tables: vec![region], join: StaticJoin::Head };
/// assert_eq!(config.features(), 10);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticConfig {
    /// F, the number of numbers.
    pub num_values: usize,
    /// The table of each category.
    pub tables: Vec<EmbeddingSize>,
    /// Where they join the model. Default the head.
    #[serde(default)]
    pub join: StaticJoin,
}

impl StaticConfig {
    /// Returns S, the number of features.
    pub fn features(&self) -> usize {
        let tables = self.tables.iter().map(|table| table.embedding_dim).sum::<usize>();
        self.num_values.saturating_add(tables)
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] names the first value that is not allowed.
    pub fn validate(&self) -> Result<()> {
        for table in &self.tables {
            check("num_embeddings", table.num_embeddings, table.num_embeddings >= 1, "at least 1")?;
            check("embedding_dim", table.embedding_dim, table.embedding_dim >= 1, "at least 1")?;
        }
        check("static features", self.features(), self.features() >= 1, "at least 1")
    }
}

/// The parameters for static values.
#[derive(Debug, Clone)]
pub(crate) struct StaticPart {
    config: StaticConfig,
    tables: Vec<Embedding>,
    /// For each part of the state, its linear layer and its shape for one sequence, `[L D, 1, H]`.
    states: Vec<(Linear, Vec<usize>)>,
}

impl StaticPart {
    /// Takes the parameters from `vb`: `embedding.0.weight` and so on, and `state.0` and so on if they join the states,
    /// of which `state` has the shapes for one sequence.
    pub(crate) fn new(config: &StaticConfig, state: &[Tensor], vb: VarBuilder) -> Result<Self> {
        let tables = config.tables.iter().enumerate();
        let tables = tables.map(|(k, size)| Embedding::new(*size, vb.pp("embedding").pp(k)));
        let joins = config.join == StaticJoin::State;
        let states = state.iter().filter(|_| joins).enumerate().map(|(k, part)| {
            let linear = Linear::new(config.features(), part.elem_count(), vb.pp("state").pp(k))?;
            Ok((linear, part.dims().to_vec()))
        });
        let (tables, states) = (tables.collect::<Result<_>>()?, states.collect::<Result<_>>()?);
        Ok(Self { config: config.clone(), tables, states })
    }

    /// Returns the features `[B, S]`.
    pub(crate) fn embed(&self, numbers: &Tensor, categories: &Tensor) -> Result<Tensor> {
        let expected = (self.config.num_values, self.tables.len());
        let got = (numbers.dims2()?.1, categories.dims2()?.1);
        if got != expected || numbers.dims()[0] != categories.dims()[0] {
            return Err(Error::Statics { expected, got });
        }
        let mut parts = vec![];
        if expected.0 > 0 {
            let dtype = self.tables.first().map_or(numbers.dtype(), Embedding::dtype);
            parts.push(numbers.to_dtype(dtype)?);
        }
        for (k, table) in self.tables.iter().enumerate() {
            let ids = categories.narrow(1, k, 1)?.flatten_all()?.to_dtype(DType::U32)?;
            parts.push(table.rows(ids.to_vec1()?)?);
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    /// Returns the initial states of sequences with the features `[B, S]`, or `None` if they do not join the states.
    pub(crate) fn states(&self, features: &Tensor) -> Result<Option<Vec<Tensor>>> {
        let batch = features.dim(0)?;
        let states = self.states.iter().map(|(linear, dims)| {
            let rows = linear.forward(features)?.reshape((batch, dims[0], dims[2]))?;
            Ok(rows.transpose(0, 1)?.contiguous()?)
        });
        let states = states.collect::<Result<Vec<_>>>()?;
        Ok((!states.is_empty()).then_some(states))
    }

    /// Returns the rows for the head: `read` `[B, ..]`, or `[N, ..]` in the order of `steps`, with the features of each
    /// sequence if they join the head.
    pub(crate) fn join(
        &self,
        read: &Tensor,
        features: &Tensor,
        steps: Option<&PackedLayout>,
    ) -> Result<Tensor> {
        if self.config.join != StaticJoin::Head {
            return Ok(read.clone());
        }
        let features = match steps {
            Some(layout) => {
                let rows = layout.positions().map(|(b, _)| b as u32).collect();
                gather(features, Arc::new(rows))?
            }
            None => features.clone(),
        };
        Ok(Tensor::cat(&[read, &features.to_dtype(read.dtype())?], 1)?)
    }

    /// Returns a copy with parameters of its own, without gradients.
    pub(crate) fn copy(&self) -> Result<Self> {
        let tables = self.tables.iter().map(Embedding::copy).collect::<Result<_>>()?;
        let states = self.states.iter().map(|(linear, dims)| Ok((linear.copy()?, dims.clone())));
        Ok(Self { config: self.config.clone(), tables, states: states.collect::<Result<_>>()? })
    }
}
