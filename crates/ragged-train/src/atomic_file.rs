//! Files that appear complete or not at all, the directories around them, and the reading of them.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// The beginning of the names of files whose writing is not complete.
pub(crate) const PARTIAL: &str = ".partial-";

/// Reads a file. A pipe or a device in its place is an error: reading it could wait for ever.
///
/// # Errors
///
/// [`Error::Io`] where it cannot be read, [`Error::File`] where it is no regular file.
pub(crate) fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let metadata = std::fs::metadata(path).map_err(Error::io(path))?;
    if !metadata.is_file() {
        return Err(Error::file(path, "expected a regular file"));
    }
    std::fs::read(path).map_err(Error::io(path))
}

/// Makes the names of a directory's files durable.
#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    std::fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(Error::io(path))
}

/// Other systems cannot open a directory to sync it.
#[cfg(not(unix))]
pub(crate) fn sync_directory(_: &Path) -> Result<()> {
    Ok(())
}

/// Creates a directory and the missing ones above it, and makes their names durable.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    std::fs::create_dir_all(path).map_err(Error::io(path))?;
    missing.into_iter().try_for_each(|created| sync_directory(parent(created)))
}

/// Returns the directory in which a path lies.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes `bytes` to a temporary file in the same directory, syncs it, and renames it to `path`. A
/// reader, or a process that starts after a crash, finds the old contents or the new ones.
///
/// # Errors
///
/// [`Error::Io`]; a file that existed before is then unchanged.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = parent(path);
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary files are readable by their owner only; results need not be.
            builder.permissions(std::fs::Permissions::from_mode(0o644));
        }
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(Error::io(path))?;
    sync_directory(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        let error = write_atomically(&path, b"x").unwrap_err().to_string();
        assert!(error.contains("taken"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let file = folder.path().join("new");
        write_atomically(&file, b"one").unwrap();
        write_atomically(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
    }
}
