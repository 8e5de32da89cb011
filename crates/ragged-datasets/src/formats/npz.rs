//! `.npz` files: zip archives of NumPy arrays, as `np.savez` and `np.savez_compressed` write them.

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::{Error, Location, Result};
use crate::formats::arrays;
use crate::formats::collect::Collector;
use crate::formats::errors::io;
use crate::formats::npy;
use crate::in_memory::InMemory;

/// Reads the arrays and cuts them into sequences.
pub(super) fn read(input: impl Read + Seek, into: &mut Collector) -> Result<()> {
    let error = zip_error;
    let mut archive = ZipArchive::new(input).map_err(error)?;
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(error)?;
        let name = entry.name().map_err(error)?.into_owned();
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_string();
        let named = |reason: String| {
            Location::Whole
                .error(format!("{}: {reason}", name.chars().take(40).collect::<String>()))
        };
        let array = npy::read(&mut entry).map_err(named)?;
        // Reading to the end also verifies the checksum.
        match entry.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => return Err(named("expected the end of the array, got more bytes".into())),
            Err(error) => return Err(named(error.to_string())),
        }
        found.insert(name, array);
    }
    arrays::read(found, into)
}

/// Writes all arrays, uncompressed.
pub(super) fn write(dataset: &InMemory, out: &mut (impl Write + Seek)) -> Result<()> {
    let error = zip_error;
    let mut archive = ZipWriter::new(out);
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for (name, array) in arrays::arrays(dataset) {
        archive.start_file(format!("{name}.npy"), options).map_err(error)?;
        archive.write_all(&npy::write(&array)).map_err(io)?;
    }
    archive.finish().map_err(error)?;
    Ok(())
}

fn zip_error(error: zip::result::ZipError) -> Error {
    Location::Whole.caused_by(error.to_string(), error)
}
