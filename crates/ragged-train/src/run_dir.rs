//! The folder in which a run leaves everything: `runs/<name>/<n>/`.
//!
//! ```text
//! config.toml           the configuration as resolved: training from it repeats the run
//! metrics.jsonl         one line an epoch, without times
//! best.safetensors      the checkpoint of the best epoch
//! last.safetensors      the checkpoint from which the run goes on
//! previous.safetensors  the one before, should the last one be damaged
//! top/epoch-N.safetensors  the best k epochs, where more than one is kept
//! tensorboard/          the same numbers and more for TensorBoard, with times
//! loss.svg              the losses over the epochs
//! confusion.svg .txt    which class was taken for which in the test, for classes
//! summary.json          the result, written when the run has ended
//! ```

use std::fs::{self, File};
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Epochs trained: fewer than configured where it stopped early.
    pub epochs: usize,
    /// Updates made.
    pub updates: u64,
    /// Wall time of the training, of the last process that worked on it.
    pub seconds: f64,
}

impl RunDir {
    /// Makes the next free `<root>/<name>/<n>` with the resolved configuration in it.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it cannot be made.
    pub fn next(root: &Path, name: &str, config: &str) -> Result<Self> {
        let parent = root.join(name);
        fs::create_dir_all(&parent).map_err(|error| Error::file(&parent, error))?;
        let numbers = fs::read_dir(&parent).map_err(|error| Error::file(&parent, error))?;
        let taken = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut n: u64 = taken.max().unwrap_or(0) + 1;
        loop {
            let path = parent.join(n.to_string());
            // Another run may have taken the number meanwhile.
            if let Some(run) = Self::make(&path, config)? {
                return Ok(run);
            }
            n += 1;
        }
    }

    /// Makes exactly this folder with the resolved configuration in it.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it exists already, or cannot be made.
    pub fn create(path: &Path, config: &str) -> Result<Self> {
        let parent = parent(path);
        fs::create_dir_all(parent).map_err(|error| Error::file(parent, error))?;
        let run = if path.exists() { None } else { Self::make(path, config)? };
        run.ok_or_else(|| Error::file(path, "exists already: a run needs a folder of its own"))
    }

    /// The folder with the configuration in it, at once; `None` where the name is taken.
    ///
    /// A run that is killed has either left nothing, or a folder from which it can be resumed.
    fn make(path: &Path, config: &str) -> Result<Option<Self>> {
        let failed = |error: std::io::Error| Error::file(path, error);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".partial-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o755));
        }
        let folder = builder.tempdir_in(parent(path)).map_err(failed)?;
        write_whole(&folder.path().join("config.toml"), config.as_bytes())?;
        match fs::rename(folder.path(), path) {
            Ok(()) => {
                // The folder has its name now: nothing is left to be taken away.
                let _ = folder.keep();
                Ok(Some(Self { path: path.to_path_buf() }))
            }
            Err(_) if path.exists() => Ok(None),
            Err(error) => Err(failed(error)),
        }
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

    /// Keeps other processes from training in the folder for as long as the result lives.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where one does already.
    pub fn lock(&self) -> Result<File> {
        let path = self.config();
        let file = File::open(&path).map_err(|error| Error::file(&path, error))?;
        file.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                Error::file(&self.path, "another process is training in this folder")
            }
            fs::TryLockError::Error(error) => Error::file(&path, error),
        })?;
        Ok(file)
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

    /// `previous.safetensors`.
    pub fn previous(&self) -> PathBuf {
        self.path.join("previous.safetensors")
    }

    /// `top/epoch-N.safetensors`.
    pub fn top(&self, epoch: usize) -> PathBuf {
        self.path.join("top").join(format!("epoch-{epoch}.safetensors"))
    }

    /// `tensorboard/`.
    pub fn tensorboard(&self) -> PathBuf {
        self.path.join("tensorboard")
    }

    /// `summary.json`.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// The resolved configuration's text.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it cannot be read.
    pub fn read_config(&self) -> Result<String> {
        fs::read_to_string(self.config()).map_err(|error| Error::file(&self.config(), error))
    }

    /// The metrics of all epochs.
    ///
    /// # Errors
    ///
    /// [`Error::File`] names the first line that cannot be read.
    pub fn read_metrics(&self) -> Result<Vec<EpochRecord>> {
        let path = self.metrics();
        let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, error))?;
        let parse = |(k, line): (usize, &str)| {
            serde_json::from_str(line)
                .map_err(|error| Error::file(&path, format!("line {}: {error}", k + 1)))
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// Writes a file of the folder, whole or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(write_whole(&self.path.join(name), text.as_bytes())?)
    }

    /// Writes the result.
    pub(crate) fn write_summary(&self, summary: &Summary) -> Result<()> {
        let text = serde_json::to_string_pretty(summary);
        let text = text.map_err(|error| Error::file(&self.summary(), error))?;
        self.write("summary.json", &format!("{text}\n"))
    }
}

/// The lines of `metrics.jsonl`, one added after each epoch.
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl MetricsFile {
    /// Goes on after the first `bytes` bytes: what lies behind them was written after the checkpoint
    /// that the run goes on from, and will come again.
    pub(crate) fn open(path: PathBuf, bytes: u64) -> Result<Self> {
        let open = || -> std::io::Result<File> {
            let file = File::options().create(true).append(true).open(&path)?;
            let len = file.metadata()?.len();
            if len < bytes {
                let reason = format!("has {len} bytes, but the checkpoint knows {bytes}");
                return Err(std::io::Error::other(reason));
            }
            if len > bytes {
                file.set_len(bytes)?;
            }
            Ok(file)
        };
        let file = open().map_err(|error| Error::file(&path, error))?;
        Ok(Self { path, file, bytes })
    }

    pub(crate) fn append(&mut self, record: &EpochRecord) -> Result<()> {
        let line = serde_json::to_string(record).map_err(|error| Error::file(&self.path, error))?;
        let line = line + "\n";
        self.file.write_all(line.as_bytes()).map_err(|error| Error::file(&self.path, error))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// The bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns once they are surely on disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| Error::file(&self.path, error))
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_and_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let next = |name: &str| RunDir::next(root.path(), name, "").unwrap();
        let name = |run: &RunDir| run.path().file_name().unwrap().to_str().unwrap().to_string();
        assert_eq!(name(&next("a")), "1");
        assert_eq!(name(&next("a")), "2");
        fs::create_dir(root.path().join("a/9")).unwrap();
        assert_eq!(name(&next("a")), "10");
        assert_eq!(name(&next("b")), "1");
        let error = RunDir::create(&root.path().join("a/1"), "").unwrap_err().to_string();
        assert!(error.ends_with("a/1: exists already: a run needs a folder of its own"), "{error}");
        assert!(RunDir::open(root.path()).is_err());
        let run = RunDir::open(&root.path().join("a/1")).unwrap();
        let lock = run.lock().unwrap();
        let error = run.lock().unwrap_err().to_string();
        assert!(error.ends_with("a/1: another process is training in this folder"), "{error}");
        drop(lock);
        run.lock().unwrap();
    }
}
