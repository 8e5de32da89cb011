//! A data set that reads its examples from files.

use std::collections::HashMap;
use std::path::Path;

use crate::dataset::{Dataset, check_index};
use crate::error::{Error, Location, Result};
use crate::example::{Example, Target};
use crate::fingerprint::Fingerprint;
use crate::formats::Column;
use crate::formats::collect::{Collector, Surveyed};
use crate::formats::folder;
use crate::formats::options::ReadOptions;
use crate::formats::schema::Schema;
use crate::formats::stream::block::Block;
use crate::formats::stream::block_cache::BlockCache;
use crate::formats::stream::blocks::Blocks;
use crate::formats::target_summary::TargetSummary;
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::{StaticColumns, Statics};
use crate::tokens::step_tokens::StepTokens;
use crate::tokens::text_tokenizer::Splitter;

/// How much memory a [`Streamed`] data set uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// The bytes of the examples that are kept, unless one block has more. Default 256 MiB.
    pub cache_bytes: usize,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { cache_bytes: 256 << 20 }
    }
}

/// A data set whose examples stay in its files: JSON lines, or tables in CSV or Parquet. In a table with one row per step,
/// the rows of each series must follow one another.
///
/// Opening reads the files twice: once to decide what [`read`](crate::formats::read) decides, and once to check every
/// target and to compute the [sum of the content](Self::fingerprint). After that, memory holds the lengths and names of
/// the sequences and a bounded cache of blocks: about 1 MiB of text, or 4 MiB of Parquet. The examples are those of
/// `read`, for any size of the cache. Orders that visit neighbours together
/// ([`Sampler::Blocks`](crate::Sampler::Blocks)) read each block about once.
///
/// ```
/// use ragged_datasets::formats::{self, ReadOptions, StreamOptions, Streamed};
/// use ragged_datasets::Dataset;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("letters.jsonl");
/// std::fs::write(&path, "{\"sequence\": [1, 2, 3], \"target\": \"b\"}\n{\"sequence\": [4], \"target\": \"a\"}\n")?;
/// let options = ReadOptions::default();
/// let streamed = Streamed::open(&path, &options, None, StreamOptions { cache_bytes: 1 << 20 })?;
/// let data = formats::read(&path, &options)?;
/// assert_eq!((streamed.len(), streamed.length(0, 1)?), (2, 1));
/// assert_eq!(streamed.get(0, 0)?, data.get(0, 0)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Streamed {
    blocks: Blocks,
    cache: BlockCache,
    options: ReadOptions,
    splitter: Splitter,
    surveyed: Surveyed,
    /// The indices of the texts of each column of tokens, and of each static column of categories.
    tokens: Vec<HashMap<String, u32>>,
    categories: Vec<HashMap<String, u32>>,
    content: Content,
}

/// What is known of all examples once each was read.
#[derive(Default)]
struct Content {
    fingerprint: String,
    summary: String,
    missing_notes: Vec<String>,
    targets: Targets,
}

/// The targets of sequences that have one of a fixed size, and not one per step.
#[derive(Default)]
struct Targets {
    classes: Vec<u32>,
    /// Row-major `[sequences, outputs]`.
    values: Vec<f32>,
}

impl Targets {
    /// Adds the target of the next sequence.
    fn add(&mut self, target: &Target) {
        match target {
            Target::Class(class) => self.classes.push(*class),
            Target::Values(values) => self.values.extend_from_slice(values),
            Target::StepClasses(_) | Target::StepValues(_) | Target::Labels(_) => {}
        }
    }

    /// Returns the target of a sequence, one of `count`, if targets of this kind are kept.
    fn get(&self, count: usize, index: usize) -> Option<Target> {
        if let Some(&class) = self.classes.get(index) {
            return Some(Target::Class(class));
        }
        let width = self.values.len() / count;
        let values = self.values.get(index * width..(index + 1) * width)?;
        (width > 0).then(|| Target::Values(values.to_vec()))
    }
}

impl Streamed {
    /// Opens a file, or a folder of files, with the schema of other data if there is one.
    ///
    /// # Errors
    ///
    /// As [`read`](crate::formats::read) and [`read_as`](crate::formats::read_as), and
    /// [`Error::Parse`] for a file that cannot be streamed.
    pub fn open(
        path: &Path,
        options: &ReadOptions,
        schema: Option<&Schema>,
        stream: StreamOptions,
    ) -> Result<Self> {
        let splitter = options.splitter()?;
        let mut collector = Collector::survey(options, schema);
        let blocks = Blocks::survey(folder::files(path)?, options, &splitter, &mut collector)?;
        let surveyed = collector.finish_survey().map_err(|error| error.in_file(path))?;
        let tokens = surveyed.token_columns.iter().map(indices).collect();
        let categories = surveyed.static_columns.categories.iter().map(indices).collect();
        let cache = BlockCache::new(stream.cache_bytes);
        let (options, content) = (options.clone(), Content::default());
        let mut this =
            Self { blocks, cache, options, splitter, surveyed, tokens, categories, content };
        this.content = this.read_content()?;
        if schema.is_none() {
            let notes = this.content.missing_notes.iter().cloned();
            this.surveyed.notes.extend(notes);
        }
        Ok(this)
    }

    /// Reads all examples, to check their targets and to sum up their content.
    fn read_content(&self) -> Result<Content> {
        let mut fingerprint = Fingerprint::new(self);
        let mut summary = TargetSummary::new(self.target_kind());
        let mut targets = Targets::default();
        for block in 0..self.blocks.len() {
            for example in self.load(block)? {
                fingerprint.add(&example);
                summary.add(&example.target);
                targets.add(&example.target);
            }
        }
        Ok(Content {
            fingerprint: fingerprint.finish(),
            summary: summary.sentence(),
            missing_notes: summary.missing_notes(),
            targets,
        })
    }

    /// Returns the schema, with which later files are read.
    pub fn schema(&self) -> &Schema {
        &self.surveyed.schema
    }

    /// Returns what each column of the files is read as.
    pub fn columns(&self) -> &[Column] {
        &self.surveyed.columns
    }

    /// Describes the targets in one sentence.
    pub fn target_summary(&self) -> &str {
        &self.content.summary
    }

    /// Returns the sum of the content, as [`InMemory::fingerprint`](crate::InMemory::fingerprint) does. The files are
    /// not read for it.
    pub fn fingerprint(&self) -> &str {
        &self.content.fingerprint
    }

    /// Returns about how many bytes the cache needs for an order that mixes `count` groups of `size` neighbouring
    /// examples, so that no part of the files is read twice: those of the blocks that hold them.
    pub fn mixed_bytes(&self, size: usize, count: usize) -> usize {
        let Surveyed { lengths, features, .. } = &self.surveyed;
        let read = |begin: usize| {
            let last = (begin + size).min(self.len()) - 1;
            let (first, last) = (self.blocks.of(begin), self.blocks.of(last));
            self.blocks.sequences(last).end - self.blocks.sequences(first).start
        };
        let most = (0..self.len()).step_by(size.max(1)).map(read).max().unwrap_or(0);
        let steps = lengths.iter().map(|&length| u64::from(length)).sum::<u64>() as usize;
        let steps = steps * self.surveyed.repeat / lengths.len().max(1);
        let example = steps * (4 * features + 4 * self.tokens.len()) + size_of::<Example>();
        most.saturating_mul(count).min(self.len()).saturating_mul(example)
    }

    /// Reads the examples of a block, with the indices of texts that they have among all texts.
    fn load(&self, block: usize) -> Result<Vec<Example>> {
        let mut collector = Collector::part(&self.options, &self.surveyed);
        self.blocks.read(block, &self.options, &self.splitter, &mut collector)?;
        let path = self.blocks.path(block);
        let changed = || {
            let reason = "the file has changed since it was opened";
            Location::Whole.error(reason).in_file(path)
        };
        let part = collector.finish().map_err(|error| error.in_file(path))?;
        let texts = Renumbering::new(part.token_columns(), &self.tokens);
        let categories = Renumbering::new(&part.static_columns().categories, &self.categories);
        let (texts, categories) = (texts.ok_or_else(changed)?, categories.ok_or_else(changed)?);
        let lengths = self.blocks.sequences(block).map(|at| self.surveyed.length(at));
        let examples = part.into_examples();
        if !examples.iter().map(|example| example.sequence.len()).eq(lengths) {
            return Err(changed());
        }
        examples.into_iter().map(|example| renumbered(example, &texts, &categories)).collect()
    }
}

/// Returns the index of each text of a column.
fn indices(column: &TokenColumn) -> HashMap<String, u32> {
    (0..).zip(&column.texts).map(|(index, text)| (text.clone(), index)).collect()
}

/// For each column, the index among all texts for each index of a block.
struct Renumbering(Vec<Vec<u32>>);

impl Renumbering {
    /// Returns `None` for a text that is not among all texts.
    fn new(columns: &[TokenColumn], all: &[HashMap<String, u32>]) -> Option<Self> {
        let column = |(column, all): (&TokenColumn, &HashMap<String, u32>)| {
            column.texts.iter().map(|text| all.get(text).copied()).collect()
        };
        columns.iter().zip(all).map(column).collect::<Option<_>>().map(Self)
    }
}

/// Replaces the indices of texts.
fn renumbered(
    mut example: Example,
    texts: &Renumbering,
    categories: &Renumbering,
) -> Result<Example> {
    if let Some(Statics { numbers, categories: ids }) = example.sequence.statics().cloned() {
        let ids = ids.iter().zip(&categories.0).map(|(&id, all)| all[id as usize]);
        let statics = Statics { numbers, categories: ids.collect() };
        example.sequence.set_statics(Some(statics));
    }
    if let Some(tokens) = example.sequence.tokens() {
        let columns = tokens.columns();
        let ids = tokens.ids().iter().enumerate();
        let ids = ids.map(|(at, &id)| texts.0[at % columns][id as usize]).collect();
        let tokens = StepTokens::new(ids, columns)?;
        example.sequence.set_tokens(tokens);
    }
    Ok(example)
}

impl Dataset for Streamed {
    fn len(&self) -> usize {
        self.surveyed.lengths.len()
    }

    fn features(&self) -> usize {
        self.surveyed.features
    }

    fn target_kind(&self) -> &TargetKind {
        &self.surveyed.schema.targets
    }

    fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.len())?;
        let block = self.blocks.of(index);
        let examples = self.cache.get(block, || self.load(block).map(Block::new))?;
        let at = index - self.blocks.sequences(block).start;
        examples.get(at).ok_or(Error::Index { index, len: self.len() })
    }

    fn target(&self, epoch: usize, index: usize) -> Result<Target> {
        check_index(index, self.len())?;
        match self.content.targets.get(self.len(), index) {
            Some(target) => Ok(target),
            None => Ok(self.get(epoch, index)?.target),
        }
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.len())?;
        Ok(self.surveyed.length(index))
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.surveyed.schema.features.as_deref()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        &self.surveyed.token_columns
    }

    fn static_columns(&self) -> &StaticColumns {
        &self.surveyed.static_columns
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.surveyed.ids.as_ref()?.get(index)
    }

    fn notes(&self) -> &[String] {
        &self.surveyed.notes
    }
}
