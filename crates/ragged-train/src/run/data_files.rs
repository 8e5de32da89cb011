//! The files of a configuration, and whether their content is that of the training.

use std::path::{Path, PathBuf};

use ragged_datasets::formats::Format;

use crate::config::sections::DataSection;
use crate::error::{Error, Result};
use crate::run::data_fingerprint::DataFingerprint;

/// Returns whether the name of a data set is the path of a file or directory.
pub(crate) fn is_path(dataset: &str) -> bool {
    let path = Path::new(dataset);
    Format::of(path).is_ok() || path.is_dir() || dataset.contains(std::path::MAIN_SEPARATOR)
}

/// Returns the training file, and the test file where there is one.
pub(crate) fn paths(section: &DataSection) -> Result<(PathBuf, Option<PathBuf>)> {
    let dataset = section.dataset.as_str();
    let path = &find(section, Path::new(dataset));
    if is_path(dataset) || path.is_dir() {
        check_exists(path, None)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let test = stem.strip_suffix("_TRAIN").map(|stem| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{stem}_TEST.{ending}"))
        });
        return Ok((path.to_path_buf(), test.filter(|test| test.is_file())));
    }
    let file = |part: &str| find(section, &section.dir.join(format!("{dataset}_{part}.ts")));
    let (train, test) = (file("TRAIN"), file("TEST"));
    check_exists(&train, Some(dataset))?;
    check_exists(&test, Some(dataset))?;
    Ok((train, Some(test)))
}

/// Returns a relative path from the current directory, or from [`DataSection::base`] if it exists only there.
pub(crate) fn find(section: &DataSection, path: &Path) -> PathBuf {
    let from_base = section.base.as_ref().map(|base| base.join(path));
    match from_base {
        Some(from_base) if !path.exists() && from_base.exists() => from_base,
        _ => path.to_path_buf(),
    }
}

/// Returns an error for a file that does not exist. `name` is that of its data set of the archive.
pub(crate) fn check_exists(path: &Path, name: Option<&str>) -> Result<()> {
    match name {
        _ if path.exists() => Ok(()),
        None => Err(Error::path(path, "no such file")),
        Some(name) => {
            let (path, name) = (path.to_path_buf(), name.to_string());
            Err(Error::MissingDataset { path, name })
        }
    }
}

/// Checks that data are the same as in the training. `part` names them in errors.
///
/// # Errors
///
/// [`Error::DataChanged`] with both fingerprints.
pub(crate) fn check_unchanged(
    part: &'static str,
    expected: Option<&DataFingerprint>,
    got: Option<&DataFingerprint>,
) -> Result<()> {
    match (expected, got) {
        (Some(expected), Some(got)) if expected != got => {
            let (expected, got) = (expected.clone(), got.clone());
            Err(Error::DataChanged { part, expected, got })
        }
        _ => Ok(()),
    }
}
