//! The index of each known token.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most entries of a vocabulary, so that an index fits 32 bits.
const MOST_ENTRIES: usize = u32::MAX as usize;

/// Which tokens of the training data a [`Vocabulary`] has.
///
/// ```
/// use ragged_transforms::VocabularyConfig;
///
/// let config = VocabularyConfig { min_freq: 2, ..Default::default() };
/// assert_eq!((config.lowercase, config.max_size), (false, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VocabularyConfig {
    /// Whether tokens that differ only in case are one entry. Default false.
    pub lowercase: bool,
    /// The smallest number of occurrences of an entry in the training data. Default 1.
    pub min_freq: u64,
    /// The largest number of entries, without the entry for unknown tokens; the most frequent tokens are kept.
    /// Default no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<usize>,
}

impl Default for VocabularyConfig {
    fn default() -> Self {
        Self { lowercase: false, min_freq: 1, max_size: None }
    }
}

/// The index of each token that was in the training data.
///
/// Index 0 is the entry for unknown tokens. The others are in the order of falling frequency, and of the alphabet
/// where frequencies are equal, so that the order of the training data does not matter.
///
/// ```
/// use ragged_transforms::{Vocabulary, VocabularyConfig};
///
/// let counts = [("b", 1), ("a", 1), ("The", 2), ("the", 1)];
/// let config = VocabularyConfig { lowercase: true, ..Default::default() };
/// let vocabulary = Vocabulary::build(&config, counts)?;
/// assert_eq!(vocabulary.entries(), ["the", "a", "b"]);
/// assert_eq!((vocabulary.index("THE"), vocabulary.index("dog"), vocabulary.len()), (1, 0, 4));
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Vocabulary {
    lowercase: bool,
    /// The known tokens; the index of the first is 1.
    entries: Vec<String>,
    indices: HashMap<String, u32>,
}

/// A vocabulary as saved, not checked yet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    lowercase: bool,
    entries: Vec<String>,
}

impl TryFrom<Saved> for Vocabulary {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        Self::new(saved.entries, saved.lowercase)
    }
}

impl From<Vocabulary> for Saved {
    fn from(vocabulary: Vocabulary) -> Self {
        Self { lowercase: vocabulary.lowercase, entries: vocabulary.entries }
    }
}

impl Vocabulary {
    /// The index of every token that is not an entry.
    pub const UNKNOWN: u32 = 0;

    /// Creates a vocabulary of entries in the order of their indices, from 1.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateEntry`] for an entry that is listed twice, also in another case if case does not matter;
    /// [`Error::TooMany`] for more entries than 32 bits can count.
    pub fn new(entries: Vec<String>, lowercase: bool) -> Result<Self> {
        if entries.len() > MOST_ENTRIES {
            return Err(Error::TooMany { name: "entries", got: entries.len(), most: MOST_ENTRIES });
        }
        let mut indices = HashMap::with_capacity(entries.len());
        for (entry, index) in entries.iter().zip(1..) {
            if indices.insert(folded(entry, lowercase).into_owned(), index).is_some() {
                return Err(Error::DuplicateEntry { entry: entry.clone() });
            }
        }
        Ok(Self { lowercase, entries, indices })
    }

    /// Creates a vocabulary of the tokens of the training data with the numbers of their occurrences. A token may be
    /// given several times.
    ///
    /// # Errors
    ///
    /// [`Error::Zero`] for a `max_size` of 0, [`Error::TooMany`] for more entries than 32 bits can count.
    pub fn build<'a>(
        config: &VocabularyConfig,
        counts: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Result<Self> {
        if config.max_size == Some(0) {
            return Err(Error::Zero { name: "max_size" });
        }
        let mut sums: HashMap<Cow<'a, str>, u64> = HashMap::new();
        for (token, count) in counts {
            *sums.entry(folded(token, config.lowercase)).or_default() += count;
        }
        let mut frequent: Vec<_> =
            sums.into_iter().filter(|(_, count)| *count >= config.min_freq.max(1)).collect();
        frequent.sort_unstable_by(|(a, more), (b, fewer)| fewer.cmp(more).then_with(|| a.cmp(b)));
        frequent.truncate(config.max_size.unwrap_or(usize::MAX));
        Self::new(
            frequent.into_iter().map(|(token, _)| token.into_owned()).collect(),
            config.lowercase,
        )
    }

    /// Returns the index of a token, [`UNKNOWN`](Self::UNKNOWN) if it is not an entry.
    pub fn index(&self, token: &str) -> u32 {
        let folded = folded(token, self.lowercase);
        self.indices.get(folded.as_ref()).copied().unwrap_or(Self::UNKNOWN)
    }

    /// Returns the entries in the order of their indices, from index 1.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// Returns the number of indices: the entries and the one for unknown tokens.
    #[expect(clippy::len_without_is_empty, reason = "index 0 always exists")]
    pub fn len(&self) -> usize {
        self.entries.len() + 1
    }
}

/// Returns the form of a token that is compared.
fn folded(token: &str, lowercase: bool) -> Cow<'_, str> {
    if lowercase { token.to_lowercase().into() } else { token.into() }
}

/// The vocabulary of one column of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenVocabulary {
    /// The name of the column.
    pub column: String,
    /// The known tokens.
    pub vocabulary: Vocabulary,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(config: VocabularyConfig, counts: &[(&str, u64)]) -> Vec<String> {
        Vocabulary::build(&config, counts.iter().copied()).unwrap().entries().to_vec()
    }

    #[test]
    fn rare_tokens_and_those_beyond_the_size_are_left_out() {
        let counts = [("a", 1), ("b", 5), ("c", 3), ("d", 3), ("b", 1)];
        assert_eq!(build(VocabularyConfig::default(), &counts), ["b", "c", "d", "a"]);
        let config = VocabularyConfig { min_freq: 3, ..Default::default() };
        assert_eq!(build(config, &counts), ["b", "c", "d"]);
        let config = VocabularyConfig { max_size: Some(2), ..Default::default() };
        assert_eq!(build(config, &counts), ["b", "c"]);
        // The frequency counts before case is removed.
        let config = VocabularyConfig { lowercase: true, min_freq: 2, ..Default::default() };
        assert_eq!(build(config, &[("The", 1), ("the", 1), ("x", 1)]), ["the"]);
    }

    #[test]
    fn it_is_read_back_as_it_was_saved() {
        let config = VocabularyConfig { lowercase: true, ..Default::default() };
        let vocabulary = Vocabulary::build(&config, [("É", 1), ("z", 2)]).unwrap();
        let text = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(text, r#"{"lowercase":true,"entries":["z","é"]}"#);
        assert_eq!(serde_json::from_str::<Vocabulary>(&text).unwrap(), vocabulary);
    }

    #[test]
    fn wrong_vocabularies_are_refused() {
        let entries = |entries: &[&str]| entries.iter().map(ToString::to_string).collect();
        let error = Vocabulary::new(entries(&["a", "A"]), true).unwrap_err();
        assert_eq!(error.to_string(), "vocabulary: entry `A` is listed twice");
        assert!(Vocabulary::new(entries(&["a", "A"]), false).is_ok());
        let config = VocabularyConfig { max_size: Some(0), ..Default::default() };
        let error = Vocabulary::build(&config, [("a", 1)]).unwrap_err();
        assert_eq!(error.to_string(), "max_size is 0: expected at least 1");
    }
}
