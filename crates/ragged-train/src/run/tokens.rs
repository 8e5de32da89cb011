//! The tokens of a run as indices of vocabularies, which are fitted to the training data or those of a tokenizer's
//! file.

use std::sync::Arc;

use ragged_datasets::Dataset;
use ragged_datasets::tokens::{
    Encoded, TokenEncoder, TokenVocabulary, fit_vocabularies, with_tokenizer,
};

use crate::config::error::ConfigError;
use crate::config::sections::DataSection;
use crate::error::Result;

/// Returns the vocabularies of a run: that of the tokenizer's file if there is one, or those of the training data.
/// `characters` is whether tokens are also read character by character.
pub(crate) fn fit_tokens(
    section: &DataSection,
    characters: bool,
    train: &Arc<dyn Dataset>,
) -> Result<TokenEncoder> {
    let read = &section.read;
    let Some((path, file)) = read.tokenizer.path().zip(read.tokenizer_file.as_ref()) else {
        return Ok(fit_vocabularies(&section.vocabulary, characters, train)?);
    };
    let encoder = with_tokenizer(file, characters, train);
    encoder.map_err(|error| match error {
        ragged_datasets::Error::TokenColumns { .. } => {
            let (key, path) = ("data.read.tokenizer", path.display());
            let message = format!("{key} is {path}, but the data have no texts: expected no {key}");
            ConfigError::conflict(key, message).into()
        }
        other => other.into(),
    })
}

/// Returns data whose tokens are indices of the vocabularies. `part` names the data in a note on tokens that are
/// unknown. Data without tokens are returned as they are.
pub(crate) fn encode_tokens(
    data: Arc<dyn Dataset>,
    encoder: &Arc<TokenEncoder>,
    part: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Dataset>> {
    let any_statics = !encoder.statics().is_empty() || !data.static_columns().is_empty();
    if encoder.is_empty() && data.token_columns().is_empty() && !any_statics {
        return Ok(data);
    }
    let encoded = Encoded::new(data, encoder.clone())?;
    if let Some(part) = part {
        for (fitted, (unknown, all)) in encoder.columns().iter().zip(encoded.unknown()?) {
            let percent = 100.0 * unknown as f64 / all.max(1) as f64;
            let column = &fitted.column;
            notes.push(format!(
                "{column}: {unknown} of {all} in the {part} are unknown ({percent:.1} %)"
            ));
        }
    }
    Ok(Arc::new(encoded))
}

/// Returns notes on the sizes of the vocabularies.
pub(crate) fn vocabulary_notes(encoder: &TokenEncoder) -> Vec<String> {
    let size = |entries: &[String]| match entries {
        [] => "no entry".to_string(),
        [only] => format!("1 entry, `{only}`"),
        [first, second, ..] => {
            format!("{} entries, most often `{first}` and `{second}`", entries.len())
        }
    };
    let note = |TokenVocabulary { column, vocabulary }: &TokenVocabulary| {
        if !vocabulary.is_given() {
            return format!("{column}: vocabulary of {}", size(vocabulary.entries()));
        }
        let unknown = vocabulary.unknown().map(|index| &vocabulary.texts()[index as usize]);
        let unknown = unknown.map_or("none".into(), |token| format!("`{token}`"));
        let count = vocabulary.len();
        format!(
            "{column}: vocabulary of {count} entries of the tokenizer's file, {unknown} for unknown tokens"
        )
    };
    let columns = encoder.columns().iter().chain(encoder.statics().categories());
    let mut notes: Vec<String> = columns.map(note).collect();
    notes.extend(
        encoder
            .characters()
            .map(|known| format!("characters: vocabulary of {}", size(known.entries()))),
    );
    notes
}
