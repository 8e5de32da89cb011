//! What is kept of sequences whose values and targets stay in their files.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::formats::column::Column;
use crate::formats::ids::Ids;
use crate::formats::precision::Precision;
use crate::formats::raw_sequence::RawSequence;
use crate::formats::schema::Schema;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;

/// The lengths and names of sequences, and the ranges of their values.
#[derive(Debug, Default)]
pub(in crate::formats) struct Survey {
    precisions: Vec<Precision>,
    lengths: Vec<u32>,
    ids: Ids,
}

impl Survey {
    /// Adds a sequence of a number of features, or of columns of tokens.
    pub(super) fn add(
        &mut self,
        sequence: &RawSequence,
        features: usize,
        columns: usize,
    ) -> Result<()> {
        if features > 0 {
            self.precisions.resize(features, Precision::new());
            for (k, &value) in sequence.values.iter().enumerate() {
                self.precisions[k % features].add(value);
            }
        }
        let length = match features {
            0 => sequence.tokens.len() / columns.max(1),
            _ => sequence.values.len() / features,
        };
        let too_long = |_| {
            let reason = format!("expected at most {} steps, got {length}", u32::MAX);
            sequence.location.error(reason)
        };
        self.lengths.push(u32::try_from(length).map_err(too_long)?);
        if let Some(id) = &sequence.id {
            self.ids.push(id);
        }
        Ok(())
    }

    /// Returns the ranges of the features.
    pub(super) fn precisions(&self) -> &[Precision] {
        &self.precisions
    }

    /// Returns the number of steps of each sequence, and the names of those that have one.
    pub(super) fn into_lengths_and_ids(mut self) -> (Vec<u32>, Ids) {
        self.lengths.shrink_to_fit();
        self.ids.shrink_to_fit();
        (self.lengths, self.ids)
    }
}

/// What all sequences have in common, and what is small about each of them.
#[derive(Serialize, Deserialize)]
pub(in crate::formats) struct Surveyed {
    pub(in crate::formats) schema: Schema,
    pub(in crate::formats) features: usize,
    /// The number of times that each step is read.
    pub(in crate::formats) repeat: usize,
    /// The number of steps of each sequence in its file.
    pub(in crate::formats) lengths: Vec<u32>,
    pub(in crate::formats) ids: Option<Ids>,
    pub(in crate::formats) token_columns: Vec<TokenColumn>,
    pub(in crate::formats) static_columns: StaticColumns,
    /// The names of the targets, if the first file has some.
    pub(in crate::formats) target_names: Vec<String>,
    pub(in crate::formats) notes: Vec<String>,
    pub(in crate::formats) columns: Vec<Column>,
}

impl Surveyed {
    /// Returns the number of steps of a sequence.
    pub(in crate::formats) fn length(&self, index: usize) -> usize {
        self.lengths[index] as usize * self.repeat
    }
}
