//! The index of each known token.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most entries of a vocabulary, so that an index fits 32 bits.
const MOST_ENTRIES: usize = u32::MAX as usize;

/// An index that a file gives is smaller: a damaged file must not ask for all memory.
const MOST_GIVEN: u32 = 1 << 24;

/// The text of the entry for unknown tokens of a vocabulary that was built.
const UNKNOWN_TEXT: &str = "<unknown>";

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

/// The index of each token that was in the training data, or that a file gives an index.
///
/// If it was [built](Self::build), index 0 is the entry for unknown tokens. The others are in the order of falling
/// frequency, and of the alphabet where frequencies are equal, so that the order of the training data does not matter.
///
/// ```
/// use ragged_transforms::{Vocabulary, VocabularyConfig};
///
/// let counts = [("b", 1), ("a", 1), ("The", 2), ("the", 1)];
/// let config = VocabularyConfig { lowercase: true, ..Default::default() };
/// let vocabulary = Vocabulary::build(&config, counts)?;
/// assert_eq!(vocabulary.entries(), ["the", "a", "b"]);
/// assert_eq!((vocabulary.index("THE"), vocabulary.entry("dog"), vocabulary.len()), (Some(1), None, 4));
/// assert_eq!(vocabulary.index("dog"), vocabulary.unknown());
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Vocabulary {
    lowercase: bool,
    /// Whether a file gives the indices.
    given: bool,
    /// The text of each index, empty for one that no token has.
    texts: Vec<String>,
    unknown: Option<u32>,
    indices: HashMap<String, u32>,
}

/// A vocabulary as saved, not checked yet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    lowercase: bool,
    /// The known tokens in the order of their indices.
    entries: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<Given>,
}

/// What is saved of indices that a file gives.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// The index of the entry for unknown tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unknown: Option<u32>,
    /// The indices below the largest one that no token has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unused: Vec<u32>,
}

impl TryFrom<Saved> for Vocabulary {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let Some(Given { unknown, unused }) = saved.given else {
            return Self::new(saved.entries, saved.lowercase);
        };
        let unused: HashSet<u32> = unused.into_iter().collect();
        let used = (0..u32::MAX).filter(|index| !unused.contains(index));
        Self::with_indices(saved.entries.into_iter().zip(used), unknown)
    }
}

impl From<Vocabulary> for Saved {
    fn from(vocabulary: Vocabulary) -> Self {
        let Vocabulary { lowercase, given, texts, unknown, indices } = vocabulary;
        if !given {
            return Self { lowercase, entries: texts.into_iter().skip(1).collect(), given: None };
        }
        let (mut entries, mut unused) = (vec![], vec![]);
        for (text, index) in texts.into_iter().zip(0..) {
            match indices.get(&text) == Some(&index) {
                true => entries.push(text),
                false => unused.push(index),
            }
        }
        Self { lowercase, entries, given: Some(Given { unknown, unused }) }
    }
}

impl Vocabulary {
    /// Creates a vocabulary of entries in the order of their indices, from 1. Index 0 is the entry for unknown tokens.
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
        let texts = std::iter::once(UNKNOWN_TEXT.to_string()).chain(entries).collect();
        Ok(Self { lowercase, given: false, texts, unknown: Some(0), indices })
    }

    /// Creates a vocabulary of tokens with the indices that a file gives them, in any order. `unknown` is the index of
    /// the token that stands for unknown ones, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateEntry`] for a token that is listed twice, [`Error::DuplicateIndex`] for an index of two
    /// tokens, [`Error::TokenIndex`] for an index of at least 2^24 and for an `unknown` that is no index of a token.
    ///
    /// ```
    /// use ragged_transforms::Vocabulary;
    ///
    /// let tokens = [("[UNK]", 0), ("to", 3), ("be", 1)];
    /// let vocabulary = Vocabulary::with_indices(tokens.map(|(token, index)| (token.into(), index)), Some(0))?;
    /// assert_eq!((vocabulary.index("to"), vocabulary.index("or"), vocabulary.len()), (Some(3), Some(0), 4));
    /// # Ok::<(), ragged_transforms::Error>(())
    /// ```
    pub fn with_indices(
        tokens: impl IntoIterator<Item = (String, u32)>,
        unknown: Option<u32>,
    ) -> Result<Self> {
        let (mut texts, mut indices) = (vec![], HashMap::new());
        let mut used = vec![];
        for (token, index) in tokens {
            let at = index as usize;
            if index >= MOST_GIVEN {
                return Err(Error::TokenIndex { token, index, expected: "below 16777216" });
            }
            if at >= texts.len() {
                texts.resize(at + 1, String::new());
                used.resize(at + 1, false);
            }
            if std::mem::replace(&mut used[at], true) {
                return Err(Error::DuplicateIndex { index, first: texts[at].clone(), token });
            }
            if indices.insert(token.clone(), index).is_some() {
                return Err(Error::DuplicateEntry { entry: token });
            }
            texts[at] = token;
        }
        let is_used = |index: u32| used.get(index as usize).copied().unwrap_or(false);
        if let Some(index) = unknown.filter(|&index| !is_used(index)) {
            let (token, expected) = (UNKNOWN_TEXT.into(), "that is that of a token");
            return Err(Error::TokenIndex { token, index, expected });
        }
        Ok(Self { lowercase: false, given: true, texts, unknown, indices })
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

    /// Returns the index of a token, that of unknown tokens if it is not an entry. `None` if there is neither.
    pub fn index(&self, token: &str) -> Option<u32> {
        self.entry(token).or(self.unknown)
    }

    /// Returns the index of a token if it is an entry.
    pub fn entry(&self, token: &str) -> Option<u32> {
        self.indices.get(folded(token, self.lowercase).as_ref()).copied()
    }

    /// Returns the index of the entry for unknown tokens. `None` if a file gives the indices and has no such token.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Whether a file gives the indices, and not the training data.
    pub fn is_given(&self) -> bool {
        self.given
    }

    /// Whether tokens that differ only in case are one entry.
    pub fn is_lowercase(&self) -> bool {
        self.lowercase
    }

    /// Returns the entries in the order of their indices: from index 1 without the entry for unknown tokens, or from
    /// index 0 if a file gives the indices. An index that no token has is an empty text.
    pub fn entries(&self) -> &[String] {
        &self.texts[usize::from(!self.given)..]
    }

    /// Returns the text of each index, from 0. That of unknown tokens of a vocabulary that was built is `<unknown>`.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Returns the number of indices: one more than the largest.
    #[expect(clippy::len_without_is_empty, reason = "a model has an index for unknown tokens")]
    pub fn len(&self) -> usize {
        self.texts.len()
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

    fn given(tokens: &[(&str, u32)], unknown: Option<u32>) -> Result<Vocabulary> {
        let tokens = tokens.iter().map(|&(token, index)| (token.to_string(), index));
        Vocabulary::with_indices(tokens, unknown)
    }

    #[test]
    fn given_indices_are_kept_with_those_that_no_token_has() {
        let vocabulary = given(&[("b", 4), ("", 1), ("[UNK]", 2)], Some(2)).unwrap();
        assert_eq!((vocabulary.len(), vocabulary.entries().len()), (5, 5));
        let found = ["b", "", "[UNK]", "B"].map(|token| vocabulary.index(token));
        assert_eq!(found, [Some(4), Some(1), Some(2), Some(2)]);
        let text = serde_json::to_string(&vocabulary).unwrap();
        let saved = r#"{"lowercase":false,"entries":["","[UNK]","b"],"given":{"unknown":2,"unused":[0,3]}}"#;
        assert_eq!(text, saved);
        assert_eq!(serde_json::from_str::<Vocabulary>(&text).unwrap(), vocabulary);

        let vocabulary = given(&[("a", 0)], None).unwrap();
        assert_eq!((vocabulary.index("a"), vocabulary.index("b")), (Some(0), None));
        let text = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(serde_json::from_str::<Vocabulary>(&text).unwrap(), vocabulary);
    }

    #[test]
    fn wrong_given_indices_are_refused() {
        let error = |tokens, unknown| given(tokens, unknown).unwrap_err().to_string();
        let message = "vocabulary: index 3 is that of `a` and of `b`: expected one token";
        assert_eq!(error(&[("a", 3), ("b", 3)], None), message);
        assert_eq!(error(&[("a", 3), ("a", 4)], None), "vocabulary: entry `a` is listed twice");
        let message = "vocabulary: `a` has index 4294967295: expected one below 16777216";
        assert_eq!(error(&[("a", u32::MAX)], None), message);
        let message = "vocabulary: `<unknown>` has index 1: expected one that is that of a token";
        assert_eq!(error(&[("a", 2)], Some(1)), message);
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
