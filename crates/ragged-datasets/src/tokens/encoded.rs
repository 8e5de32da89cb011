//! A data set whose tokens are indices of vocabularies.

use std::sync::Arc;

use ragged_transforms::{StaticEncoder, TokenEncoder, TokenVocabulary};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::{StaticColumns, Statics};
use crate::tokens::step_tokens::StepTokens;

/// A data set that replaces the tokens and static categories of another one by the indices of vocabularies, scales its
/// static numbers, and spells them if the encoder
/// has a vocabulary of characters.
///
/// ```
/// use ragged_datasets::Dataset;
/// use ragged_datasets::formats::{self, Format, ReadOptions};
/// use ragged_datasets::tokens::{Encoded, VocabularyConfig, fit_vocabularies};
///
/// let read = |text| formats::parse(text, Format::JsonLines, &ReadOptions::default(), None);
/// let train = read(b"{\"text\": \"to be or not to be\"}\n")?;
/// let encoder = fit_vocabularies(&VocabularyConfig::default(), false, &train)?;
/// let test = Encoded::new(read(b"{\"text\": \"not a bee\"}\n")?, encoder)?;
/// // Two of three words are not known.
/// assert_eq!(test.get(0, 0)?.sequence.tokens().unwrap().ids(), [3, 0, 0]);
/// assert_eq!(test.unknown()?, [(2, 3)]);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Encoded<D> {
    dataset: D,
    /// The vocabularies as columns.
    columns: Arc<[TokenColumn]>,
    /// For each column, the index in the vocabulary for each index in the data set.
    indices: Arc<[Indices]>,
    /// The characters of each text of the first column.
    spellings: Option<Arc<[Arc<[u32]>]>>,
    statics: StaticEncoder,
    /// The vocabularies of the static columns.
    static_columns: StaticColumns,
    /// For each static column of categories, the index in the vocabulary for each index in the data set.
    static_indices: Arc<[Indices]>,
}

/// The indices of the texts of a column of a data set in a vocabulary.
#[derive(Debug)]
struct Indices {
    /// The index in the vocabulary for each index in the data set.
    of_texts: Vec<u32>,
    /// The index of unknown tokens, if the vocabulary has an entry for them.
    unknown: Option<u32>,
}

impl<D: Dataset> Encoded<D> {
    /// Creates a data set.
    ///
    /// # Errors
    ///
    /// [`Error::TokenColumns`] if the data set has other columns than the data that the vocabularies were fitted to,
    /// [`Error::UnknownToken`] for a token that is not in a vocabulary without an entry for unknown ones.
    pub fn new(dataset: D, encoder: impl Into<Arc<TokenEncoder>>) -> Result<Self> {
        let encoder = encoder.into();
        let found = dataset.token_columns();
        let names =
            |columns: &[TokenColumn]| columns.iter().map(|column| column.name.clone()).collect();
        let expected: Vec<String> =
            encoder.columns().iter().map(|fitted| fitted.column.clone()).collect();
        if !found.iter().map(|column| &column.name).eq(&expected) {
            return Err(Error::TokenColumns { expected, got: names(found) });
        }
        let indices = found.iter().zip(encoder.columns()).map(Indices::new);
        let indices = indices.collect::<Result<_>>()?;
        let spell = |text: &String| encoder.spell(text).map(Arc::from);
        // A column without texts has no spellings either, and an encoder without characters has none at all.
        let spelled = found.first().filter(|_| encoder.characters().is_some());
        let spellings = spelled.and_then(|column| column.texts.iter().map(spell).collect());
        let columns = encoder.columns().iter().map(entries);
        let statics = encoder.statics();
        let found = dataset.static_columns();
        let static_columns = StaticColumns {
            numbers: statics.numbers().iter().map(|number| number.column.clone()).collect(),
            categories: statics.categories().iter().map(entries).collect(),
        };
        if found.numbers != static_columns.numbers
            || found.category_names() != static_columns.category_names()
        {
            let all = |columns: &StaticColumns| {
                [&columns.numbers[..], &columns.category_names()].concat()
            };
            let (expected, got) = (all(&static_columns), all(found));
            return Err(Error::StaticColumns { expected, got });
        }
        let static_indices = found.categories.iter().zip(statics.categories()).map(Indices::new);
        let (columns, static_indices) = (columns.collect(), static_indices.collect::<Result<_>>()?);
        let statics = statics.clone();
        Ok(Self { columns, indices, spellings, statics, static_columns, static_indices, dataset })
    }

    /// Returns, for each column, how many of how many tokens are not in the vocabulary, in the examples of epoch 0.
    ///
    /// # Errors
    ///
    /// Errors of the data set.
    pub fn unknown(&self) -> Result<Vec<(usize, usize)>> {
        let mut counts = vec![(0, 0); self.columns.len()];
        for index in 0..self.len() {
            let example = self.get(0, index)?;
            let Some(tokens) = example.sequence.tokens() else { continue };
            for step in tokens.ids().chunks_exact(tokens.columns()) {
                let columns = counts.iter_mut().zip(self.indices.iter());
                for (((unknown, all), indices), &id) in columns.zip(step) {
                    *unknown += usize::from(indices.unknown == Some(id));
                    *all += 1;
                }
            }
        }
        Ok(counts)
    }
}

/// Returns a vocabulary as a column.
fn entries(fitted: &TokenVocabulary) -> TokenColumn {
    TokenColumn { name: fitted.column.clone(), texts: fitted.vocabulary.texts().to_vec() }
}

impl Indices {
    fn new((column, fitted): (&TokenColumn, &TokenVocabulary)) -> Result<Self> {
        let index = |text: &String| {
            let (column, token) = (&fitted.column, text);
            let unknown = || Error::UnknownToken { column: column.clone(), token: token.clone() };
            fitted.vocabulary.index(text).ok_or_else(unknown)
        };
        let of_texts = column.texts.iter().map(index).collect::<Result<_>>()?;
        Ok(Self { of_texts, unknown: fitted.vocabulary.unknown() })
    }

    /// Returns the index in the vocabulary; the one of unknown tokens for an index that the data set does not have.
    fn entry(&self, id: u32) -> Option<u32> {
        self.of_texts.get(id as usize).copied().or(self.unknown)
    }
}

/// The error of an index that the column does not have.
fn beyond(index: usize, column: &TokenColumn, indices: &Indices, got: u32) -> Error {
    let count = indices.of_texts.len();
    Error::TokenId { index, column: column.name.clone(), got, count }
}

fn spelling(spellings: &[Arc<[u32]>], id: u32) -> Arc<[u32]> {
    spellings.get(id as usize).cloned().unwrap_or_default()
}

impl<D: Dataset> Dataset for Encoded<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn features(&self) -> usize {
        self.dataset.features()
    }

    fn target_kind(&self) -> &TargetKind {
        self.dataset.target_kind()
    }

    fn get(&self, epoch: usize, index: usize) -> Result<Example> {
        let mut example = self.dataset.get(epoch, index)?;
        if let Some(Statics { numbers, categories }) = example.sequence.statics() {
            let numbers = self.statics.scaled(numbers);
            let ids = categories.iter().zip(self.static_indices.iter());
            let entry = |(k, (&id, indices)): (usize, (&u32, &Indices))| {
                let columns = &self.static_columns.categories;
                indices.entry(id).ok_or_else(|| beyond(index, &columns[k], indices, id))
            };
            let categories = ids.enumerate().map(entry).collect::<Result<_>>()?;
            example.sequence.set_statics(Some(Statics { numbers, categories }));
        }
        let Some(tokens) = example.sequence.tokens() else { return Ok(example) };
        let columns = tokens.columns();
        let ids = tokens.ids().iter().enumerate();
        let entry = |(at, &id): (usize, &u32)| {
            let (indices, column) = (&self.indices[at % columns], &self.columns[at % columns]);
            indices.entry(id).ok_or_else(|| beyond(index, column, indices, id))
        };
        let ids = ids.map(entry).collect::<Result<_>>()?;
        let mut encoded = StepTokens::new(ids, columns)?;
        if let Some(spellings) = &self.spellings {
            let first = tokens.ids().iter().step_by(columns);
            encoded = encoded.with_inner(first.map(|&id| spelling(spellings, id)).collect())?;
        }
        example.sequence.set_tokens(encoded);
        Ok(example)
    }

    fn target(&self, epoch: usize, index: usize) -> Result<Target> {
        self.dataset.target(epoch, index)
    }

    fn length(&self, epoch: usize, index: usize) -> Result<usize> {
        self.dataset.length(epoch, index)
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.dataset.feature_names()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        &self.columns
    }

    fn static_columns(&self) -> &StaticColumns {
        &self.static_columns
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.dataset.id(index)
    }

    fn notes(&self) -> &[String] {
        self.dataset.notes()
    }
}
