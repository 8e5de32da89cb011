//! From the archive of a data set to its files in the data folder.

use std::path::Path;

use ragged_datasets::formats::{self, ReadOptions};

use super::{fetch, pins, unpack};
use crate::failure::Failure;
use crate::signals::Signals;

/// The names of the files that are now in `data`, and the archive's sum.
pub(super) fn fetch_into(
    name: &str,
    data: &Path,
    url: &str,
    signals: &Signals,
) -> Result<(Vec<String>, String), Failure> {
    let archive =
        fetch::fetch(&format!("{}/{name}.zip", url.trim_end_matches('/')), data, signals)?;
    let recorded = data.join(format!("{name}.zip.sha256"));
    check_recorded(&recorded, &archive.sha256)?;
    let folder = temporary(data)?;
    let files = unpack::unpack(archive.file.as_file(), folder.path(), signals)?;
    for part in ["TRAIN", "TEST"].map(|part| format!("{name}_{part}.ts")) {
        if !files.contains(&part) {
            return Err(Failure::Failed(format!("{name}.zip: expected {part} in it, got none")));
        }
    }
    check(name, folder.path())?;
    let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", data.display()));
    for file in &files {
        std::fs::rename(folder.path().join(file), data.join(file)).map_err(failed)?;
    }
    std::fs::write(&recorded, format!("{}  {name}.zip\n", archive.sha256)).map_err(failed)?;
    Ok((files, archive.sha256))
}

/// Compares the numbers with those that are known, for the sets that are pinned.
pub(super) fn check(name: &str, folder: &Path) -> Result<(), Failure> {
    for (part, expected) in pins::of(name).into_iter().flatten() {
        let path = folder.join(format!("{name}_{part}.ts"));
        let got = formats::read(&path, &ReadOptions::default())?.fingerprint();
        if got != *expected {
            let file = format!("{name}_{part}.ts");
            let reason = format!("{file}: expected numbers of sha256 {expected}, got {got}");
            return Err(Failure::Failed(reason));
        }
    }
    Ok(())
}

/// Compares the archive with the one that was fetched before, if one was.
fn check_recorded(path: &Path, got: &str) -> Result<(), Failure> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
    match text.split_whitespace().next() {
        Some(expected) if expected != got => {
            let reason = format!("{}: recorded {expected}, got {got}", path.display());
            Err(Failure::Failed(format!("{reason}: delete it to take the archive as it is now")))
        }
        _ => Ok(()),
    }
}

/// Makes the folder where it is not there; whether it was made.
pub(super) fn make_folder(path: &Path) -> Result<bool, Failure> {
    if path.is_dir() {
        return Ok(false);
    }
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    Ok(true)
}

fn temporary(folder: &Path) -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(folder)
        .map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}
