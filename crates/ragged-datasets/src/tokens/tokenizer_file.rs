//! A tokenizer with a vocabulary of its own, as Hugging Face's `tokenizers` saves it.

use std::fmt;
use std::path::Path;

use ragged_transforms::Vocabulary;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::tokens::tokenizer_json::Encoder;

/// A `tokenizer.json` file of Hugging Face: its normaliser, its rules, its model and its vocabulary.
///
/// The padding and the truncation of the file are not applied.
///
/// ```
/// use ragged_datasets::tokens::TokenizerFile;
///
/// let json = br#"{"pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel",
///     "vocab": {"[UNK]": 0, "to": 1, "be": 2}, "unk_token": "[UNK]"}}"#;
/// match TokenizerFile::parse(json, "tokenizer.json".as_ref()) {
///     Ok(file) => {
///         assert_eq!(file.ids("to be gone", false)?, [1, 2, 0]);
///         assert_eq!(file.split("to be gone", false)?, ["to", "be", "[UNK]"]);
///         assert_eq!((file.vocabulary().len(), file.vocabulary().unknown()), (3, Some(0)));
///     }
///     Err(error) => assert!(!TokenizerFile::IS_AVAILABLE, "{error}"),
/// }
/// # Ok::<(), String>(())
/// ```
pub struct TokenizerFile {
    bytes: Vec<u8>,
    encoder: Encoder,
    vocabulary: Vocabulary,
}

impl TokenizerFile {
    /// Whether this build reads such files, which is its feature `tokenizers`.
    pub const IS_AVAILABLE: bool = cfg!(feature = "tokenizers");

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] for a file that cannot be read, and as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| wrong(path, error.to_string());
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(wrong(path, "expected a regular file".into()));
        }
        Self::parse(&std::fs::read(path).map_err(failed)?, path)
    }

    /// Reads the content of a file. `path` names it in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] for content that is no tokenizer, for one without tokens, with an index of two tokens, with
    /// a token for unknown ones that is not in its vocabulary, or whose tokens are random (`dropout`); and for a build
    /// without the feature `tokenizers`.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let (encoder, vocabulary) = Encoder::parse(bytes).map_err(|reason| wrong(path, reason))?;
        Ok(Self { bytes: bytes.to_vec(), encoder, vocabulary })
    }

    /// Returns the content of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the SHA-256 sum of the content in hexadecimal digits.
    pub fn sha256(&self) -> String {
        Self::sha256_of(&self.bytes)
    }

    /// Returns the sum of other content, to compare it.
    pub fn sha256_of(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the tokens with their indices, those that were added to the model's included.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Returns how many special tokens, such as `[CLS]`, are added to a text if they are requested.
    pub fn special_tokens(&self) -> usize {
        self.encoder.special_tokens()
    }

    /// Returns the indices of the tokens of a text. `special_tokens` is whether the special tokens of the file are
    /// added to them.
    ///
    /// # Errors
    ///
    /// A reason, for a text that the model of the file cannot represent.
    pub fn ids(&self, text: &str, special_tokens: bool) -> Result<Vec<u32>, String> {
        self.encoder.ids(text, special_tokens)
    }

    /// Returns the tokens of a text, as the vocabulary has them.
    ///
    /// # Errors
    ///
    /// As [`ids`](Self::ids).
    pub fn split(&self, text: &str, special_tokens: bool) -> Result<Vec<String>, String> {
        let texts = self.vocabulary.texts();
        let token = |id: u32| {
            let token = texts.get(id as usize).cloned();
            token.ok_or_else(|| format!("the tokenizer gives id {id}, which no token has"))
        };
        self.ids(text, special_tokens)?.into_iter().map(token).collect()
    }
}

/// Two are equal if their content is.
impl PartialEq for TokenizerFile {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for TokenizerFile {}

impl fmt::Debug for TokenizerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.vocabulary.len();
        f.debug_struct("TokenizerFile").field("tokens", &tokens).finish_non_exhaustive()
    }
}

fn wrong(path: &Path, reason: String) -> Error {
    Error::Tokenizer { path: path.to_path_buf(), reason }
}
