//! Reading of files, folders and bytes.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use crate::error::{Error, Result};
use crate::formats::collect::Collector;
use crate::formats::errors::io;
use crate::formats::format::Format;
#[cfg(not(feature = "parquet"))]
use crate::formats::no_parquet as parquet;
use crate::formats::options::ReadOptions;
#[cfg(feature = "parquet")]
use crate::formats::parquet;
use crate::formats::schema::Schema;
use crate::formats::{csv, folder, json_lines, npz, safetensors, ts};
use crate::in_memory::InMemory;

/// Reads a file or folder.
///
/// # Errors
///
/// [`Error::File`] if it cannot be opened, [`Error::Parse`] with path and location if it violates its
/// format, [`Error::Tokenizer`] for a `tokenizer.json` file that cannot be used.
pub fn read(path: &Path, options: &ReadOptions) -> Result<InMemory> {
    read_path(path, options, None)
}

/// Reads a file or folder with the schema of other data.
///
/// This reads test data with the vocabulary of the training data. Features are read by name: their order
/// in the file does not matter, and missing or unexpected ones are an error. With
/// [`TargetKind::NONE`](crate::TargetKind::NONE) it reads data to predict from, whether the file has
/// targets or not. A [`TargetKind`](crate::TargetKind) alone is a schema without names.
///
/// # Errors
///
/// As [`read`]; a label outside the vocabulary is an error at its line.
pub fn read_as(path: &Path, options: &ReadOptions, schema: impl Into<Schema>) -> Result<InMemory> {
    read_path(path, options, Some(&schema.into()))
}

fn read_path(path: &Path, options: &ReadOptions, schema: Option<&Schema>) -> Result<InMemory> {
    let mut collector = Collector::new(options, schema);
    let mut read = |path: &Path, into: &mut Collector| read_file(path, options, into);
    if path.is_dir() {
        folder::read(path, &mut collector, &mut read)?;
    } else {
        read(path, &mut collector)?;
    }
    collector.finish().map_err(|error| error.in_file(path))
}

fn read_file(path: &Path, options: &ReadOptions, into: &mut Collector) -> Result<()> {
    let format = options.format.map_or_else(|| Format::of(path), Ok)?;
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    into.begin(path);
    let read = match format {
        // Its content is read from several places.
        Format::Parquet => parquet::ParquetFile::open(path, &options.csv)
            .and_then(|file| parquet::read(&file, &options.csv, &options.splitter()?, into)),
        _ => read_input(BufReader::new(file), format, options, into),
    };
    read.map_err(|error| error.in_file(path))
}

/// Reads a file from memory.
///
/// # Errors
///
/// As [`read`] and [`read_as`], without a path.
///
/// ```
/// use ragged_datasets::formats::{self, Format, ReadOptions};
///
/// let text = b"{\"sequence\": [1, 2, 3], \"target\": 0.5}\n";
/// let data = formats::parse(text, Format::JsonLines, &ReadOptions::default(), None)?;
/// assert_eq!(data.examples()[0].sequence.values(), [1.0, 2.0, 3.0]);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
pub fn parse(
    bytes: &[u8],
    format: Format,
    options: &ReadOptions,
    schema: Option<&Schema>,
) -> Result<InMemory> {
    let mut collector = Collector::new(options, schema);
    read_input(Cursor::new(bytes), format, options, &mut collector)?;
    collector.finish()
}

fn read_input(
    mut input: impl BufRead + Seek,
    format: Format,
    options: &ReadOptions,
    into: &mut Collector,
) -> Result<()> {
    match format {
        Format::Ts => ts::read(input, into),
        Format::Csv => csv::read(input, &options.csv, &options.splitter()?, into),
        Format::JsonLines => json_lines::read(input, &options.splitter()?, into),
        Format::Npz => npz::read(input, into),
        Format::Safetensors => {
            let mut bytes = vec![];
            input.read_to_end(&mut bytes).map_err(io)?;
            safetensors::read(&bytes, into)
        }
        Format::Parquet => {
            let mut bytes = vec![];
            input.read_to_end(&mut bytes).map_err(io)?;
            let file = parquet::ParquetFile::parse(bytes, &options.csv)?;
            parquet::read(&file, &options.csv, &options.splitter()?, into)
        }
    }
}
