//! What divides texts into tokens, as it is configured and as it is used.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ragged_transforms::Tokenizer;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::tokens::tokenizer_file::TokenizerFile;

/// What divides texts into tokens: a rule, or a file with a vocabulary of its own.
///
/// It is written as one text: the name of a rule, or a path that ends with `.json`.
///
/// ```
/// use ragged_datasets::tokens::{TextTokenizer, Tokenizer};
///
/// let read = |text: &str| serde_json::from_str::<TextTokenizer>(text).unwrap();
/// assert_eq!(read("\"bytes\""), TextTokenizer::Rule(Tokenizer::Bytes));
/// assert_eq!(read("\"bert/tokenizer.json\""), TextTokenizer::File("bert/tokenizer.json".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTokenizer {
    /// A rule. The vocabulary is built from the training data.
    Rule(Tokenizer),
    /// The path of a [`TokenizerFile`].
    File(PathBuf),
}

/// The rules by their names, and what else is possible.
const RULES: [(&str, Tokenizer); 4] = [
    ("words", Tokenizer::Words),
    ("white-space", Tokenizer::WhiteSpace),
    ("characters", Tokenizer::Characters),
    ("bytes", Tokenizer::Bytes),
];

const EXPECTED: &[&str] = &["words", "white-space", "characters", "bytes", "PATH.json"];

impl TextTokenizer {
    /// Returns the path of the file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Rule(_) => None,
            Self::File(path) => Some(path),
        }
    }
}

impl Default for TextTokenizer {
    fn default() -> Self {
        Self::Rule(Tokenizer::default())
    }
}

impl From<Tokenizer> for TextTokenizer {
    fn from(rule: Tokenizer) -> Self {
        Self::Rule(rule)
    }
}

impl Serialize for TextTokenizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rule(rule) => rule.serialize(serializer),
            Self::File(path) => path.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TextTokenizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = TextTokenizer;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TextTokenizer, E> {
                if let Some((_, rule)) = RULES.iter().find(|(name, _)| *name == text) {
                    return Ok(TextTokenizer::Rule(*rule));
                }
                match Path::new(text).extension() {
                    Some(ending) if ending.eq_ignore_ascii_case("json") => {
                        Ok(TextTokenizer::File(text.into()))
                    }
                    _ => Err(E::unknown_variant(text, EXPECTED)),
                }
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// What divides texts, ready for use.
#[derive(Debug, Clone)]
pub(crate) enum Splitter {
    Rule(Tokenizer),
    File {
        /// The path that was configured.
        path: PathBuf,
        file: Arc<TokenizerFile>,
        /// Whether special tokens are added.
        special_tokens: bool,
    },
}

impl Splitter {
    /// Returns the tokens of a text, or why it has none.
    pub(crate) fn split(&self, text: &str) -> Result<Vec<String>, String> {
        match self {
            Self::Rule(rule) => Ok(rule.split(text)),
            Self::File { file, special_tokens, .. } => file.split(text, *special_tokens),
        }
    }

    /// Returns what the tokens are, in words.
    pub(crate) fn parts(&self) -> String {
        match self {
            Self::Rule(rule) => rule.parts().into(),
            Self::File { path, special_tokens: false, .. } => {
                format!("the tokens of {}, without special ones", path.display())
            }
            Self::File { path, special_tokens: true, .. } => {
                format!("the tokens of {}, with special ones", path.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_name_or_a_path_and_is_written_as_it_was_read() {
        for text in ["words", "white-space", "characters", "bytes", "a/b.json", "x.JSON"] {
            let json = format!("\"{text}\"");
            let read: TextTokenizer = serde_json::from_str(&json).unwrap();
            assert_eq!(read.path().is_some(), text.contains('.'));
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
        let error = serde_json::from_str::<TextTokenizer>("\"word\"").unwrap_err().to_string();
        let message = "unknown variant `word`, expected one of `words`, `white-space`, `characters`, `bytes`, \
                       `PATH.json`";
        assert!(error.starts_with(message), "{error}");
        assert_eq!(TextTokenizer::default(), Tokenizer::default().into());
    }
}
