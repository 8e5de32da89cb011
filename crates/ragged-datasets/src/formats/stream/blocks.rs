//! The blocks of files: parts that consist of whole sequences.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Location, Result};
use crate::formats::collect::Collector;
use crate::formats::format::Format;
#[cfg(not(feature = "parquet"))]
use crate::formats::no_parquet as parquet;
use crate::formats::options::ReadOptions;
#[cfg(feature = "parquet")]
use crate::formats::parquet;
use crate::formats::stream::lines::{LineEnd, LinePart, bytes, divide};
use crate::formats::{csv, json_lines};
use crate::tokens::text_tokenizer::Splitter;

/// Files that are read block by block.
pub(super) struct Blocks {
    sources: Vec<Source>,
    blocks: Vec<Block>,
    /// The index of the first sequence of each block, and the number of all sequences.
    starts: Vec<usize>,
}

struct Source {
    path: PathBuf,
    content: Content,
}

enum Content {
    JsonLines,
    Table(csv::Survey),
    Parquet(parquet::ParquetFile),
}

/// A part of a file.
#[derive(Clone, Serialize, Deserialize)]
struct Block {
    source: usize,
    part: Part,
}

#[derive(Clone, Serialize, Deserialize)]
enum Part {
    Lines(LinePart),
    Rows(Range<usize>),
}

/// Blocks without their files.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedBlocks {
    sources: Vec<(PathBuf, SavedContent)>,
    blocks: Vec<Block>,
    starts: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
enum SavedContent {
    JsonLines,
    Table(csv::Survey),
    Parquet,
}

impl Blocks {
    /// Reads files in their order, and finds their blocks.
    pub(super) fn survey(
        paths: Vec<PathBuf>,
        options: &ReadOptions,
        splitter: &Splitter,
        into: &mut Collector,
    ) -> Result<Self> {
        let mut this = Self { sources: vec![], blocks: vec![], starts: vec![0] };
        for path in paths {
            into.begin(&path);
            let surveyed = this.survey_file(&path, options, splitter, into);
            let content = surveyed.map_err(|error| error.in_file(&path))?;
            this.sources.push(Source { path, content });
        }
        Ok(this)
    }

    fn survey_file(
        &mut self,
        path: &Path,
        options: &ReadOptions,
        splitter: &Splitter,
        into: &mut Collector,
    ) -> Result<Content> {
        let open =
            || File::open(path).map(BufReader::new).map_err(|error| Error::file(path, error));
        match options.format.map_or_else(|| Format::of(path), Ok)? {
            Format::JsonLines => {
                let parts = divide(path, LineEnd::Feed, |_| true)?;
                if parts.is_empty() {
                    let start = Location::Line { line: 1, column: 1 };
                    return Err(start.error("expected a sequence, got the end of the file"));
                }
                for (k, part) in parts.into_iter().enumerate() {
                    if k > 0 {
                        into.be_quiet();
                    }
                    let input = Cursor::new(bytes(path, part.bytes.clone())?);
                    json_lines::read_after(input, part.before, splitter, into)?;
                    self.add(Part::Lines(part), into.len());
                }
                Ok(Content::JsonLines)
            }
            Format::Csv => {
                let before = into.len();
                let survey = csv::survey(open()?, &options.csv, splitter, into)?;
                let firsts = &survey.firsts;
                let parts = divide(path, LineEnd::Any, |line| firsts.binary_search(&line).is_ok())?;
                // Those before which each part after the first one begins.
                let ends = parts
                    .iter()
                    .skip(1)
                    .map(|part| before + firsts.partition_point(|&first| first <= part.before));
                let ends: Vec<usize> = ends.chain([into.len()]).collect();
                for (part, end) in parts.into_iter().zip(ends) {
                    self.add(Part::Lines(part), end);
                }
                Ok(Content::Table(csv::Survey { firsts: vec![], ..survey }))
            }
            Format::Parquet => {
                let mut count = into.len();
                let file = parquet::ParquetFile::open(path, &options.csv)?;
                for (rows, sequences) in parquet::survey(&file, &options.csv, splitter, into)? {
                    count += sequences;
                    self.add(Part::Rows(rows), count);
                }
                Ok(Content::Parquet(file))
            }
            other => {
                let reason = format!(
                    "{} files cannot be streamed: expected csv, jsonl or parquet (`ragged convert` writes them)",
                    other.name()
                );
                Err(Location::Whole.error(reason))
            }
        }
    }

    /// Adds a block of the file that is surveyed. `end` is the number of sequences in all blocks up to it.
    fn add(&mut self, part: Part, end: usize) {
        self.blocks.push(Block { source: self.sources.len(), part });
        self.starts.push(end);
    }

    /// Returns what [`restore`](Self::restore) needs.
    pub(super) fn save(&self) -> SavedBlocks {
        let content = |content: &Content| match content {
            Content::JsonLines => SavedContent::JsonLines,
            Content::Table(survey) => SavedContent::Table(survey.clone()),
            Content::Parquet(_) => SavedContent::Parquet,
        };
        let sources =
            self.sources.iter().map(|source| (source.path.clone(), content(&source.content)));
        SavedBlocks {
            sources: sources.collect(),
            blocks: self.blocks.clone(),
            starts: self.starts.clone(),
        }
    }

    /// Opens files whose blocks are known.
    pub(super) fn restore(saved: SavedBlocks, options: &ReadOptions) -> Result<Self> {
        let SavedBlocks { sources, blocks, starts } = saved;
        let open = |(path, content): (PathBuf, SavedContent)| {
            let content = match content {
                SavedContent::JsonLines => Content::JsonLines,
                SavedContent::Table(survey) => Content::Table(survey),
                SavedContent::Parquet => {
                    let file = parquet::ParquetFile::open(&path, &options.csv);
                    Content::Parquet(file.map_err(|error| error.in_file(&path))?)
                }
            };
            Ok(Source { path, content })
        };
        Ok(Self { sources: sources.into_iter().map(open).collect::<Result<_>>()?, blocks, starts })
    }

    /// Returns the number of blocks.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Returns the block of a sequence.
    pub(super) fn of(&self, index: usize) -> usize {
        // The last block that does not begin after it.
        self.starts.partition_point(|&start| start <= index).max(1) - 1
    }

    /// Returns the sequences of a block.
    pub(super) fn sequences(&self, block: usize) -> Range<usize> {
        self.starts[block]..self.starts[block + 1]
    }

    /// Reads the sequences of a block.
    pub(super) fn read(
        &self,
        block: usize,
        options: &ReadOptions,
        splitter: &Splitter,
        into: &mut Collector,
    ) -> Result<()> {
        let Block { source, part } = &self.blocks[block];
        let Source { path, content } = &self.sources[*source];
        into.begin(path);
        let read = match (content, part) {
            (Content::Parquet(file), Part::Rows(rows)) => {
                parquet::read_rows(file, rows.clone(), &options.csv, splitter, into)
            }
            (Content::Table(survey), Part::Lines(part)) => bytes(path, part.bytes.clone())
                .and_then(|bytes| {
                    let (input, csv) = (Cursor::new(bytes), &options.csv);
                    csv::read_after(input, part.before, survey, csv, splitter, into)
                }),
            (_, Part::Lines(part)) => bytes(path, part.bytes.clone()).and_then(|bytes| {
                json_lines::read_after(Cursor::new(bytes), part.before, splitter, into).map(drop)
            }),
            (_, Part::Rows(_)) => Ok(()),
        };
        read.map_err(|error| error.in_file(path))
    }

    /// Returns the file of a block.
    pub(super) fn path(&self, block: usize) -> &Path {
        &self.sources[self.blocks[block].source].path
    }
}
