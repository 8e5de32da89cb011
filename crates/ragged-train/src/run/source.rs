//! A file or folder of examples, in memory or streamed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ragged_datasets::Dataset;
use ragged_datasets::formats::{self, Column, Schema, StreamOptions, Streamed};

use crate::atomic_file::write_atomically;
use crate::config::sections::DataSection;
use crate::error::Result;
use crate::run::data_fingerprint::DataFingerprint;

/// A file or folder as it was read.
pub(crate) struct Source {
    pub(crate) data: Arc<dyn Dataset>,
    pub(crate) fingerprint: DataFingerprint,
    /// The decision what is predicted, as a sentence.
    pub(crate) target_summary: String,
    /// That the cache is too small for the order, if it is.
    pub(crate) cache_note: Option<String>,
    /// What the columns are read as.
    pub(crate) columns: Vec<Column>,
    /// What is known of the files, if they are streamed and it is not saved yet.
    pub(crate) index: Option<NewIndex>,
}

/// What is known of streamed files, to be saved with the run.
pub(crate) struct NewIndex {
    part: &'static str,
    data: Arc<Streamed>,
}

impl NewIndex {
    /// Writes the index into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        write_atomically(&file_name(folder, self.part), &self.data.index())
    }
}

/// Returns the path of the index of a part of the data.
fn file_name(folder: &Path, part: &str) -> PathBuf {
    folder.join(format!("{part}.index"))
}

impl Source {
    /// Reads a file or folder, with the schema of other data if there is one, or opens it to be streamed. `part` is the
    /// name of its index.
    pub(crate) fn open(
        section: &DataSection,
        part: &'static str,
        path: &Path,
        schema: Option<&Schema>,
    ) -> Result<Self> {
        if section.stream {
            let stream = StreamOptions { cache_bytes: section.cache_mb << 20 };
            let saved = section.index.as_ref().map(|folder| file_name(folder, part));
            let known = match saved.and_then(|path| std::fs::read(path).ok()) {
                Some(index) => Streamed::open_with(&index, path, &section.read, schema, stream)?,
                None => None,
            };
            let is_new = known.is_none();
            let data = match known {
                Some(data) => data,
                None => Streamed::open(path, &section.read, schema, stream)?,
            };
            let data = Arc::new(data);
            return Ok(Self {
                index: is_new.then(|| NewIndex { part, data: data.clone() }),
                fingerprint: DataFingerprint {
                    sequences: data.len(),
                    sha256: data.fingerprint().into(),
                },
                target_summary: data.target_summary().into(),
                cache_note: cache_note(section, &data),
                columns: data.columns().to_vec(),
                data,
            });
        }
        let data = match schema {
            Some(schema) => formats::read_as(path, &section.read, schema)?,
            None => formats::read(path, &section.read)?,
        };
        Ok(Self {
            fingerprint: DataFingerprint::of(&data),
            target_summary: data.target_summary(),
            cache_note: None,
            index: None,
            columns: data.columns().to_vec(),
            data: Arc::new(data),
        })
    }
}

/// Returns a note if what is mixed does not fit into the cache, so that it would be read several times.
fn cache_note(section: &DataSection, data: &Streamed) -> Option<String> {
    let DataSection { block_size, block_buffer, cache_mb, .. } = section;
    // Half as much again, since examples that are held out lie between those that are mixed.
    let needed = (data.mixed_bytes(*block_size, *block_buffer) * 3 / 2) >> 20;
    (needed > *cache_mb).then(|| {
        format!(
            "data.cache_mb is {cache_mb}, but the parts of the files with {block_buffer} blocks that are mixed need about \
             {needed}: expected more, or fewer blocks (data.block_buffer), since they are read again and again"
        )
    })
}
