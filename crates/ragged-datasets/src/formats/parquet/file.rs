//! A Parquet file and its row groups.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, FileReader};
use parquet::file::serialized_reader::SerializedFileReader;

use crate::error::{Error, Location, Result};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::decode::decode;
use crate::formats::parquet::kind::{ParquetColumn, columns};
use crate::formats::parquet::library_error::{library, text};
use crate::formats::table::csv_columns::CsvColumns;

/// A file whose schema has been read.
pub(in crate::formats) struct ParquetFile {
    reader: Box<dyn FileReader>,
    columns: Vec<ParquetColumn>,
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
        Ok(Self { reader: Box::new(reader), columns, has_index })
    }

    /// Returns the columns at the top level.
    pub(super) fn columns(&self) -> &[ParquetColumn] {
        &self.columns
    }

    /// Returns the name of a column that is left out, as it has the numbers of the rows.
    pub(super) fn left_out(&self) -> Option<&'static str> {
        self.has_index.then_some(INDEX)
    }

    /// Returns the number of row groups.
    pub(in crate::formats) fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// Returns the number of rows of a row group.
    pub(in crate::formats) fn rows(&self, group: usize) -> usize {
        usize::try_from(self.reader.metadata().row_group(group).num_rows()).unwrap_or(0)
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

    /// Reads columns of a row group, whose first row has the number `first`. Others have no values.
    pub(super) fn read(
        &self,
        group: usize,
        wanted: &[bool],
        first: usize,
    ) -> Result<Vec<Option<ColumnData>>> {
        let group = contained(|| self.reader.get_row_group(group).map_err(library))?;
        let mut data: Vec<Option<ColumnData>> = self.columns.iter().map(|_| None).collect();
        for (at, column) in self.wanted(wanted) {
            let decoded = contained(|| decode(group.as_ref(), column, at, first));
            data[at] = Some(decoded.map_err(|error| in_column(error, at))?);
        }
        Ok(data)
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
