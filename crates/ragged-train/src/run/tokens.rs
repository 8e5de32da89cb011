//! The tokens of a run as indices of vocabularies, which are fitted to the training data.

use std::sync::Arc;

use ragged_datasets::Dataset;
use ragged_datasets::tokens::{Encoded, TokenEncoder};

use crate::error::Result;

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
    let columns = encoder.columns().iter().chain(encoder.statics().categories());
    let mut notes: Vec<String> = columns
        .map(|fitted| {
            format!("{}: vocabulary of {}", fitted.column, size(fitted.vocabulary.entries()))
        })
        .collect();
    notes.extend(
        encoder
            .characters()
            .map(|known| format!("characters: vocabulary of {}", size(known.entries()))),
    );
    notes
}
