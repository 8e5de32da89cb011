//! Folders of files: all of them one after another, or a folder a class.
//!
//! Files come in the order of their names; hidden ones are left out. Where the folder has folders,
//! their names are the classes of the sequences in them, whatever targets the files have.

use std::path::{Path, PathBuf};

use super::collect::Collector;
use super::{ReadOptions, read_file};
use crate::error::Place;
use crate::{Error, Result};

/// Reads a folder.
pub(super) fn read(path: &Path, options: &ReadOptions, into: &mut Collector) -> Result<()> {
    let error = |reason: &str| Err(Place::Whole.error(reason).in_file(path));
    let entries = entries(path)?;
    let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|e| e.is_dir());
    if folders.is_empty() && files.is_empty() {
        return error("expected a file, got an empty folder");
    }
    if !folders.is_empty() && !files.is_empty() {
        return error("expected files, or a folder for each class, got both");
    }
    let part = |path: &PathBuf, part: &str| {
        path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(part))
    };
    if files.iter().any(|f| part(f, "_TRAIN")) && files.iter().any(|f| part(f, "_TEST")) {
        return error("has training and test files: expected one of them by its own path");
    }
    for file in &files {
        read_file(file, options, into)?;
    }
    for folder in &folders {
        let Some(label) = folder.file_name().and_then(|name| name.to_str()) else {
            let reason = "expected a name in UTF-8, which is a class";
            return Err(Place::Whole.error(reason).in_file(folder));
        };
        let before = into.len();
        for file in self::entries(folder)? {
            if file.is_dir() {
                let reason = "expected a file in a class's folder, got a folder";
                return Err(Place::Whole.error(reason).in_file(&file));
            }
            read_file(&file, options, into)?;
        }
        into.relabel(before, label);
    }
    Ok(())
}

/// What is in a folder, by name.
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
