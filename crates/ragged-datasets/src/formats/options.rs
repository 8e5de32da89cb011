//! How files are read.

use std::num::NonZeroU8;

use ragged_transforms::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::formats::csv::CsvColumns;
use crate::formats::format::Format;
use crate::formats::task::Task;

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
    /// How texts are divided into tokens. Default `words`.
    pub tokenizer: Tokenizer,
    /// The number of times that each step is read, at most 255. With [`Task::Transcription`], a target may be longer than
    /// its sequence of letters; repeated letters make room for it. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<NonZeroU8>,
    /// The columns of a table.
    pub csv: CsvColumns,
}
