//! The lock of a run directory: one directory, one run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::atomic_file::PARTIAL;
use crate::error::{Error, Result};

/// Keeps other processes from training in a directory while it exists.
///
/// The lock belongs to the directory itself and not to its path: a run whose directory was moved or deleted does
/// not write into the one that has taken its place.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    file: File,
}

impl RunLock {
    /// Takes the lock, and removes what processes that died have left unfinished.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where another process has it.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let file = open(path).map_err(Error::io(path))?;
        file.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                Error::file(path, "another process is training in this directory")
            }
            fs::TryLockError::Error(error) => Error::io(path)(error),
        })?;
        for folder in [path.to_path_buf(), path.join("top"), path.join("tensorboard")] {
            remove_partial(&folder)?;
        }
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Whether a process has the lock.
    pub(crate) fn is_taken(path: &Path) -> bool {
        let shared = open(path).map(|file| file.try_lock_shared());
        matches!(shared, Ok(Err(fs::TryLockError::WouldBlock)))
    }

    /// Checks that the path still names the directory.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the directory was moved or deleted.
    pub(crate) fn check(&self) -> Result<()> {
        let here = fs::metadata(&self.path).is_ok_and(|at_path| {
            self.file.metadata().is_ok_and(|locked| same_file(&at_path, &locked))
        });
        match here {
            true => Ok(()),
            false => {
                let reason = "moved or deleted during the training: nothing more was saved";
                Err(Error::file(&self.path, reason))
            }
        }
    }
}

/// Opens the file that is locked: the directory itself, or `config.toml` on systems that cannot open directories.
#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<File> {
    File::open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<File> {
    File::open(path.join("config.toml"))
}

#[cfg(unix)]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Other systems do not let a directory be moved while a file in it is open.
#[cfg(not(unix))]
fn same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// Removes files whose writing was not completed. A folder that does not exist has none.
fn remove_partial(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(Error::io(folder))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) && path.is_file() {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_lock() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        fs::create_dir(&path).unwrap();
        let lock = RunLock::take(&path).unwrap();
        assert!(RunLock::is_taken(&path));
        let error = RunLock::take(&path).unwrap_err().to_string();
        assert!(error.ends_with("run: another process is training in this directory"), "{error}");
        drop(lock);
        assert!(!RunLock::is_taken(&path));
        RunLock::take(&path).unwrap();
    }

    /// A run whose folder had been moved once wrote into the folder of the next run of that name.
    #[test]
    fn a_moved_or_deleted_directory_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        fs::create_dir(&path).unwrap();
        let lock = RunLock::take(&path).unwrap();
        lock.check().unwrap();
        fs::rename(&path, root.path().join("moved")).unwrap();
        assert!(lock.check().is_err());
        fs::create_dir(&path).unwrap();
        let error = lock.check().unwrap_err().to_string();
        assert!(
            error.ends_with("run: moved or deleted during the training: nothing more was saved")
        );
        RunLock::take(&path).unwrap().check().unwrap();
    }

    #[test]
    fn what_dead_processes_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let (partial, other) = (root.path().join(".partial-x"), root.path().join("notes.txt"));
        fs::write(&partial, "x").unwrap();
        fs::write(&other, "x").unwrap();
        RunLock::take(root.path()).unwrap();
        assert!(!partial.exists() && other.exists());
    }
}
