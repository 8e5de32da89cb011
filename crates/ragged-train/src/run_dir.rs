//! The folder in which a run leaves everything: `runs/<name>/<n>/`.
//!
//! ```text
//! config.toml          the configuration as resolved: training from it repeats the run
//! metrics.jsonl        one line an epoch, without times
//! best.safetensors     the checkpoint of the lowest validation loss (training loss without one)
//! last.safetensors     the checkpoint of the last epoch
//! summary.json         the result, written when the run has ended
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ragged_models::write_whole;
use serde::{Deserialize, Serialize};

use crate::{EpochRecord, Error, Metrics, Result};

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
}

/// `summary.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// The run's name.
    pub name: String,
    /// What was trained, in words.
    pub trained: String,
    /// The epoch whose parameters were tested.
    pub epoch: usize,
    /// Over the test data.
    pub test: Metrics,
    /// Examples in the test data.
    pub test_examples: usize,
    /// Numbers in the model.
    pub parameters: usize,
    /// Updates made.
    pub updates: u64,
    /// Wall time of the training.
    pub seconds: f64,
}

impl RunDir {
    /// Makes the next free `<root>/<name>/<n>`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it cannot be made.
    pub fn next(root: &Path, name: &str) -> Result<Self> {
        let parent = root.join(name);
        fs::create_dir_all(&parent).map_err(|error| Error::file(&parent, error))?;
        let numbers = fs::read_dir(&parent).map_err(|error| Error::file(&parent, error))?;
        let taken = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut n: u64 = taken.max().unwrap_or(0) + 1;
        loop {
            let path = parent.join(n.to_string());
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                // Another run took the number meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(Error::file(&path, error)),
            }
        }
    }

    /// Makes exactly this folder.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it exists already, or cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| Error::file(parent, error))?;
        }
        fs::create_dir(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Error::file(path, "exists already: a run needs a folder of its own")
            }
            _ => Error::file(path, error),
        })?;
        Ok(Self { path: path.to_path_buf() })
    }

    /// A folder that a run has left.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it is no run's folder.
    pub fn open(path: &Path) -> Result<Self> {
        let run = Self { path: path.to_path_buf() };
        if !run.config().is_file() {
            return Err(Error::file(path, "not a run directory: it has no config.toml"));
        }
        Ok(run)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `best.safetensors`.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// `last.safetensors`.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// Writes the resolved configuration.
    pub(crate) fn write_config(&self, text: &str) -> Result<()> {
        Ok(write_whole(&self.config(), text.as_bytes())?)
    }

    /// Adds an epoch's line to the metrics.
    pub(crate) fn append(&self, record: &EpochRecord) -> Result<()> {
        let path = self.metrics();
        let append = || -> std::io::Result<()> {
            let line = serde_json::to_string(record)? + "\n";
            let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(line.as_bytes())
        };
        append().map_err(|error| Error::file(&path, error))
    }

    /// Writes the result.
    pub(crate) fn write_summary(&self, summary: &Summary) -> Result<()> {
        let path = self.path.join("summary.json");
        let text = serde_json::to_string_pretty(summary);
        let text = text.map_err(|error| Error::file(&path, error))?;
        Ok(write_whole(&path, format!("{text}\n").as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_and_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let name = |run: &RunDir| run.path().file_name().unwrap().to_str().unwrap().to_string();
        assert_eq!(name(&RunDir::next(root.path(), "a").unwrap()), "1");
        assert_eq!(name(&RunDir::next(root.path(), "a").unwrap()), "2");
        fs::create_dir(root.path().join("a/9")).unwrap();
        assert_eq!(name(&RunDir::next(root.path(), "a").unwrap()), "10");
        assert_eq!(name(&RunDir::next(root.path(), "b").unwrap()), "1");
        let error = RunDir::create(&root.path().join("a/1")).unwrap_err().to_string();
        assert!(error.ends_with("a/1: exists already: a run needs a folder of its own"), "{error}");
        assert!(RunDir::open(root.path()).is_err());
    }
}
