//! Installs the files of a data set in the data folder.

use std::path::Path;

use ragged_datasets::formats::{self, ReadOptions, Schema};

use crate::download::{fetch, fingerprints, unpack};
use crate::failure::Failure;
use crate::signals::Signals;
use crate::whole_file::write_whole;

/// The files that were installed, and the SHA-256 sum of their archive.
pub(super) struct Installed {
    pub(super) files: Vec<String>,
    pub(super) sha256: String,
}

/// Downloads the archive of a data set, unpacks it next to the data folder's files, checks them, and
/// moves them into the folder.
pub(super) fn install(
    name: &str,
    data: &Path,
    url: &str,
    signals: &Signals,
) -> Result<Installed, Failure> {
    let archive =
        fetch::fetch(&format!("{}/{name}.zip", url.trim_end_matches('/')), data, signals)?;
    let recorded = data.join(format!("{name}.zip.sha256"));
    check_recorded(&recorded, &archive.sha256)?;
    let folder = temporary(data)?;
    let parts = ["TRAIN", "TEST"].map(|part| format!("{name}_{part}.ts"));
    let files = unpack::unpack(archive.file.as_file(), folder.path(), &parts, signals)?;
    for part in &parts {
        if !files.contains(part) {
            return Err(Failure::Failed(format!("{name}.zip: expected the file {part}, got none")));
        }
    }
    // Files that cannot be read are not put in place. They are no input that the user gave.
    let [train, test] = parts.map(|part| folder.path().join(part));
    let unread = |error: ragged_datasets::Error| Failure::Failed(error.to_string());
    let data_set = formats::read(&train, &ReadOptions::default()).map_err(unread)?;
    let schema = Schema::of(&data_set);
    formats::read_as(&test, &ReadOptions::default(), schema).map_err(unread)?;
    check(name, folder.path())?;
    let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", data.display()));
    for file in &files {
        std::fs::rename(folder.path().join(file), data.join(file)).map_err(failed)?;
    }
    write_whole(&recorded, &format!("{}  {name}.zip\n", archive.sha256)).map_err(failed)?;
    Ok(Installed { files, sha256: archive.sha256 })
}

/// Compares the values with the known ones, for the data sets that have a fingerprint here.
pub(super) fn check(name: &str, folder: &Path) -> Result<(), Failure> {
    for (part, expected) in fingerprints::of(name).into_iter().flatten() {
        let path = folder.join(format!("{name}_{part}.ts"));
        let got = formats::read(&path, &ReadOptions::default())?.fingerprint();
        if got != *expected {
            let text = format!(
                "{name}_{part}.ts: expected values with the SHA-256 sum {expected}, got {got}"
            );
            return Err(Failure::Failed(text));
        }
    }
    Ok(())
}

/// Compares the archive with the one that was downloaded before, if there was one.
fn check_recorded(path: &Path, got: &str) -> Result<(), Failure> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
    match text.split_whitespace().next() {
        Some(expected) if expected != got => {
            let text = format!("{}: expected {expected}, got {got}", path.display());
            Err(Failure::Failed(format!("{text}: delete this file to accept the new archive")))
        }
        _ => Ok(()),
    }
}

/// Creates the folder unless it exists. Returns whether it was created.
pub(super) fn create_folder(path: &Path) -> Result<bool, Failure> {
    if path.is_dir() {
        return Ok(false);
    }
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    Ok(true)
}

/// Creates a folder within `folder` that is removed when it is dropped.
fn temporary(folder: &Path) -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(folder)
        .map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}
