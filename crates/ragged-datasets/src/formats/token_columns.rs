//! The columns of tokens of the files of a data set.

use crate::error::Result;
use crate::example::Sequence;
use crate::formats::feature_names::list;
use crate::formats::schema::Schema;
use crate::tokens::column::{TextInterner, TokenColumn};
use crate::tokens::step_tokens::StepTokens;

/// The columns of tokens that all sequences have, with the texts found so far.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The columns of the training data, or those of the first sequence.
    names: Option<Vec<String>>,
    texts: Vec<TextInterner>,
}

impl Tokens {
    /// Starts with the columns of the training data, if there are any data before.
    pub(super) fn new(schema: Option<&Schema>) -> Self {
        let mut tokens = Self::default();
        if let Some(schema) = schema.filter(|schema| !schema.tokens.is_empty()) {
            tokens.set(schema.tokens.clone());
        }
        tokens
    }

    fn set(&mut self, names: Vec<String>) {
        self.texts = names.iter().map(|_| TextInterner::default()).collect();
        self.names = Some(names);
    }

    /// Checks that a sequence has the columns of the sequences before. The first one determines them.
    pub(super) fn check(&mut self, found: &[&str]) -> Result<(), String> {
        let Some(names) = &self.names else {
            self.set(found.iter().map(ToString::to_string).collect());
            return Ok(());
        };
        if names == found {
            return Ok(());
        }
        if names.is_empty() || found.is_empty() {
            let shown = |tokens: bool| if tokens { "tokens or a text" } else { "no tokens" };
            let (expected, got) = (shown(!names.is_empty()), shown(!found.is_empty()));
            return Err(format!("expected {expected} as in the sequences before, got {got}"));
        }
        let (expected, got) = (list(names.iter().map(String::as_str)), list(found.iter().copied()));
        Err(format!(
            "expected the columns of tokens {expected} as in the sequences before, got {got}"
        ))
    }

    /// Returns the index of a column among those of the training data, or their number for another name.
    pub(super) fn place(&self, name: &str) -> usize {
        let names = self.names.as_deref().unwrap_or_default();
        names.iter().position(|known| known == name).unwrap_or(names.len())
    }

    /// Whether the sequences are whole texts or lists, which other formats have under this name.
    pub(super) fn are_texts(&self, name: &str) -> bool {
        self.names.as_deref().is_some_and(|names| names == [name])
    }

    /// Whether a column of the training data has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().flatten().any(|known| known == name)
    }

    /// Returns the number of columns.
    pub(super) fn count(&self) -> usize {
        self.texts.len()
    }

    /// Returns the index of a text in a column.
    pub(super) fn index(&mut self, column: usize, text: String) -> Result<u32, String> {
        let index = self.texts[column].index(text);
        index.ok_or_else(|| "expected at most 4294967296 different tokens".to_string())
    }

    /// Makes a sequence of values and indices of texts.
    pub(super) fn sequence(
        &self,
        values: Vec<f64>,
        features: usize,
        exact: bool,
        ids: Vec<u32>,
    ) -> Result<Sequence> {
        let tokens = match self.count() {
            0 => None,
            columns => Some(StepTokens::new(ids, columns)?),
        };
        let sequence = |tokens: Option<StepTokens>| {
            let sequence = match exact {
                true => Sequence::exact(values, features)?,
                false => Sequence::rounded(&values, features)?,
            };
            match tokens {
                Some(tokens) => sequence.with_tokens(tokens),
                None => Ok(sequence),
            }
        };
        match tokens {
            Some(tokens) if features == 0 => Ok(Sequence::of_tokens(tokens)),
            tokens => sequence(tokens),
        }
    }

    /// Returns the columns with their texts.
    pub(super) fn into_columns(self) -> Vec<TokenColumn> {
        let names = self.names.unwrap_or_default().into_iter();
        let columns = names.zip(self.texts);
        columns.map(|(name, texts)| TokenColumn { name, texts: texts.into_texts() }).collect()
    }
}
