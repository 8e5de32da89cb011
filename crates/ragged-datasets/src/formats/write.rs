//! Writing of files and bytes.

use std::io::{BufWriter, Cursor, Seek, Write};
use std::path::Path;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::formats::errors::unsupported;
use crate::formats::format::Format;
#[cfg(not(feature = "parquet"))]
use crate::formats::no_parquet as parquet;
#[cfg(feature = "parquet")]
use crate::formats::parquet;
use crate::formats::{csv, json_lines, npz, safetensors, ts};
use crate::in_memory::InMemory;

/// Writes a data set in the format of the ending of the path.
///
/// The file is written completely or not at all.
///
/// # Errors
///
/// [`Error::File`] if it cannot be written, [`Error::Parse`] for content that the format cannot hold.
pub fn write(path: &Path, dataset: &InMemory) -> Result<()> {
    write_if(path, dataset, |_, _| Ok(()))
}

/// Writes a data set, unless `check` refuses the file, which it gets under another name, with its format.
pub(super) fn write_if<T>(
    path: &Path,
    dataset: &InMemory,
    check: impl FnOnce(&Path, Format) -> Result<T>,
) -> Result<T> {
    let format = Format::of(path)?;
    let file = |error| Error::file(path, error);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default, but the result must be readable like other files.
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    let mut out = BufWriter::new(builder.tempfile_in(folder).map_err(file)?);
    write_output(dataset, format, &mut out).map_err(|error| error.in_file(path))?;
    let out = out.into_inner().map_err(|error| file(error.into_error()))?;
    out.as_file().sync_all().map_err(file)?;
    let checked = check(out.path(), format)?;
    out.persist(path).map_err(|error| file(error.error))?;
    Ok(checked)
}

/// Returns the bytes of a file in `format`.
///
/// # Errors
///
/// [`Error::Parse`] for content that the format cannot hold.
pub fn to_bytes(dataset: &InMemory, format: Format) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(vec![]);
    write_output(dataset, format, &mut bytes)?;
    Ok(bytes.into_inner())
}

fn write_output(
    dataset: &InMemory,
    format: Format,
    out: &mut (impl Write + Seek + Send),
) -> Result<()> {
    check(dataset, format)?;
    match format {
        Format::Ts => ts::write(dataset, out),
        Format::Csv => csv::write(dataset, out),
        Format::JsonLines => json_lines::write(dataset, out),
        Format::Npz => npz::write(dataset, out),
        Format::Safetensors => safetensors::write(dataset, out),
        Format::Parquet => parquet::write(dataset, out),
    }
}

/// Checks that a format holds tokens, static values and targets of the kinds that a data set has.
fn check(dataset: &InMemory, format: Format) -> Result<()> {
    let refuse = |content: &str| Err(unsupported(format.name(), content));
    let (is_lines, is_parquet) = (format == Format::JsonLines, format == Format::Parquet);
    if dataset.token_columns().len() > usize::from(is_lines) && !is_parquet {
        return refuse("these tokens: write `.parquet`, or `.jsonl` with one token per step");
    }
    if !dataset.static_columns().is_empty() && !is_parquet {
        return refuse("static columns: write `.parquet`");
    }
    if dataset.target_kind().is_transcription() && !is_lines && !is_parquet {
        return refuse("a list of labels: write `.jsonl` or `.parquet`");
    }
    if !dataset.target_kind().parts().is_empty() && !is_lines {
        return refuse("several targets with names: write `.jsonl`");
    }
    Ok(())
}
