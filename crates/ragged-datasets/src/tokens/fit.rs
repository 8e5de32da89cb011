//! Vocabularies of the training data.

use ragged_transforms::{
    StaticEncoder, StaticNumber, TokenEncoder, TokenVocabulary, Vocabulary, VocabularyConfig,
};

use crate::dataset::Dataset;
use crate::error::Result;

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
    let texts =
        |k: usize| columns[k].texts.iter().map(String::as_str).zip(counts[k].iter().copied());
    let fitted = columns.iter().enumerate().map(|(k, column)| {
        let vocabulary = Vocabulary::build(config, texts(k).filter(|(_, count)| *count > 0))?;
        Ok(TokenVocabulary { column: column.name.clone(), vocabulary })
    });
    let fitted = fitted.collect::<Result<Vec<_>>>()?;
    let spelling = (characters && !columns.is_empty()).then(|| {
        let all = texts(0).filter(|(_, count)| *count > 0).flat_map(|(text, count)| {
            let starts = text.char_indices();
            starts.map(move |(at, c)| (&text[at..at + c.len_utf8()], count))
        });
        Vocabulary::build(&VocabularyConfig::default(), all)
    });
    let encoder = TokenEncoder::new(fitted, spelling.transpose()?)?;
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
