//! A data set that reads its examples from files.

use std::collections::HashMap;
use std::path::Path;

use crate::dataset::{Dataset, check_index};
use crate::error::{Error, Location, Result};
use crate::example::{Example, Target};
use crate::fingerprint::Fingerprint;
use crate::formats::Column;
use crate::formats::collect::{Collector, Surveyed};
use crate::formats::options::ReadOptions;
use crate::formats::schema::Schema;
use crate::formats::stream::block::Block;
use crate::formats::stream::block_cache::BlockCache;
use crate::formats::stream::blocks::Blocks;
use crate::formats::stream::content::{Content, Targets};
use crate::formats::stream::index::{self, Files, Index, Key};
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
    /// Of which files, and how they are read.
    key: Key,
    splitter: Splitter,
    surveyed: Surveyed,
    /// The indices of the texts of each column of tokens, and of each static column of categories.
    tokens: Vec<HashMap<String, u32>>,
    categories: Vec<HashMap<String, u32>>,
    content: Content,
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
        let files = Files::of(path)?;
        let blocks = Blocks::survey(files.paths(), options, &splitter, &mut collector)?;
        let surveyed = collector.finish_survey().map_err(|error| error.in_file(path))?;
        let key = Key::new(files, options, schema);
        let mut this = Self::new(blocks, surveyed, Content::default(), key, splitter, stream);
        this.content = this.read_content()?;
        if schema.is_none() {
            let notes = this.content.missing_notes.iter().cloned();
            this.surveyed.notes.extend(notes);
        }
        Ok(this)
    }

    /// Opens a file or folder by an [index](Self::index) that was saved before, without reading it. Returns `None` if the
    /// index is of other files, of files with another size or time of modification, of other options, or damaged.
    ///
    /// # Errors
    ///
    /// Those of opening the files.
    pub fn open_with(
        index: &[u8],
        path: &Path,
        options: &ReadOptions,
        schema: Option<&Schema>,
        stream: StreamOptions,
    ) -> Result<Option<Self>> {
        let key = Key::new(Files::of(path)?, options, schema);
        let Some(Index { surveyed, blocks, content, .. }) = Index::parse(index, &key) else {
            return Ok(None);
        };
        let blocks = Blocks::restore(blocks, options)?;
        let splitter = options.splitter()?;
        Ok(Some(Self::new(blocks, surveyed, content, key, splitter, stream)))
    }

    fn new(
        blocks: Blocks,
        surveyed: Surveyed,
        content: Content,
        key: Key,
        splitter: Splitter,
        stream: StreamOptions,
    ) -> Self {
        let tokens = surveyed.token_columns.iter().map(indices).collect();
        let categories = surveyed.static_columns.categories.iter().map(indices).collect();
        let cache = BlockCache::new(stream.cache_bytes);
        Self { blocks, cache, key, splitter, surveyed, tokens, categories, content }
    }

    /// Returns what is known of the files, with which [`open_with`](Self::open_with) need not read them again.
    ///
    /// ```
    /// use ragged_datasets::formats::{ReadOptions, StreamOptions, Streamed};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("a.csv");
    /// std::fs::write(&path, "series_id,x,target\na,1.5,k\na,2.5,k\nb,9,l\n")?;
    /// let (options, stream) = (ReadOptions::default(), StreamOptions::default());
    /// let index = Streamed::open(&path, &options, None, stream)?.index();
    /// assert!(Streamed::open_with(&index, &path, &options, None, stream)?.is_some());
    /// std::fs::write(&path, "series_id,x,target\na,1.5,k\n")?;
    /// assert!(Streamed::open_with(&index, &path, &options, None, stream)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn index(&self) -> Vec<u8> {
        let Self { blocks, surveyed, content, key, .. } = self;
        index::to_bytes(key, surveyed, &blocks.save(), content)
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
        let mut collector = Collector::part(&self.key.options, &self.surveyed);
        self.blocks.read(block, &self.key.options, &self.splitter, &mut collector)?;
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
        let kept = self.content.targets.get(self.len(), index);
        let load = || Ok(Block::new(self.load(block)?, kept.is_none()));
        let examples = self.cache.get(block, load)?;
        let at = index - self.blocks.sequences(block).start;
        let mut example = examples.get(at).ok_or(Error::Index { index, len: self.len() })?;
        if let Some(target) = kept {
            example.target = target;
        }
        Ok(example)
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
