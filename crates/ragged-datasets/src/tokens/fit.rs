//! Vocabularies of the training data.

use ragged_transforms::{
    StaticEncoder, StaticNumber, TokenEncoder, TokenVocabulary, Vocabulary, VocabularyConfig,
};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::tokens::column::TokenColumn;
use crate::tokens::tokenizer_file::TokenizerFile;

/// Builds a vocabulary for each column of tokens, from the examples of `dataset` in epoch 0. `characters` is whether
/// the tokens of the first column are also read character by character.
///
/// # Errors
///
/// Errors of the configuration and of the data set.
///
/// ```
/// use ragged_datasets::formats::{self, Format, ReadOptions};
/// use ragged_datasets::tokens::{VocabularyConfig, fit_vocabularies};
///
/// let text = b"{\"text\": \"to be or not to be\"}\n{\"tokens\": [\"be\"]}\n";
/// let data = formats::parse(text, Format::JsonLines, &ReadOptions::default(), None)?;
/// let encoder = fit_vocabularies(&VocabularyConfig::default(), true, &data)?;
/// assert_eq!(encoder.columns()[0].vocabulary.entries(), ["be", "to", "not", "or"]);
/// assert_eq!(encoder.characters().unwrap().entries(), ["o", "b", "e", "t", "n", "r"]);
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
pub fn fit_vocabularies(
    config: &VocabularyConfig,
    characters: bool,
    dataset: &(impl Dataset + ?Sized),
) -> Result<TokenEncoder> {
    let counts = counts(dataset)?;
    let fitted = dataset.token_columns().iter().zip(&counts).map(|(column, counts)| {
        let vocabulary = Vocabulary::build(config, found(column, counts))?;
        Ok(TokenVocabulary { column: column.name.clone(), vocabulary })
    });
    encoder(fitted.collect::<Result<_>>()?, characters, &counts, dataset)
}

/// Takes the vocabulary of a tokenizer's file for the one column of tokens of `dataset`. The rest is fitted as in
/// [`fit_vocabularies`].
///
/// # Errors
///
/// [`Error::TokenColumns`] unless the data set has exactly the column of texts, and errors of the data set.
pub fn with_tokenizer(
    file: &TokenizerFile,
    characters: bool,
    dataset: &(impl Dataset + ?Sized),
) -> Result<TokenEncoder> {
    let names: Vec<String> =
        dataset.token_columns().iter().map(|column| column.name.clone()).collect();
    if names != [TEXTS] {
        return Err(Error::TokenColumns { expected: vec![TEXTS.into()], got: names });
    }
    let vocabulary = file.vocabulary().clone();
    let given = TokenVocabulary { column: TEXTS.into(), vocabulary };
    encoder(vec![given], characters, &counts(dataset)?, dataset)
}

/// The name of the column of the tokens of texts.
const TEXTS: &str = "tokens";

/// Returns how often each text of each column occurs.
fn counts(dataset: &(impl Dataset + ?Sized)) -> Result<Vec<Vec<u64>>> {
    let columns = dataset.token_columns();
    let mut counts: Vec<Vec<u64>> =
        columns.iter().map(|column| vec![0; column.texts.len()]).collect();
    for index in 0..dataset.len() {
        let example = dataset.get(0, index)?;
        let ids = example.sequence.tokens().map_or(&[][..], |tokens| tokens.ids());
        for (at, &id) in ids.iter().enumerate() {
            if let Some(count) = counts[at % columns.len()].get_mut(id as usize) {
                *count += 1;
            }
        }
    }
    Ok(counts)
}

/// Returns the texts of a column that occur, with their numbers.
fn found<'a>(column: &'a TokenColumn, counts: &'a [u64]) -> impl Iterator<Item = (&'a str, u64)> {
    let texts = column.texts.iter().map(String::as_str).zip(counts.iter().copied());
    texts.filter(|(_, count)| *count > 0)
}

/// Puts together the vocabularies of the columns and what is fitted to the data set: the characters, if they are
/// read, and the static columns.
fn encoder(
    columns: Vec<TokenVocabulary>,
    characters: bool,
    counts: &[Vec<u64>],
    dataset: &(impl Dataset + ?Sized),
) -> Result<TokenEncoder> {
    let first = dataset.token_columns().iter().zip(counts).next().filter(|_| characters);
    let spelling = first.map(|(column, counts)| {
        let all = found(column, counts).flat_map(|(text, count)| {
            let starts = text.char_indices();
            starts.map(move |(at, c)| (&text[at..at + c.len_utf8()], count))
        });
        Vocabulary::build(&VocabularyConfig::default(), all)
    });
    let encoder = TokenEncoder::new(columns, spelling.transpose()?)?;
    Ok(encoder.with_statics(fit_statics(dataset)?))
}

/// Fits the scales and vocabularies of the static columns. Each sequence counts once.
fn fit_statics(dataset: &(impl Dataset + ?Sized)) -> Result<StaticEncoder> {
    let columns = dataset.static_columns();
    if columns.is_empty() {
        return Ok(StaticEncoder::default());
    }
    let mut numbers: Vec<Vec<f64>> = vec![vec![]; columns.numbers.len()];
    let mut counts: Vec<Vec<u64>> =
        columns.categories.iter().map(|column| vec![0; column.texts.len()]).collect();
    for index in 0..dataset.len() {
        let example = dataset.get(0, index)?;
        let Some(statics) = example.sequence.statics() else { continue };
        for (values, &value) in numbers.iter_mut().zip(&statics.numbers) {
            values.extend((!value.is_nan()).then_some(value));
        }
        for (counts, &id) in counts.iter_mut().zip(&statics.categories) {
            counts.get_mut(id as usize).into_iter().for_each(|count| *count += 1);
        }
    }
    let numbers = numbers.into_iter().zip(&columns.numbers).map(|(values, column)| {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let std = (squares / count).sqrt();
        let std = if std.is_finite() && std > 0.0 { std } else { 1.0 };
        StaticNumber { column: column.clone(), mean, std }
    });
    let categories = columns.categories.iter().zip(counts).map(|(column, counts)| {
        let texts = column.texts.iter().map(String::as_str).zip(counts);
        let known = texts.filter(|(_, count)| *count > 0);
        let vocabulary = Vocabulary::build(&VocabularyConfig::default(), known)?;
        Ok(TokenVocabulary { column: column.name.clone(), vocabulary })
    });
    Ok(StaticEncoder::new(numbers.collect(), categories.collect::<Result<_>>()?)?)
}
