//! Parquet files in a build without the feature `parquet`, which are refused.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Location, Result};
use crate::formats::collect::Collector;
use crate::formats::table::csv_columns::CsvColumns;
use crate::in_memory::InMemory;
use crate::tokens::text_tokenizer::Splitter;

/// A file that is never opened.
pub(super) enum ParquetFile {}

impl ParquetFile {
    pub(super) fn open(_: &Path, _: &CsvColumns) -> Result<Self> {
        Err(missing())
    }

    pub(super) fn parse(_: Vec<u8>, _: &CsvColumns) -> Result<Self> {
        Err(missing())
    }
}

fn missing() -> Error {
    Location::Whole
        .error("this build does not have the feature `parquet`, which Parquet files need")
}

pub(super) fn read(
    file: &ParquetFile,
    _: &CsvColumns,
    _: &Splitter,
    _: &mut Collector,
) -> Result<()> {
    match *file {}
}

pub(super) fn survey(
    file: &ParquetFile,
    _: &CsvColumns,
    _: &Splitter,
    _: &mut Collector,
) -> Result<Vec<(Range<usize>, usize)>> {
    match *file {}
}

pub(super) fn read_rows(
    file: &ParquetFile,
    _: Range<usize>,
    _: &CsvColumns,
    _: &Splitter,
    _: &mut Collector,
) -> Result<()> {
    match *file {}
}

pub(super) fn write(_: &InMemory, _: &mut impl Write) -> Result<()> {
    Err(missing())
}
