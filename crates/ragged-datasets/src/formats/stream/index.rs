//! What a streamed data set knows of its files, as bytes.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::formats::collect::Surveyed;
use crate::formats::folder;
use crate::formats::options::ReadOptions;
use crate::formats::schema::Schema;
use crate::formats::stream::blocks::SavedBlocks;
use crate::formats::stream::content::Content;

/// The version of the index. Those of other versions are made again.
const VERSION: u32 = 1;

/// The bytes of the sum before the index.
const SUM: usize = 32;

/// Files, as they were when they were opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Files(Vec<FileState>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileState {
    path: PathBuf,
    bytes: u64,
    /// Nanoseconds since 1970, if the file system has times.
    modified: Option<u128>,
}

impl Files {
    /// Returns the files of a path.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let state = |path: PathBuf| {
            let metadata = path.metadata().map_err(|error| Error::file(&path, error))?;
            let modified = metadata.modified().ok();
            let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified = modified.map(|duration| duration.as_nanos());
            Ok(FileState { path, bytes: metadata.len(), modified })
        };
        folder::files(path)?.into_iter().map(state).collect::<Result<_>>().map(Self)
    }

    /// Returns the paths in their order.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.0.iter().map(|file| file.path.clone()).collect()
    }
}

/// What an index is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    files: Files,
    pub(super) options: ReadOptions,
    /// What is not saved with the options.
    parts: bool,
    tokenizer: Option<String>,
    schema: Option<Schema>,
}

impl Key {
    pub(super) fn new(files: Files, options: &ReadOptions, schema: Option<&Schema>) -> Self {
        let tokenizer = options.tokenizer_file.as_ref().map(|file| file.sha256());
        let (parts, options) = (options.parts, options.clone());
        Self { files, options, parts, tokenizer, schema: schema.cloned() }
    }

    /// Whether a key that was saved is this one.
    fn is(&self, saved: &Self) -> bool {
        let options = ReadOptions {
            parts: self.parts,
            tokenizer_file: self.options.tokenizer_file.clone(),
            ..saved.options.clone()
        };
        *self == Self { options, ..saved.clone() }
    }
}

/// An index that was read.
#[derive(Deserialize)]
pub(super) struct Index {
    version: u32,
    key: Key,
    pub(super) surveyed: Surveyed,
    pub(super) blocks: SavedBlocks,
    pub(super) content: Content,
}

/// An index to write.
#[derive(Serialize)]
struct IndexRef<'a> {
    version: u32,
    key: &'a Key,
    surveyed: &'a Surveyed,
    blocks: &'a SavedBlocks,
    content: &'a Content,
}

/// Returns an index as its SHA-256 sum and JSON.
pub(super) fn to_bytes(
    key: &Key,
    surveyed: &Surveyed,
    blocks: &SavedBlocks,
    content: &Content,
) -> Vec<u8> {
    let index = IndexRef { version: VERSION, key, surveyed, blocks, content };
    // Paths that are not UTF-8 cannot be saved: then the files are read each time.
    let json = serde_json::to_vec(&index).unwrap_or_default();
    [Sha256::digest(&json).as_slice(), &json].concat()
}

impl Index {
    /// Reads an index. Returns `None` if it is damaged, or not of `key`.
    pub(super) fn parse(bytes: &[u8], key: &Key) -> Option<Self> {
        let (sum, json) = bytes.split_at_checked(SUM)?;
        if Sha256::digest(json).as_slice() != sum {
            return None;
        }
        let index: Self = serde_json::from_slice(json).ok()?;
        (index.version == VERSION && key.is(&index.key)).then_some(index)
    }
}
