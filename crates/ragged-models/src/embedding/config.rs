//! How the tokens of a step become features.

use serde::{Deserialize, Serialize};

use crate::config::{RecurrentConfig, check};
use crate::error::Result;
use crate::layer::kind::LayerKind;

/// The sizes of an [`Embedding`](crate::Embedding).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingSize {
    /// V, the number of indices.
    pub num_embeddings: usize,
    /// E, the number of features of a row.
    pub embedding_dim: usize,
}

/// The stage of a model that makes the input of its recurrent layer from tokens: one table per column of indices, and
/// optionally a layer that reads the sequences of which the steps consist, such as the characters of words.
///
/// The input of the recurrent layer consists of the numbers of the step, the rows of the tables, and the final states
/// of the inner layer, in this order.
///
/// ```
/// use ragged_models::{EmbeddingSize, TokenConfig};
///
/// let words = EmbeddingSize { num_embeddings: 20_000, embedding_dim: 100 };
/// assert_eq!(TokenConfig::new(vec![words]).output_features(), 100);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// F, the number of features of a step that are numbers. Default 0.
    #[serde(default)]
    pub num_values: usize,
    /// The table of each column of indices.
    pub tables: Vec<EmbeddingSize>,
    /// The layer that reads the sequences of which the steps consist. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<InnerConfig>,
    /// The probability, from 0 to 1, of zeroing an element of the embeddings and of the inner states. Default 0.
    #[serde(default)]
    pub dropout: f64,
    /// The probability, from 0 to 1, of replacing a token by an unknown one. Default 0.
    #[serde(default)]
    pub word_dropout: f64,
    /// The index of unknown tokens, below the size of each table. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u32,
    /// Whether the tables are not trained. Default false.
    #[serde(default)]
    pub freeze: bool,
    /// Whether training updates only the rows of the tables that a batch has, as with
    /// `torch.nn.Embedding(sparse=True)`. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sparse: bool,
}

/// A layer that reads a sequence of indices and returns its final hidden states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InnerConfig {
    /// The table of the indices.
    pub table: EmbeddingSize,
    /// The kind of the recurrent layer. Default LSTM.
    #[serde(default)]
    pub cell: LayerKind,
    /// The options of the recurrent layer, whose input has the width of the table.
    pub layer: RecurrentConfig,
}

impl TokenConfig {
    /// Creates the configuration for tables only, without dropout.
    pub fn new(tables: Vec<EmbeddingSize>) -> Self {
        Self {
            num_values: 0,
            tables,
            inner: None,
            dropout: 0.0,
            word_dropout: 0.0,
            unknown: 0,
            freeze: false,
            sparse: false,
        }
    }

    /// Returns the number of features that the recurrent layer reads.
    pub fn output_features(&self) -> usize {
        let tables = self.tables.iter().map(|table| table.embedding_dim).sum::<usize>();
        let inner = self.inner.as_ref().map_or(0, |inner| inner.layer.output_features());
        self.num_values.saturating_add(tables).saturating_add(inner)
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) names the first value that is not allowed.
    pub fn validate(&self) -> Result<()> {
        let inner = self.inner.as_ref().map(|inner| &inner.table);
        for table in self.tables.iter().chain(inner) {
            check("num_embeddings", table.num_embeddings, table.num_embeddings >= 1, "at least 1")?;
            check("embedding_dim", table.embedding_dim, table.embedding_dim >= 1, "at least 1")?;
        }
        for (name, p) in [("dropout", self.dropout), ("word_dropout", self.word_dropout)] {
            check(name, p, (0.0..=1.0).contains(&p), "0 to 1")?;
        }
        for table in &self.tables {
            let (unknown, size) = (self.unknown, table.num_embeddings);
            let expected = format!("below {size}, the size of the table");
            check("unknown", unknown, (unknown as usize) < size, &expected)?;
        }
        let Some(InnerConfig { table, layer, .. }) = &self.inner else { return Ok(()) };
        let expected = format!("{}, the embedding_dim of the inner table", table.embedding_dim);
        let fits = layer.input_size == table.embedding_dim;
        check("inner input_size", layer.input_size, fits, &expected)?;
        layer.validate()
    }
}

fn is_zero(index: &u32) -> bool {
    *index == 0
}
