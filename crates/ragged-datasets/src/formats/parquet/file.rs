//! A Parquet file and its row groups.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::reader::ColumnReader;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, FileReader};
use parquet::file::serialized_reader::SerializedFileReader;

use crate::error::{Error, Location, Result};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::decode::{decode, skip};
use crate::formats::parquet::kind::{ParquetColumn, columns};
use crate::formats::parquet::library_error::{library, text};
use crate::formats::table::csv_columns::CsvColumns;

/// The default of [`ParquetFile::chunk_bytes`].
const CHUNK_BYTES: usize = 4 << 20;

/// The number of parts into which a row group is divided, unless each would have more than this number times
/// [`ParquetFile::chunk_bytes`]: reading one skips those before it, which takes time, too.
const PARTS: usize = 8;

/// A file whose schema has been read.
pub(in crate::formats) struct ParquetFile {
    reader: Box<dyn FileReader>,
    columns: Vec<ParquetColumn>,
    /// The number of rows before each row group, and of all rows.
    starts: Vec<usize>,
    /// The bytes of the columns of a row group that are decoded at a time, about.
    pub(super) chunk_bytes: usize,
    /// Whether a column of row numbers is left out.
    has_index: bool,
}

/// The name under which pandas writes the index of a table, if it has no name.
const INDEX: &str = "__index_level_0__";

impl ParquetFile {
    /// Opens a file.
    pub(in crate::formats) fn open(path: &Path, csv: &CsvColumns) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::file(path, error))?;
        Self::new(file, csv)
    }

    /// Takes the bytes of a file.
    pub(in crate::formats) fn parse(bytes: Vec<u8>, csv: &CsvColumns) -> Result<Self> {
        Self::new(Bytes::from(bytes), csv)
    }

    fn new(input: impl ChunkReader + 'static, csv: &CsvColumns) -> Result<Self> {
        let length = input.len();
        let reader = contained(|| {
            SerializedFileReader::new(input).map_err(|error| {
                let reason = format!("not a Parquet file, or not all of one: {}", text(&error));
                Location::Whole.caused_by(reason, error)
            })
        })?;
        check_places(reader.metadata(), length)?;
        let mut columns = columns(reader.metadata().file_metadata().schema_descr());
        let lists = [&csv.features, &csv.targets].into_iter().flatten().flatten();
        let mut asked = lists.chain(&csv.series).chain(&csv.time).chain(csv.types.keys());
        let all = columns.len();
        if all > 1 && !asked.any(|name| name == INDEX) {
            columns.retain(|column| column.name != INDEX);
        }
        let has_index = columns.len() < all;
        let mut starts = vec![0];
        for group in reader.metadata().row_groups() {
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            starts.push(starts.last().copied().unwrap_or(0) + rows);
        }
        Ok(Self { reader: Box::new(reader), columns, starts, chunk_bytes: CHUNK_BYTES, has_index })
    }

    /// Returns the columns at the top level.
    pub(super) fn columns(&self) -> &[ParquetColumn] {
        &self.columns
    }

    /// Returns the name of a column that is left out, as it has the numbers of the rows.
    pub(super) fn left_out(&self) -> Option<&'static str> {
        self.has_index.then_some(INDEX)
    }

    /// Returns the number of rows.
    pub(super) fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Returns the row group with a row of the file, and its rows.
    pub(super) fn group_of(&self, row: usize) -> (usize, Range<usize>) {
        let group = self.starts.partition_point(|&start| start <= row).max(1) - 1;
        (group, self.starts[group]..self.starts[group + 1])
    }

    /// Returns how many rows of a row group to decode at a time.
    pub(super) fn step(&self, group: usize, wanted: &[bool]) -> usize {
        let metadata = self.reader.metadata().row_group(group);
        let size = |(_, column): (usize, &ParquetColumn)| {
            metadata.columns().get(column.leaf).map_or(0, |chunk| chunk.uncompressed_size())
        };
        let bytes = self.wanted(wanted).map(size).fold(0i64, i64::saturating_add);
        let chunks = usize::try_from(bytes).unwrap_or(0).div_ceil(self.chunk_bytes);
        let parts = chunks.min(PARTS).max(chunks / PARTS).max(1);
        let rows = self.starts[group + 1] - self.starts[group];
        rows.div_ceil(parts).max(1)
    }

    /// Checks that columns can be decompressed.
    pub(super) fn check_compression(&self, wanted: &[bool]) -> Result<()> {
        for group in self.reader.metadata().row_groups() {
            for (at, column) in self.wanted(wanted) {
                let chunk = group.columns().get(column.leaf);
                let compression = chunk.map_or(Compression::UNCOMPRESSED, |c| c.compression());
                let name = match compression {
                    Compression::UNCOMPRESSED
                    | Compression::SNAPPY
                    | Compression::GZIP(_)
                    | Compression::LZ4
                    | Compression::LZ4_RAW => continue,
                    Compression::ZSTD(_) => "zstd",
                    Compression::BROTLI(_) => "brotli",
                    Compression::LZO => "lzo",
                };
                let reason = format!(
                    "column `{}` is compressed by {name}: expected snappy, gzip, lz4 or none",
                    column.name
                );
                return Err(Location::Column(at + 1).error(reason));
            }
        }
        Ok(())
    }

    /// Opens the columns of a row group that are read.
    pub(super) fn open_group(
        &self,
        group: usize,
        wanted: &[bool],
    ) -> Result<Vec<Option<ColumnReader>>> {
        let group = contained(|| self.reader.get_row_group(group).map_err(library))?;
        let mut readers: Vec<Option<ColumnReader>> = self.columns.iter().map(|_| None).collect();
        for (at, column) in self.wanted(wanted) {
            let reader = contained(|| group.get_column_reader(column.leaf).map_err(library));
            readers[at] = Some(reader.map_err(|error| in_column(error, at))?);
        }
        Ok(readers)
    }

    /// Decodes the next rows of opened columns. `rows` are their indices in the file.
    pub(super) fn decode(
        &self,
        readers: &mut [Option<ColumnReader>],
        rows: Range<usize>,
    ) -> Result<Vec<Option<ColumnData>>> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let mut data: Vec<Option<ColumnData>> = self.columns.iter().map(|_| None).collect();
        for (at, column) in self.columns.iter().enumerate() {
            let Some(reader) = &mut readers[at] else { continue };
            let most = schema.column(column.leaf).max_def_level();
            let decoded =
                contained(|| decode(reader, column, most, at, rows.start + 1, rows.len()));
            data[at] = Some(decoded.map_err(|error| in_column(error, at))?);
        }
        Ok(data)
    }

    /// Skips the next rows of opened columns. Returns the fewest and the most that a column had.
    pub(super) fn skip(
        &self,
        readers: &mut [Option<ColumnReader>],
        rows: usize,
    ) -> Result<(usize, usize)> {
        let (mut least, mut most) = (rows, 0);
        for (at, reader) in readers.iter_mut().enumerate() {
            let Some(reader) = reader else { continue };
            let skipped = contained(|| skip(reader, rows));
            let skipped = skipped.map_err(|error| in_column(error, at))?;
            (least, most) = (least.min(skipped), most.max(skipped));
        }
        Ok((least, most))
    }

    /// Returns the columns that are read, with their numbers.
    fn wanted<'a>(
        &'a self,
        wanted: &'a [bool],
    ) -> impl Iterator<Item = (usize, &'a ParquetColumn)> {
        self.columns.iter().enumerate().filter(|(at, _)| wanted[*at])
    }
}

/// Checks that the data of all columns are in the file.
fn check_places(metadata: &ParquetMetaData, length: u64) -> Result<()> {
    for group in metadata.row_groups() {
        for chunk in group.columns() {
            let begin = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let begin = begin.min(chunk.data_page_offset());
            let end = begin.checked_add(chunk.compressed_size());
            let is_inside = |end: i64| u64::try_from(end).is_ok_and(|end| end <= length);
            if begin < 0 || chunk.compressed_size() < 0 || !end.is_some_and(is_inside) {
                let name = chunk.column_path().string();
                let reason =
                    format!("the file is damaged: the data of column `{name}` are not in it");
                return Err(Location::Whole.error(reason));
            }
        }
    }
    Ok(())
}

/// Returns the result of reading, and an error where the library panics on a damaged file.
fn contained<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    // Nothing that `read` has changed is used after a panic.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    result.unwrap_or_else(|_| Err(Location::Whole.error("the file is damaged")))
}

/// Names the column of an error without a location.
fn in_column(error: Error, column: usize) -> Error {
    match error {
        Error::Parse { path, location: Location::Whole, reason, source } => {
            Error::Parse { path, location: Location::Column(column + 1), reason, source }
        }
        other => other,
    }
}
