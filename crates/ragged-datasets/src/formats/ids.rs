//! The names of many sequences.

use serde::{Deserialize, Serialize};

/// Texts in one buffer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ids {
    all: String,
    /// Where each text ends.
    ends: Vec<usize>,
}

impl Ids {
    /// Adds a text.
    pub(super) fn push(&mut self, id: &str) {
        self.all.push_str(id);
        self.ends.push(self.all.len());
    }

    /// Returns the number of texts.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns a text, or `None` beyond the end.
    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.all.get(begin..end)
    }

    /// Releases memory that is not used.
    pub(super) fn shrink_to_fit(&mut self) {
        self.all.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_that_were_added() {
        let texts = ["a", "", "größer", ""];
        let mut ids = Ids::default();
        assert_eq!((ids.get(0), ids.get(1)), (None, None));
        texts.iter().for_each(|text| ids.push(text));
        ids.shrink_to_fit();
        assert_eq!(ids.len(), 4);
        let all: Vec<_> = (0..6).map(|index| ids.get(index)).collect();
        assert_eq!(all, [Some("a"), Some(""), Some("größer"), Some(""), None, None]);
    }
}
