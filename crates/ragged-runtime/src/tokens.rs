//! Tokens as the input of the recurrent layers.

use std::collections::HashMap;

use ragged_sequence::PackedLayout;
use ragged_transforms::TokenEncoder;

use crate::checkpoint::Checkpoint;
use crate::config::TokenConfig;
use crate::error::{Error, Result};
use crate::layers::Layers;
use crate::sequence::Tokens;
use crate::table::Table;

/// The embeddings of the columns of tokens, and the layer that reads the characters of those of the first column.
#[derive(Debug)]
pub(crate) struct TokenRows {
    encoder: TokenEncoder,
    tables: Vec<Table>,
    inner: Option<(Table, Layers)>,
}

/// The steps of a sequence that the model reads.
pub(crate) struct Steps<'a> {
    /// The features after the transforms, `[T, F]`; empty where there are none.
    pub(crate) values: Vec<f32>,
    /// `[T, K]`.
    pub(crate) tokens: Tokens<'a>,
    /// The number of steps that a truncation has left out before these.
    pub(crate) skipped: usize,
}

impl TokenRows {
    /// Takes the parameters.
    pub(crate) fn new(
        config: &TokenConfig,
        encoder: &TokenEncoder,
        checkpoint: &Checkpoint,
    ) -> Result<Self> {
        let (sizes, columns) = (&config.tables, encoder.columns());
        if sizes.len() != columns.len() || sizes.is_empty() {
            let expected = "a vocabulary for each column of tokens".to_string();
            let got = format!("{} tables and {} vocabularies", sizes.len(), columns.len());
            return Err(Error::Checkpoint { expected, got });
        }
        let tables = sizes.iter().zip(columns).enumerate().map(|(k, (size, column))| {
            let name = match sizes.len() {
                1 => "embedding.weight".to_string(),
                _ => format!("embedding.{k}.weight"),
            };
            Table::new(&name, *size, column.vocabulary.len(), checkpoint)
        });
        let inner = match (&config.inner, encoder.characters()) {
            (None, _) => None,
            (Some(inner), Some(known)) => {
                let name = "inner.embedding.weight";
                let table = Table::new(name, inner.table, known.len(), checkpoint)?;
                let prefix = format!("inner.{}", inner.cell.name());
                Some((table, Layers::new(inner.cell, &inner.layer, &prefix, checkpoint)?))
            }
            (Some(_), None) => {
                let expected = "a vocabulary of characters".to_string();
                return Err(Error::Checkpoint { expected, got: "none".into() });
            }
        };
        Ok(Self { encoder: encoder.clone(), tables: tables.collect::<Result<_>>()?, inner })
    }

    /// Returns K, the number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.tables.len()
    }

    /// Returns the input of the recurrent layers for each sequence, `[T, I]`: the numbers of a step, the rows of its
    /// tokens, and the final states of the characters of its first token.
    pub(crate) fn rows(&self, sequences: &[Steps<'_>]) -> Result<Vec<Vec<f32>>> {
        let (distinct, known) = self.distinct(sequences);
        let (states, width) = self.spelled(&distinct)?;
        let of_tables = self.tables.iter().map(|table| table.width).sum::<usize>();
        let rows = sequences.iter().enumerate().map(|(sequence, steps)| {
            let count = steps.tokens.len() / self.columns();
            let features = steps.values.len() / count.max(1);
            let mut rows = Vec::with_capacity(count * (features + of_tables + width));
            for step in 0..count {
                rows.extend_from_slice(&steps.values[step * features..][..features]);
                for (column, table) in self.tables.iter().enumerate() {
                    let at = step * self.columns() + column;
                    let index =
                        self.index(steps.tokens, column, at).map_err(|(expected, got)| {
                            let (sequence, step) = (sequence + 1, steps.skipped + step + 1);
                            Error::Token { sequence, step, expected, got }
                        })?;
                    rows.extend_from_slice(table.row(index));
                }
                if let (Tokens::Texts(texts), true) = (steps.tokens, width > 0) {
                    let spelling = known[texts[step * self.columns()]];
                    rows.extend_from_slice(&states[spelling * width..][..width]);
                }
            }
            Ok(rows)
        });
        rows.collect()
    }

    /// Returns the index of the token at `at`, or what was expected and found.
    fn index(
        &self,
        tokens: Tokens<'_>,
        column: usize,
        at: usize,
    ) -> std::result::Result<u32, (String, String)> {
        let vocabulary = &self.encoder.columns()[column].vocabulary;
        match tokens {
            Tokens::None => Err(("a token".into(), "none".into())),
            Tokens::Ids(ids) => {
                let count = self.tables[column].len();
                let beyond = || (format!("an id below {count}"), format!("id {}", ids[at]));
                Some(ids[at]).filter(|&id| (id as usize) < count).ok_or_else(beyond)
            }
            Tokens::Texts(texts) => {
                let token = texts[at];
                // A tokenizer's file stands for what is unknown itself: another text is none of its tokens.
                let index = match vocabulary.is_given() {
                    true => vocabulary.entry(token),
                    false => vocabulary.index(token),
                };
                let unknown =
                    || ("a token of the run's tokenizer.json".into(), format!("`{token}`"));
                index.ok_or_else(unknown)
            }
        }
    }

    /// Checks that there are tokens, and that a model which reads their characters is given texts.
    pub(crate) fn check_kind(&self, tokens: Tokens<'_>) -> Result<()> {
        let expected = match tokens {
            Tokens::None => "tokens",
            Tokens::Ids(_) if self.inner.is_some() => {
                "texts of tokens, whose characters the model reads"
            }
            _ => return Ok(()),
        };
        Err(Error::InputKind { expected, got: tokens.name() })
    }

    /// Returns the different texts of the first column, and the position of each, if their characters are read.
    fn distinct<'a>(&self, sequences: &[Steps<'a>]) -> (Vec<&'a str>, HashMap<&'a str, usize>) {
        let (mut distinct, mut known) = (vec![], HashMap::new());
        for steps in sequences.iter().filter(|_| self.inner.is_some()) {
            let Tokens::Texts(texts) = steps.tokens else { continue };
            for &token in texts.iter().step_by(self.columns()) {
                known.entry(token).or_insert_with(|| {
                    distinct.push(token);
                    distinct.len() - 1
                });
            }
        }
        (distinct, known)
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
