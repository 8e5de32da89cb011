//! Unpacks the files of a data set from a zip archive.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::Failure;
use crate::signals::Signals;

/// The limit of the unpacked files together, for archives that are built to fill a disk.
const MAX_BYTES: u64 = 64 << 30;

/// Unpacks the files with these names, wherever they are in the archive, into `folder`. Returns those that the
/// archive contains, in its order.
///
/// # Errors
///
/// An entry with an absolute path or a path out of the folder, and a symbolic link, are errors even
/// without the ending `.ts`: an archive that contains one may be hostile.
pub(super) fn unpack(
    archive: &File,
    folder: &Path,
    wanted: &[String],
    signals: &Signals,
) -> Result<Vec<String>, Failure> {
    let failed = |name: &str, error: &dyn std::fmt::Display| {
        Failure::Failed(format!("archive: {}: {error}", name.escape_default()))
    };
    let mut archive =
        zip::ZipArchive::new(archive).map_err(|error| failed("not a zip file", &error))?;
    let (mut files, mut left) = (vec![], MAX_BYTES);
    for index in 0..archive.len() {
        if let Some(code) = signals.exit_code() {
            return Err(Failure::Interrupted(code));
        }
        let entry = archive.by_index(index).map_err(|error| failed("damaged", &error))?;
        let name = entry.name().map_err(|error| failed("damaged", &error))?.into_owned();
        // `enclosed_name` makes absolute paths relative, so they are rejected first.
        let absolute = name.starts_with(['/', '\\']) || name.contains(':');
        let path = entry.enclosed_name().filter(|_| !absolute && !entry.is_symlink());
        let path = path.ok_or_else(|| failed(&name, &"expected a path within the folder"))?;
        let Some(file) = path.file_name().and_then(|file| file.to_str()) else { continue };
        if entry.is_dir() || !wanted.iter().any(|wanted| wanted == file) {
            continue;
        }
        if files.iter().any(|known| known == file) {
            return Err(failed(&name, &"the archive contains this file twice"));
        }
        let mut out = File::create_new(folder.join(file)).map_err(|error| failed(&name, &error))?;
        let written = io::copy(&mut entry.take(left + 1), &mut out);
        let written = written.map_err(|error| failed(&name, &error))?;
        left = left.checked_sub(written).ok_or_else(|| failed(&name, &"too large"))?;
        out.sync_all().map_err(|error| failed(&name, &error))?;
        files.push(file.to_string());
    }
    Ok(files)
}
