//! `metrics.jsonl`: one line of JSON per epoch.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::fit::record::EpochRecord;

/// Appends the records of epochs to `metrics.jsonl`.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl MetricsFile {
    /// Opens the file and truncates it to `bytes` bytes. The lines after them were written after the
    /// checkpoint from which the run resumes, and will be written again.
    pub(crate) fn open(path: PathBuf, bytes: u64) -> Result<Self> {
        let failed = Error::io(&path);
        let file = File::options().create(true).append(true).open(&path).map_err(&failed)?;
        let length = file.metadata().map_err(&failed)?.len();
        if length < bytes {
            let reason =
                format!("expected at least {bytes} bytes, as in the checkpoint, got {length}");
            return Err(Error::file(&path, reason));
        }
        if length > bytes {
            file.set_len(bytes).map_err(&failed)?;
        }
        drop(failed);
        Ok(Self { path, file, bytes })
    }

    /// Appends a line.
    pub(crate) fn append(&mut self, record: &EpochRecord) -> Result<()> {
        let line = serde_json::to_string(record)? + "\n";
        self.file.write_all(line.as_bytes()).map_err(Error::io(&self.path))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Returns the size of the file in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits until all lines are on disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path))
    }
}
