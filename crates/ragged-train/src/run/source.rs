//! A file or folder of examples, in memory or streamed.

use std::path::Path;
use std::sync::Arc;

use ragged_datasets::Dataset;
use ragged_datasets::formats::{self, Column, Schema, StreamOptions, Streamed};

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
}

impl Source {
    /// Reads a file or folder, with the schema of other data if there is one, or opens it to be streamed.
    pub(crate) fn open(
        section: &DataSection,
        path: &Path,
        schema: Option<&Schema>,
    ) -> Result<Self> {
        if section.stream {
            let stream = StreamOptions { cache_bytes: section.cache_mb << 20 };
            let data = Streamed::open(path, &section.read, schema, stream)?;
            return Ok(Self {
                fingerprint: DataFingerprint {
                    sequences: data.len(),
                    sha256: data.fingerprint().into(),
                },
                target_summary: data.target_summary().into(),
                cache_note: cache_note(section, &data),
                columns: data.columns().to_vec(),
                data: Arc::new(data),
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
            columns: data.columns().to_vec(),
            data: Arc::new(data),
        })
    }
}

/// Returns a note if what is mixed does not fit into the cache, so that it would be read several times.
fn cache_note(section: &DataSection, data: &Streamed) -> Option<String> {
    let DataSection { block_size, block_buffer, cache_mb, .. } = section;
    // Half as much again, since examples that are held out lie between those that are mixed.
    let needed = data.mixed_bytes(*block_size, *block_buffer) * 3 / 2 >> 20;
    (needed > *cache_mb).then(|| {
        format!(
            "data.cache_mb is {cache_mb}, but the parts of the files with {block_buffer} blocks that are mixed need about \
             {needed}: expected more, or fewer blocks (data.block_buffer), since they are read again and again"
        )
    })
}
