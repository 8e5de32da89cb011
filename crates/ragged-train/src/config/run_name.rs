//! The name of a run, which is that of its directory.

use std::path::Path;

/// Returns the name for a data set: that of its file in lower case, with `-` for other characters. Any file can be
/// trained on, whatever its name.
pub(super) fn run_name(dataset: &str) -> String {
    let stem = Path::new(dataset).file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = stem.replace(|c| !is_plain(c), "-");
    match plain.trim_start_matches('.') {
        "" => "run".into(),
        name => name.into(),
    }
}

/// Returns whether a character can be part of the name of a run.
pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}
