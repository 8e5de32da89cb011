//! The stage of a model that makes the rows of its recurrent layer from tokens.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use ragged_sequence::{PackedSequence, PackedTokens};
use rand::{Rng, RngCore};

use crate::embedding::config::TokenConfig;
use crate::embedding::inner::InnerLayer;
use crate::embedding::sparse_rows::SparseRows;
use crate::embedding::table::Embedding;
use crate::error::{Error, Result};
use crate::layer::dropout::dropout;
use crate::mode::Mode;
use crate::recompute::Recompute;

/// Embeddings of all columns of indices, and the inner layer.
#[derive(Debug, Clone)]
pub(crate) struct TokenRows {
    config: TokenConfig,
    tables: Vec<Embedding>,
    inner: Option<InnerLayer>,
}

impl TokenRows {
    /// Takes the parameters from `vb`: `embedding.weight`, or `embedding.0.weight` and so on for several columns, and
    /// `inner.*`.
    pub(crate) fn new(config: &TokenConfig, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let prefix = vb.pp("embedding");
        let tables = config.tables.iter().enumerate().map(|(k, size)| {
            let vb = if config.tables.len() == 1 { prefix.clone() } else { prefix.pp(k) };
            let table = Embedding::new(*size, vb)?;
            Ok(if config.freeze { table.frozen() } else { table })
        });
        let tables = tables.collect::<Result<_>>()?;
        let inner = config.inner.as_ref().map(|inner| InnerLayer::new(inner, vb.pp("inner")));
        Ok(Self { config: config.clone(), tables, inner: inner.transpose()? })
    }

    /// Returns the rows `[N, I]` that the recurrent layer reads.
    pub(crate) fn forward(&self, tokens: &PackedTokens, mode: Mode) -> Result<PackedSequence> {
        self.run(tokens, mode, |table, ids| table.rows(ids))
    }

    /// Returns the same rows, and those of the tables that they are made of, where these are sparse.
    pub(crate) fn forward_sparse(
        &self,
        tokens: &PackedTokens,
        mode: Mode,
    ) -> Result<(PackedSequence, Vec<SparseRows>)> {
        let mut sparse = vec![];
        if !self.config.sparse || self.config.freeze {
            return Ok((self.forward(tokens, mode)?, sparse));
        }
        let rows = self.run(tokens, mode, |table, ids| {
            let (rows, of_table) = table.sparse_rows(ids)?;
            sparse.push(of_table);
            Ok(rows)
        })?;
        Ok((rows, sparse))
    }

    fn run(
        &self,
        tokens: &PackedTokens,
        mut mode: Mode,
        mut rows: impl FnMut(&Embedding, Vec<u32>) -> Result<Tensor>,
    ) -> Result<PackedSequence> {
        self.check(tokens)?;
        let ids = tokens.ids();
        let mut embedded = vec![];
        for (k, table) in self.tables.iter().enumerate() {
            let mut column = ids.narrow(1, k, 1)?.flatten_all()?.to_vec1()?;
            if let Mode::Train(rng) = &mut mode {
                drop_words(&mut column, self.config.word_dropout, self.config.unknown, *rng);
            }
            embedded.push(rows(table, column)?);
        }
        if let (Some(layer), Some(inner)) = (&self.inner, tokens.inner()) {
            embedded.push(layer.forward(inner, mode.reborrow())?);
        }
        let mut parts: Vec<Tensor> = tokens.values().cloned().into_iter().collect();
        if !embedded.is_empty() {
            let embedded = Tensor::cat(&embedded, 1)?;
            parts.push(match &mut mode {
                Mode::Train(rng) => dropout(&embedded, self.config.dropout, *rng)?,
                Mode::Eval => embedded,
                Mode::Inference => embedded.detach(),
            });
        }
        Ok(PackedSequence::from_layout(Tensor::cat(&parts, 1)?, tokens.layout().clone())?)
    }

    /// Checks that a batch has the numbers, columns and inner sequences of the configuration.
    fn check(&self, tokens: &PackedTokens) -> Result<()> {
        let got = (
            tokens.values().map_or(0, |values| values.dims()[1]),
            tokens.ids().dims()[1],
            tokens.inner().is_some(),
        );
        let expected = (self.config.num_values, self.tables.len(), self.inner.is_some());
        if got == expected { Ok(()) } else { Err(Error::Tokens { expected, got }) }
    }

    /// Returns the same stage, whose layer computes its activations once more.
    pub(crate) fn with_recompute(self, recompute: Option<Recompute>) -> Self {
        let inner = self.inner.map(|inner| inner.with_recompute(recompute));
        Self { inner, ..self }
    }

    /// Returns a copy for inference, with the parameters as they are now.
    pub(crate) fn prepare(&self) -> Result<Self> {
        let tables = self.tables.iter().map(Embedding::copy).collect::<Result<_>>()?;
        let inner = self.inner.as_ref().map(InnerLayer::prepare).transpose()?;
        Ok(Self { config: self.config.clone(), tables, inner })
    }
}

/// Replaces each token with probability `p` by the index of unknown ones.
fn drop_words(ids: &mut [u32], p: f64, unknown: u32, rng: &mut dyn RngCore) {
    if p > 0.0 {
        ids.iter_mut().filter(|_| rng.random::<f64>() < p).for_each(|id| *id = unknown);
    }
}
