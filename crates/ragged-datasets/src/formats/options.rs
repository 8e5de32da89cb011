//! How files are read.

use std::num::NonZeroU8;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::formats::format::Format;
use crate::formats::table::CsvColumns;
use crate::formats::task::Task;
use crate::tokens::text_tokenizer::{Splitter, TextTokenizer};
use crate::tokens::tokenizer_file::TokenizerFile;

/// How a file is read. The default is for files whose ending and content are unambiguous.
///
/// ```
/// use ragged_datasets::formats::{ReadOptions, Task};
///
/// let options = ReadOptions { task: Some(Task::Classification), ..Default::default() };
/// assert_eq!(options.format, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// The format. Default by the ending of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What is predicted. Default by the targets in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// How texts are divided into tokens: `words`, `white-space`, `characters`, `bytes`, or the path of a
    /// `tokenizer.json` file. Default `words`.
    pub tokenizer: TextTokenizer,
    /// Whether the special tokens of a `tokenizer.json` file, such as `[CLS]`, are added to the tokens of a text. Default
    /// false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub special_tokens: bool,
    /// The content of the file of `tokenizer`. Default none: it is read from its path, each time that data are read.
    #[serde(skip)]
    pub tokenizer_file: Option<Arc<TokenizerFile>>,
    /// The number of times that each step is read, at most 255. With [`Task::Transcription`], a target may be longer than
    /// its sequence of letters; repeated letters make room for it. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<NonZeroU8>,
    /// Whether each target is one of several with names ([`TargetKind::Parts`](crate::TargetKind::Parts)), even if all
    /// targets are numbers, or there is only one. It follows from the heads of a model and is not saved. Default false:
    /// only targets of different kinds and several classes are.
    #[serde(skip)]
    pub parts: bool,
    /// The columns of a table.
    pub csv: CsvColumns,
}

impl ReadOptions {
    /// Returns what divides texts.
    pub(crate) fn splitter(&self) -> Result<Splitter> {
        let path = match &self.tokenizer {
            TextTokenizer::Rule(rule) => return Ok(Splitter::Rule(*rule)),
            TextTokenizer::File(path) => path,
        };
        let file = match &self.tokenizer_file {
            Some(file) => file.clone(),
            None => Arc::new(TokenizerFile::read(path)?),
        };
        self.check_special_tokens(&file, path)?;
        Ok(Splitter::File { path: path.clone(), file, special_tokens: self.special_tokens })
    }

    /// Checks that a file has special tokens if they are requested.
    fn check_special_tokens(&self, file: &TokenizerFile, path: &Path) -> Result<()> {
        if self.special_tokens && file.special_tokens() == 0 {
            let reason = "special_tokens is true, but the file adds none to a text: expected false";
            return Err(Error::Tokenizer { path: path.to_path_buf(), reason: reason.into() });
        }
        Ok(())
    }
}
