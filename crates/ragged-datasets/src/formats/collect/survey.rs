//! What is kept of sequences whose values stay in their files.

use crate::formats::column::Column;
use crate::formats::precision::Precision;
use crate::formats::schema::Schema;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// The lengths of sequences, and the ranges of their values.
#[derive(Debug, Default)]
pub(in crate::formats) struct Survey {
    precisions: Vec<Precision>,
    lengths: Vec<usize>,
}

impl Survey {
    /// Adds a sequence by its values `[length, features]`, or by its tokens `[length, columns]`.
    pub(super) fn add(&mut self, values: &[f64], features: usize, tokens: &[u32], columns: usize) {
        if features > 0 {
            self.precisions.resize(features, Precision::new());
            for (k, &value) in values.iter().enumerate() {
                self.precisions[k % features].add(value);
            }
        }
        self.lengths.push(match features {
            0 => tokens.len() / columns.max(1),
            _ => values.len() / features,
        });
    }

    /// Returns the ranges of the features.
    pub(super) fn precisions(&self) -> &[Precision] {
        &self.precisions
    }

    /// Returns the number of steps of each sequence.
    pub(super) fn into_lengths(self) -> Vec<usize> {
        self.lengths
    }
}

/// What all sequences have in common, and what is small about each of them.
pub(in crate::formats) struct Surveyed {
    pub(in crate::formats) schema: Schema,
    pub(in crate::formats) features: usize,
    pub(in crate::formats) lengths: Vec<usize>,
    pub(in crate::formats) ids: Option<Vec<String>>,
    pub(in crate::formats) token_columns: Vec<TokenColumn>,
    pub(in crate::formats) static_columns: StaticColumns,
    pub(in crate::formats) summary: String,
    pub(in crate::formats) notes: Vec<String>,
    pub(in crate::formats) columns: Vec<Column>,
}
