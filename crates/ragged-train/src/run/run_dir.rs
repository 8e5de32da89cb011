//! The directory that contains everything a run leaves: `runs/<name>/<n>/`.
//!
//! ```text
//! config.toml                  the resolved configuration: training from it repeats the run
//! tokenizer.json               a copy of the file of data.read.tokenizer, if it names one
//! metrics.jsonl                one line per epoch, without times
//! best.safetensors             the checkpoint of the best epoch
//! last.safetensors             the checkpoint from which the run resumes
//! previous.safetensors         the one before, in case the last one is damaged
//! top/epoch-N.safetensors      the best k epochs, where checkpoint.keep is above 1
//! tensorboard/                 the metrics and more for TensorBoard, with times
//! offending-batch.safetensors  the batch whose loss or gradient is not finite, if there was one
//! loss.svg                     the losses over the epochs
//! confusion.svg, .txt          the confusion matrix on the test data, for classes
//! summary.json                 the result, written at the end of the run
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic_file::{
    PARTIAL, create_directory, parent, read_regular, sync_directory, write_atomically,
};
use crate::error::{Error, Result};
use crate::fit::record::EpochRecord;
use crate::objective::confusion_matrix::ClassScore;
use crate::objective::metrics::Metrics;
use crate::run::best_epochs::BestEpochs;
use crate::run::difference::ForcedResume;
use crate::run::run_lock::RunLock;

/// The directory of a run.
///
/// ```
/// use ragged_train::RunDir;
///
/// let runs = tempfile::tempdir().unwrap();
/// let first = RunDir::next(runs.path(), "sums", "seed = 1\n")?;
/// let second = RunDir::next(runs.path(), "sums", "seed = 2\n")?;
/// assert!(first.path().ends_with("sums/1") && second.path().ends_with("sums/2"));
/// assert_eq!(second.read_config()?, "seed = 2\n");
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
}

/// The result of a run: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The name of the run.
    pub name: String,
    /// What was trained, in words.
    pub trained: String,
    /// The epoch whose parameters were tested.
    pub epoch: usize,
    /// The loss, in words, and whether targets were scaled for it.
    pub minimised: String,
    /// The metrics on the test data.
    pub test: Metrics,
    /// The scores of every class on the test data, for classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassResult>,
    /// Examples in the test data.
    pub test_examples: usize,
    /// The number of parameters of the model.
    pub parameters: usize,
    /// Epochs trained: fewer than configured after early stopping.
    pub epochs: usize,
    /// Updates made.
    pub updates: u64,
    /// The wall-clock time of the training in the last process of the run.
    pub seconds: f64,
    /// The times that the run was resumed although something had changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<ForcedResume>,
}

/// The scores of a class on the test data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassResult {
    /// The name of the head that predicts the class, where there are heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The label of the class.
    pub label: String,
    /// Precision, recall, F1 score and the number of examples.
    #[serde(flatten)]
    pub scores: ClassScore,
}

impl RunDir {
    /// Creates the next free `<root>/<name>/<n>` with the resolved configuration in it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where it cannot be created.
    pub fn next(root: &Path, name: &str, config: &str) -> Result<Self> {
        let parent = root.join(name);
        create_directory(&parent)?;
        let entries = fs::read_dir(&parent).map_err(Error::io(&parent))?;
        let taken = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut n: u64 = taken.max().unwrap_or(0) + 1;
        loop {
            let path = parent.join(n.to_string());
            // Another process may have taken the number in the meantime.
            if let Some(run) = Self::create_whole(&path, config)? {
                return Ok(run);
            }
            n += 1;
        }
    }

    /// Creates this directory with the resolved configuration in it.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] where it exists already, [`Error::Io`] where it cannot be created.
    pub fn create(path: &Path, config: &str) -> Result<Self> {
        create_directory(parent(path))?;
        let run = if path.exists() { None } else { Self::create_whole(path, config)? };
        run.ok_or_else(|| Error::path(path, "exists already: expected a new directory for the run"))
    }

    /// Creates the directory together with the configuration, or returns `None` where the name is
    /// taken. A process that is killed leaves nothing, or a directory from which the run resumes.
    fn create_whole(path: &Path, config: &str) -> Result<Option<Self>> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o755));
        }
        let folder = builder.tempdir_in(parent(path)).map_err(Error::io(path))?;
        write_atomically(&folder.path().join("config.toml"), config.as_bytes())?;
        match fs::rename(folder.path(), path) {
            Ok(()) => {
                // The directory has been renamed, so there is nothing to delete.
                let _ = folder.keep();
                sync_directory(parent(path))?;
                Ok(Some(Self { path: path.to_path_buf() }))
            }
            Err(_) if path.exists() => Ok(None),
            Err(error) => Err(Error::io(path)(error)),
        }
    }

    /// Opens the directory of an existing run.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] where it is not the directory of a run.
    pub fn open(path: &Path) -> Result<Self> {
        let run = Self { path: path.to_path_buf() };
        if !run.config().is_file() {
            return Err(Error::path(path, "not a run directory: it has no config.toml"));
        }
        Ok(run)
    }

    /// Keeps other processes from training in the directory while the lock exists.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where another process has the lock.
    pub fn lock(&self) -> Result<RunLock> {
        RunLock::take(&self.path)
    }

    /// Returns the path of the folder with what is known of streamed files.
    pub fn indexes(&self) -> PathBuf {
        self.path.join("indexes")
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// Returns the path of `tokenizer.json`.
    pub fn tokenizer(&self) -> PathBuf {
        self.path.join("tokenizer.json")
    }

    /// Returns the path of `metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Returns the path of `best.safetensors`.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// Returns the path of `last.safetensors`.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// Returns the path of `previous.safetensors`.
    pub fn previous(&self) -> PathBuf {
        self.path.join("previous.safetensors")
    }

    /// Returns the path of `top/epoch-N.safetensors`.
    pub fn top(&self, epoch: usize) -> PathBuf {
        self.path.join("top").join(format!("epoch-{epoch}.safetensors"))
    }

    /// Removes the checkpoints in `top/` of epochs that are not among the best: a process that was killed between
    /// two changes has left them.
    pub(crate) fn remove_stale_tops(&self, best_epochs: &BestEpochs) -> Result<()> {
        let folder = self.path.join("top");
        if !folder.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let path = entry.map_err(Error::io(&folder))?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let epoch = name.strip_prefix("epoch-").and_then(|epoch| epoch.parse().ok());
            let Some(epoch) = epoch.filter(|&epoch| self.top(epoch) == path) else { continue };
            if !best_epochs.epochs().any(|best| best == epoch) {
                fs::remove_file(&path).map_err(Error::io(&path))?;
            }
        }
        Ok(())
    }

    /// Returns the path of `tensorboard/`.
    pub fn tensorboard(&self) -> PathBuf {
        self.path.join("tensorboard")
    }

    /// Returns the path of `offending-batch.safetensors`.
    pub fn bad_batch(&self) -> PathBuf {
        self.path.join("offending-batch.safetensors")
    }

    /// Returns the path of `summary.json`.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// Returns the text of the resolved configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where it cannot be read.
    pub fn read_config(&self) -> Result<String> {
        read_text(&self.config())
    }

    /// Returns the metrics of all epochs.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::JsonLine`] for the first line that cannot be understood.
    pub fn read_metrics(&self) -> Result<Vec<EpochRecord>> {
        let path = self.metrics();
        let text = read_text(&path)?;
        let parse = |(k, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|source| Error::JsonLine {
                path: path.clone(),
                line: k + 1,
                source,
            })
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// Returns the result of the run, or `None` if it has not ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::File`] for a file that cannot be understood.
    pub fn read_summary(&self) -> Result<Option<RunSummary>> {
        let path = self.summary();
        if !path.exists() {
            return Ok(None);
        }
        let summary = serde_json::from_slice(&read_regular(&path)?);
        summary.map(Some).map_err(|error| Error::file(&path, error.to_string()))
    }

    /// Whether a process trains in the directory.
    pub fn is_training(&self) -> bool {
        RunLock::is_taken(&self.path)
    }

    /// Writes a file of the directory, completely or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        write_atomically(&self.path.join(name), text.as_bytes())
    }

    /// Writes `summary.json`.
    pub(crate) fn write_summary(&self, summary: &RunSummary) -> Result<()> {
        self.write("summary.json", &(serde_json::to_string_pretty(summary)? + "\n"))
    }
}

fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read_regular(path)?).map_err(|_| Error::file(path, "expected UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::monitor::Monitor;

    /// A run that was killed between two changes of `top/` once ended with one file more than the undisturbed run.
    #[test]
    fn only_the_best_epochs_stay() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::create(&root.path().join("run"), "").unwrap();
        let mut best = BestEpochs::default();
        run.remove_stale_tops(&best).unwrap();
        best.insert(&Monitor::Loss, 0.5, 3, 2);
        create_directory(&run.path().join("top")).unwrap();
        let other = run.path().join("top/notes.txt");
        for path in [run.top(2), run.top(3), other.clone()] {
            fs::write(path, "").unwrap();
        }
        run.remove_stale_tops(&best).unwrap();
        assert_eq!([run.top(2), run.top(3), other].map(|path| path.exists()), [false, true, true]);
    }

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
        let message = "a/1: exists already: expected a new directory for the run";
        assert!(error.ends_with(message), "{error}");
        assert!(RunDir::open(root.path()).is_err());
        let run = RunDir::open(&root.path().join("a/1")).unwrap();
        let lock = run.lock().unwrap();
        let error = run.lock().unwrap_err().to_string();
        let message = "a/1: another process is training in this directory";
        assert!(error.ends_with(message), "{error}");
        drop(lock);
        run.lock().unwrap();
    }
}
