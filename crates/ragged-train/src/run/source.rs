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
                fingerprint: DataFingerprint::of_streamed(&data)?,
                target_summary: data.target_summary().into(),
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
            columns: data.columns().to_vec(),
            data: Arc::new(data),
        })
    }
}
