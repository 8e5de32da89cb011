//! The texts of a column of tokens.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A column of tokens: its name, and the text of each index that the sequences of the data set have in it.
///
/// In data as read from a file, the texts are those of the file in the order of their first occurrence. In
/// [`Encoded`](crate::tokens::Encoded) data, they are the entries of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenColumn {
    /// The name of the column.
    pub name: String,
    /// The text of each index.
    pub texts: Vec<String>,
}

/// Collects the distinct texts of a column.
#[derive(Debug, Default)]
pub(crate) struct TextInterner {
    texts: Vec<String>,
    indices: HashMap<String, u32>,
}

impl TextInterner {
    /// Returns the index of a text, a new one if the text is new; `None` if 32 bits cannot count the texts.
    pub(crate) fn index(&mut self, text: String) -> Option<u32> {
        if let Some(&index) = self.indices.get(&text) {
            return Some(index);
        }
        let index = u32::try_from(self.texts.len()).ok()?;
        self.texts.push(text.clone());
        self.indices.insert(text, index);
        Some(index)
    }

    /// Returns the texts in the order of their indices.
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}
