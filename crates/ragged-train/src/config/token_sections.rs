//! The sections of a configuration about tokens: how they become the input of the recurrent layer.

use std::path::PathBuf;

use ragged_datasets::tokens::TokenEncoder;
use ragged_models::{EmbeddingSize, InnerConfig, LayerKind, RecurrentConfig, TokenConfig};
use serde::{Deserialize, Serialize};

/// The embedding of tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingSection {
    /// E, the number of features of a token, 1 to 16384. Default 64.
    pub size: usize,
    /// A text file of word vectors, such as GloVe's, with which the embeddings begin. Entries of the vocabulary without
    /// a vector begin with random values. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Dropout of the elements of the embeddings and of the states of `[model.characters]`, 0 to 1. Default 0.
    pub dropout: f64,
    /// The probability, 0 to 1, that a token of the training data is read as an unknown one. Default 0.
    pub word_dropout: f64,
    /// Whether the embeddings keep their initial values. Default false.
    pub freeze: bool,
    /// Whether an update changes only the embeddings of tokens that the batch has, and their optimiser state, as
    /// PyTorch's `SparseAdam` does. Default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sparse: bool,
}

impl Default for EmbeddingSection {
    fn default() -> Self {
        Self {
            size: 64,
            weights: None,
            dropout: 0.0,
            word_dropout: 0.0,
            freeze: false,
            sparse: false,
        }
    }
}

/// The layer that reads each token character by character. Its final states join the embedding of the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CharactersSection {
    /// The number of features of a character, 1 to 16384. Default 25.
    pub embedding_size: usize,
    /// `lstm`, `gru` or `rnn`. Default lstm.
    pub cell: LayerKind,
    /// The number of hidden units, 1 to 16384. Default 25.
    pub hidden_size: usize,
    /// Whether a second direction runs from the last character to the first. Default true.
    pub bidirectional: bool,
}

impl Default for CharactersSection {
    fn default() -> Self {
        let cell = LayerKind::default();
        Self { embedding_size: 25, cell, hidden_size: 25, bidirectional: true }
    }
}

/// Returns the configuration of the stage before the recurrent layer for these vocabularies, with `num_values` numbers
/// in each step; `None` where there are no tokens.
pub(crate) fn token_config(
    embedding: &EmbeddingSection,
    characters: Option<&CharactersSection>,
    encoder: &TokenEncoder,
    num_values: usize,
) -> Option<TokenConfig> {
    let size = |num_embeddings, embedding_dim| EmbeddingSize { num_embeddings, embedding_dim };
    let columns = encoder.columns().iter();
    let tables = columns.map(|column| size(column.vocabulary.len(), embedding.size)).collect();
    let unknown = encoder.columns().first().and_then(|column| column.vocabulary.unknown());
    let inner = characters.zip(encoder.characters()).map(|(section, known)| InnerConfig {
        table: size(known.len(), section.embedding_size),
        cell: section.cell,
        layer: RecurrentConfig {
            bidirectional: section.bidirectional,
            ..RecurrentConfig::new(section.embedding_size, section.hidden_size)
        },
    });
    (!encoder.is_empty()).then(|| TokenConfig {
        num_values,
        inner,
        dropout: embedding.dropout,
        word_dropout: embedding.word_dropout,
        unknown: unknown.unwrap_or(0),
        freeze: embedding.freeze,
        sparse: embedding.sparse,
        ..TokenConfig::new(tables)
    })
}
