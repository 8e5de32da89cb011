//! The vocabularies of the token columns of a data set.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tokens::statics::StaticEncoder;
use crate::tokens::vocabulary::{TokenVocabulary, Vocabulary};

/// The vocabularies of the token columns of a data set, and the encoder of its static columns, fitted to its training
/// examples.
///
/// ```
/// use ragged_transforms::{TokenEncoder, TokenVocabulary, Vocabulary};
///
/// let words = Vocabulary::new(vec!["to".into(), "be".into()], false)?;
/// let characters = Vocabulary::new(vec!["b".into(), "e".into(), "t".into(), "o".into()], false)?;
/// let columns = vec![TokenVocabulary { column: "tokens".into(), vocabulary: words }];
/// let encoder = TokenEncoder::new(columns, Some(characters))?;
/// assert_eq!(encoder.columns()[0].vocabulary.index("be"), Some(2));
/// // A word that is not known is still read by its characters.
/// assert_eq!(encoder.spell("bet!").unwrap(), [1, 2, 3, 0]);
/// # Ok::<(), ragged_transforms::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct TokenEncoder {
    columns: Vec<TokenVocabulary>,
    /// The characters of the tokens of the first column, if these are read character by character.
    #[serde(skip_serializing_if = "Option::is_none")]
    characters: Option<Vocabulary>,
    /// What the static columns of the data set become.
    #[serde(skip_serializing_if = "StaticEncoder::is_empty")]
    statics: StaticEncoder,
}

/// An encoder as saved, not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    columns: Vec<TokenVocabulary>,
    #[serde(default)]
    characters: Option<Vocabulary>,
    #[serde(default)]
    statics: StaticEncoder,
}

impl TryFrom<Saved> for TokenEncoder {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        Ok(Self::new(saved.columns, saved.characters)?.with_statics(saved.statics))
    }
}

impl TokenEncoder {
    /// Creates an encoder. `characters` is the vocabulary of the characters of the first column, if its tokens are
    /// also read character by character.
    ///
    /// # Errors
    ///
    /// [`Error::Zero`] for characters without a column whose tokens have them, [`Error::NoUnknown`] for a vocabulary of
    /// characters without an entry for unknown ones.
    pub fn new(columns: Vec<TokenVocabulary>, characters: Option<Vocabulary>) -> Result<Self> {
        if characters.is_some() && columns.is_empty() {
            return Err(Error::Zero { name: "the number of token columns" });
        }
        if characters.as_ref().is_some_and(|known| known.unknown().is_none()) {
            return Err(Error::NoUnknown);
        }
        Ok(Self { columns, characters, statics: StaticEncoder::default() })
    }

    /// Returns the encoder with one for the static columns of the data set.
    #[must_use]
    pub fn with_statics(self, statics: StaticEncoder) -> Self {
        Self { statics, ..self }
    }

    /// Returns the encoder of the static columns.
    pub fn statics(&self) -> &StaticEncoder {
        &self.statics
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns the vocabularies of the columns in their order.
    pub fn columns(&self) -> &[TokenVocabulary] {
        &self.columns
    }

    /// Returns the vocabulary of the characters, if tokens are also read character by character.
    pub fn characters(&self) -> Option<&Vocabulary> {
        self.characters.as_ref()
    }

    /// Returns the indices of the characters of a token, or `None` if tokens are not read character by character.
    pub fn spell(&self, token: &str) -> Option<Vec<u32>> {
        let characters = self.characters.as_ref()?;
        let mut buffer = [0; 4];
        token.chars().map(|c| characters.index(c.encode_utf8(&mut buffer))).collect()
    }
}
