//! Files that appear complete or not at all.

use std::path::Path;

/// Writes the file under another name first, so that an error leaves no incomplete file behind.
pub(crate) fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let partial = path.with_added_extension("partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // It may not exist.
        let _ = std::fs::remove_file(&partial);
    }
    written
}
