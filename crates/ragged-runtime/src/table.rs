//! One row of features per index.

use crate::checkpoint::Checkpoint;
use crate::config::EmbeddingSize;
use crate::error::{Error, Result};

/// An embedding.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<f32>,
    pub(crate) width: usize,
}

impl Table {
    /// Takes the parameter `name`, which has a row for each of `count` entries of a vocabulary.
    pub(crate) fn new(
        name: &str,
        size: EmbeddingSize,
        count: usize,
        checkpoint: &Checkpoint,
    ) -> Result<Self> {
        let EmbeddingSize { num_embeddings, embedding_dim: width } = size;
        if num_embeddings != count {
            let expected =
                format!("an embedding of {count} rows, one for each entry of the vocabulary");
            return Err(Error::Checkpoint { expected, got: num_embeddings.to_string() });
        }
        Ok(Self { rows: checkpoint.parameter(name, &[num_embeddings, width])?, width })
    }

    /// Returns the number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    /// Returns a row, whose index is below [`len`](Self::len).
    pub(crate) fn row(&self, index: u32) -> &[f32] {
        &self.rows[index as usize * self.width..][..self.width]
    }
}
