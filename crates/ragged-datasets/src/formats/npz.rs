//! `.npz` files: zip archives of NumPy arrays, as `np.savez` and `np.savez_compressed` write them.

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::{Error, Location, Result};
use crate::formats::arrays::{self, MAX_BYTES};
use crate::formats::collect::Collector;
use crate::formats::errors::io;
use crate::formats::npy;
use crate::in_memory::InMemory;

/// Arrays up to this size may be compressed by any ratio: 64 MiB.
const ANY_RATIO: u64 = 64 << 20;

/// The highest ratio by which larger arrays may be compressed. Measured values reach 20 or so; an archive that is
/// built to fill the memory has up to 1000.
const MAX_RATIO: u64 = 200;

/// Checks the size that an entry has in memory, after `before` bytes of others.
fn check_size(size: u64, compressed: u64, before: u64) -> Result<(), String> {
    let total = before.saturating_add(size);
    if total > MAX_BYTES as u64 {
        return Err(format!("{total} bytes with the arrays before: expected at most {MAX_BYTES}"));
    }
    let ratio = size / compressed.max(1);
    if size > ANY_RATIO && ratio > MAX_RATIO {
        return Err(format!(
            "{size} bytes, compressed to {compressed}, by {ratio} to 1: expected at most \
             {MAX_RATIO} to 1 for arrays above {ANY_RATIO} bytes"
        ));
    }
    Ok(())
}

/// Reads the arrays and cuts them into sequences.
pub(super) fn read(input: impl Read + Seek, into: &mut Collector) -> Result<()> {
    let error = zip_error;
    let mut archive = ZipArchive::new(input).map_err(error)?;
    let mut found = BTreeMap::new();
    let mut total = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(error)?;
        let name = entry.name().map_err(error)?.into_owned();
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_string();
        let named = |reason: String| {
            Location::Whole
                .error(format!("{}: {reason}", name.chars().take(40).collect::<String>()))
        };
        let size = entry.size();
        check_size(size, entry.compressed_size(), total).map_err(named)?;
        total += size;
        // The sizes are those that the archive declares. More than that is not read.
        let mut entry = entry.take(size + 1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::options::ReadOptions;

    #[test]
    fn archives_that_would_fill_the_memory_are_refused() {
        assert_eq!(check_size(1 << 20, 1 << 10, 0), Ok(()));
        assert_eq!(check_size(1 << 30, 1 << 24, 0), Ok(()));
        let error = check_size(1 << 30, 1 << 20, 0).unwrap_err();
        assert!(
            error.starts_with("1073741824 bytes, compressed to 1048576, by 1024 to 1"),
            "{error}"
        );
        let error = check_size(1 << 31, 1 << 31, 3 << 30).unwrap_err();
        assert!(error.ends_with("expected at most 4294967296"), "{error}");
    }

    /// 70 MiB of zeros in some tens of KiB.
    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let mut archive = ZipWriter::new(std::io::Cursor::new(vec![]));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file("values.npy", options).unwrap();
        let block = vec![0; 1 << 20];
        (0..70).for_each(|_| archive.write_all(&block).unwrap());
        let bytes = archive.finish().unwrap();
        let error = read(bytes, &mut Collector::new(&ReadOptions::default(), None))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("values: 73400320 bytes, compressed to "), "{error}");
    }
}
