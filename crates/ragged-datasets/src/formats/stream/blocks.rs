//! The blocks of files: row groups of Parquet, and lines of JSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{Error, Location, Result};
use crate::formats::collect::Collector;
use crate::formats::format::Format;
use crate::formats::json_lines;
#[cfg(not(feature = "parquet"))]
use crate::formats::no_parquet as parquet;
use crate::formats::options::ReadOptions;
#[cfg(feature = "parquet")]
use crate::formats::parquet;
use crate::tokens::text_tokenizer::Splitter;

/// The bytes of a block of lines, unless one line has more.
const BYTES: u64 = 1 << 20;

/// Files that are read block by block.
pub(super) struct Blocks {
    sources: Vec<Source>,
    blocks: Vec<Block>,
}

struct Source {
    path: PathBuf,
    content: Content,
}

enum Content {
    Lines,
    Parquet(parquet::ParquetFile),
}

/// A part of a file.
struct Block {
    source: usize,
    part: Part,
}

enum Part {
    /// Bytes that are whole lines, and the number of lines before.
    Lines { begin: u64, end: u64, before: usize },
    /// A row group.
    Group(usize),
}

impl Blocks {
    /// Finds the blocks of files, in their order.
    pub(super) fn of(paths: Vec<PathBuf>, options: &ReadOptions) -> Result<Self> {
        let mut this = Self { sources: vec![], blocks: vec![] };
        for path in paths {
            let format = options.format.map_or_else(|| Format::of(&path), Ok)?;
            let source = this.sources.len();
            let (content, parts) = match format {
                Format::JsonLines => (Content::Lines, lines(&path)?),
                Format::Parquet => {
                    let file = parquet::ParquetFile::open(&path, &options.csv);
                    let file = file.map_err(|error| error.in_file(&path))?;
                    let parts = (0..file.groups()).filter(|&group| file.rows(group) > 0);
                    let parts = parts.map(Part::Group).collect();
                    (Content::Parquet(file), parts)
                }
                other => {
                    let reason = format!(
                        "{} files cannot be streamed: expected jsonl, or parquet with one row for each sequence \
                         (`ragged convert` writes them)",
                        other.name()
                    );
                    return Err(Location::Whole.error(reason).in_file(&path));
                }
            };
            this.blocks.extend(parts.into_iter().map(|part| Block { source, part }));
            this.sources.push(Source { path, content });
        }
        Ok(this)
    }

    /// Returns the number of blocks.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Reads the sequences of a block. `first` is whether it is the first one of its file that `into` reads.
    pub(super) fn read(
        &self,
        block: usize,
        first: bool,
        options: &ReadOptions,
        splitter: &Splitter,
        into: &mut Collector,
    ) -> Result<()> {
        let Block { source, part } = &self.blocks[block];
        let Source { path, content } = &self.sources[*source];
        match first {
            true => into.begin(path),
            false => into.be_quiet(),
        }
        let read = match (content, part) {
            (Content::Parquet(file), Part::Group(group)) => {
                parquet::read_groups(file, Some(*group), &options.csv, splitter, into).map(drop)
            }
            (_, Part::Lines { begin, end, before }) => {
                bytes(path, *begin, *end).and_then(|bytes| {
                    json_lines::read_after(Cursor::new(bytes), *before, splitter, into).map(drop)
                })
            }
            (Content::Lines, Part::Group(_)) => Ok(()),
        };
        read.map_err(|error| error.in_file(path))
    }

    /// Whether a block is the first one of its file.
    pub(super) fn is_first(&self, block: usize) -> bool {
        block == 0 || self.blocks[block - 1].source != self.blocks[block].source
    }

    /// Returns the file of a block.
    pub(super) fn path(&self, block: usize) -> &Path {
        &self.sources[self.blocks[block].source].path
    }
}

/// Divides a file into blocks of whole lines.
fn lines(path: &Path) -> Result<Vec<Part>> {
    let failed = |error| Error::file(path, error);
    let mut input = BufReader::new(File::open(path).map_err(failed)?);
    let (mut parts, mut begin, mut end) = (vec![], 0, 0);
    let (mut before, mut count) = (0, 0);
    loop {
        let bytes = input.fill_buf().map_err(failed)?;
        if bytes.is_empty() {
            break;
        }
        // Up to the end of a line, or all that is there.
        let line = bytes.iter().position(|&byte| byte == b'\n');
        let taken = line.map_or(bytes.len(), |at| at + 1);
        input.consume(taken);
        end += taken as u64;
        count += usize::from(line.is_some());
        if line.is_some() && end - begin >= BYTES {
            parts.push(Part::Lines { begin, end, before });
            (begin, before) = (end, count);
        }
    }
    if end > begin || parts.is_empty() {
        parts.push(Part::Lines { begin, end, before });
    }
    Ok(parts)
}

/// Reads some bytes of a file.
fn bytes(path: &Path, begin: u64, end: u64) -> Result<Vec<u8>> {
    let read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = vec![];
        file.take(end - begin).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| Error::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_lines_cover_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let line = "x".repeat(300_000);
        for (text, expected) in [
            (String::new(), vec![(0, 0, 0)]),
            ("a\nb".into(), vec![(0, 3, 0)]),
            (
                format!("{line}\n").repeat(5) + "y",
                vec![(0, 1_200_004, 0), (1_200_004, 1_500_006, 4)],
            ),
        ] {
            std::fs::write(&path, &text).unwrap();
            let parts = lines(&path).unwrap().into_iter().map(|part| match part {
                Part::Lines { begin, end, before } => (begin, end, before),
                Part::Group(_) => unreachable!("of lines"),
            });
            let parts: Vec<_> = parts.collect();
            assert_eq!(parts, expected);
            let all = parts.iter().flat_map(|&(begin, end, _)| bytes(&path, begin, end).unwrap());
            assert_eq!(all.collect::<Vec<_>>(), text.as_bytes());
        }
    }
}
