//! Tokens as the input of the recurrent layers.

use std::collections::HashMap;

use ragged_sequence::PackedLayout;
use ragged_transforms::TokenEncoder;

use crate::checkpoint::Checkpoint;
use crate::config::{EmbeddingSize, TokenConfig};
use crate::error::{Error, Result};
use crate::layers::Layers;

/// The embedding of a column of tokens, and the layer that reads their characters.
#[derive(Debug)]
pub(crate) struct TokenRows {
    encoder: TokenEncoder,
    table: Table,
    inner: Option<(Table, Layers)>,
}

/// One row of features per index.
#[derive(Debug)]
struct Table {
    rows: Vec<f32>,
    width: usize,
}

impl Table {
    fn new(name: &str, size: EmbeddingSize, checkpoint: &Checkpoint) -> Result<Self> {
        let EmbeddingSize { num_embeddings, embedding_dim: width } = size;
        Ok(Self { rows: checkpoint.parameter(name, &[num_embeddings, width])?, width })
    }

    /// Whether the table has a row for each of `count` indices.
    fn check(&self, count: usize) -> Result<()> {
        let rows = self.rows.len() / self.width;
        if rows == count {
            return Ok(());
        }
        let expected =
            format!("an embedding of {count} rows, one for each entry of the vocabulary");
        Err(Error::Checkpoint { expected, got: rows.to_string() })
    }

    fn row(&self, index: u32) -> &[f32] {
        &self.rows[index as usize * self.width..][..self.width]
    }
}

impl TokenRows {
    /// Takes the parameters of a model with one column of tokens and no numbers.
    pub(crate) fn new(
        config: &TokenConfig,
        encoder: &TokenEncoder,
        checkpoint: &Checkpoint,
    ) -> Result<Self> {
        let ([size], [column], 0) = (&*config.tables, encoder.columns(), config.num_values) else {
            let expected = "one column of tokens, and no numbers".to_string();
            let got = format!("{} columns and {} numbers", config.tables.len(), config.num_values);
            return Err(Error::Checkpoint { expected, got });
        };
        let table = Table::new("embedding.weight", *size, checkpoint)?;
        table.check(column.vocabulary.len())?;
        let inner = match (&config.inner, encoder.characters()) {
            (None, _) => None,
            (Some(inner), Some(characters)) => {
                let table = Table::new("inner.embedding.weight", inner.table, checkpoint)?;
                table.check(characters.len())?;
                let prefix = format!("inner.{}", inner.cell.name());
                Some((table, Layers::new(inner.cell, &inner.layer, &prefix, checkpoint)?))
            }
            (Some(_), None) => {
                let expected = "a vocabulary of characters".to_string();
                return Err(Error::Checkpoint { expected, got: "none".into() });
            }
        };
        Ok(Self { encoder: encoder.clone(), table, inner })
    }

    /// Returns the input of the recurrent layers for each sequence, `[T, I]`.
    pub(crate) fn rows(&self, sequences: &[&[&str]]) -> Result<Vec<Vec<f32>>> {
        let vocabulary = &self.encoder.columns()[0].vocabulary;
        let mut distinct: Vec<&str> = vec![];
        let mut known: HashMap<&str, usize> = HashMap::new();
        for &token in sequences.iter().copied().flatten() {
            known.entry(token).or_insert_with(|| {
                distinct.push(token);
                distinct.len() - 1
            });
        }
        // A tokenizer's file stands for what is unknown itself: another text is none of its tokens.
        let index = |token: &str| match vocabulary.is_given() {
            true => vocabulary.entry(token),
            false => vocabulary.index(token),
        };
        let (states, width) = self.spelled(&distinct)?;
        let rows = sequences.iter().enumerate().map(|(sequence, tokens)| {
            let mut rows = Vec::with_capacity(tokens.len() * (self.table.width + width));
            for (step, token) in tokens.iter().enumerate() {
                let unknown = || {
                    let (sequence, step, got) = (sequence + 1, step + 1, format!("`{token}`"));
                    let expected = "a token of the run's tokenizer.json".into();
                    Error::Token { sequence, step, expected, got }
                };
                rows.extend_from_slice(self.table.row(index(token).ok_or_else(unknown)?));
                rows.extend_from_slice(&states[known[token] * width..][..width]);
            }
            Ok(rows)
        });
        rows.collect()
    }

    /// Returns the same for sequences of indices in the vocabulary.
    pub(crate) fn rows_of_ids(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        if self.inner.is_some() {
            let expected = "texts of tokens, whose characters the model reads";
            return Err(Error::InputKind { expected, got: "ids" });
        }
        let count = self.table.rows.len() / self.table.width;
        let rows = sequences.iter().enumerate().map(|(sequence, ids)| {
            let mut rows = Vec::with_capacity(ids.len() * self.table.width);
            for (step, &id) in ids.iter().enumerate() {
                if id as usize >= count {
                    let (sequence, step, got) = (sequence + 1, step + 1, format!("id {id}"));
                    let expected = format!("an id below {count}");
                    return Err(Error::Token { sequence, step, expected, got });
                }
                rows.extend_from_slice(self.table.row(id));
            }
            Ok(rows)
        });
        rows.collect()
    }

    /// Returns the final states of the characters of each token, and their number.
    fn spelled(&self, tokens: &[&str]) -> Result<(Vec<f32>, usize)> {
        let Some((table, layers)) = &self.inner else { return Ok((vec![], 0)) };
        let spellings: Vec<Vec<u32>> =
            tokens.iter().map(|token| self.encoder.spell(token).unwrap_or_default()).collect();
        let lengths: Vec<usize> = spellings.iter().map(Vec::len).collect();
        let layout = PackedLayout::from_lengths(&lengths);
        let mut x = Vec::with_capacity(layout.rows() * table.width);
        for (token, at) in layout.positions() {
            x.extend_from_slice(table.row(spellings[token][at]));
        }
        let outputs = layers.run(&layout, x, &layers.initial_states(tokens.len()))?;
        Ok((layers.final_hidden(&outputs.states), layers.config.output_features()))
    }
}
