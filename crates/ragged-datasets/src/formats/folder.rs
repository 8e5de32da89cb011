//! Folders of files: a list of files, or one folder per class.
//!
//! Files are read in the order of their names, without hidden ones. If the folder contains folders,
//! their names are the classes of the sequences in them, whatever targets their files have.

use std::path::{Path, PathBuf};

use crate::error::{Error, Location, Result};
use crate::formats::collect::Collector;

/// Reads a folder with `read_file`.
pub(super) fn read(
    path: &Path,
    into: &mut Collector,
    read_file: &mut dyn FnMut(&Path, &mut Collector) -> Result<()>,
) -> Result<()> {
    let error = |reason: &str| Err(Location::Whole.error(reason).in_file(path));
    let entries = entries(path)?;
    let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|e| e.is_dir());
    if folders.is_empty() && files.is_empty() {
        return error("expected a file, got an empty folder");
    }
    if !folders.is_empty() && !files.is_empty() {
        return error("expected files, or one folder for each class, got both");
    }
    let ends_in = |path: &PathBuf, ending: &str| {
        path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(ending))
    };
    if files.iter().any(|f| ends_in(f, "_TRAIN")) && files.iter().any(|f| ends_in(f, "_TEST")) {
        return error("expected the path of one file, got a folder of training and test files");
    }
    for file in &files {
        read_file(file, into)?;
    }
    for folder in &folders {
        let Some(label) = folder.file_name().and_then(|name| name.to_str()) else {
            let reason = "expected a folder name in UTF-8, which is the label of a class";
            return Err(Location::Whole.error(reason).in_file(folder));
        };
        into.label_all(Some(label));
        for file in self::entries(folder)? {
            if file.is_dir() {
                let reason = "expected a file in the folder of a class, got a folder";
                return Err(Location::Whole.error(reason).in_file(&file));
            }
            read_file(&file, into)?;
        }
        into.label_all(None);
    }
    Ok(())
}

/// Returns a file, or the files of a folder, which has no folders.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = entries(path)?;
    let error = |path: &Path, reason: &str| Err(Location::Whole.error(reason).in_file(path));
    match entries.iter().find(|entry| entry.is_dir()) {
        Some(folder) => error(folder, "expected files to stream from, got a folder"),
        None if entries.is_empty() => error(path, "expected a file, got an empty folder"),
        None => Ok(entries),
    }
}

/// Returns the content of a folder, sorted by name.
fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let file = |error| Error::file(path, error);
    let mut entries = vec![];
    for entry in std::fs::read_dir(path).map_err(file)? {
        let entry = entry.map_err(file)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}
