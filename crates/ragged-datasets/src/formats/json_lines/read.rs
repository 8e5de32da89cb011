//! Reading of JSON lines.

use std::io::BufRead;

use serde::Deserialize;

use crate::error::{Location, Result};
use crate::formats::collect::Collector;
use crate::formats::column::Role;
use crate::formats::field::RawTarget;
use crate::formats::json_lines::steps::{Steps, Table};
use crate::formats::json_lines::target::Raw;
use crate::formats::json_lines::texts::{COLUMN, Token, tokens};
use crate::formats::line::Lines;
use crate::formats::raw_sequence::RawSequence;
use crate::tokens::text_tokenizer::Splitter;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(default)]
    id: Option<Id>,
    #[serde(default)]
    sequence: Option<Steps>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    tokens: Option<Vec<Token>>,
    #[serde(default)]
    target: Option<Raw>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a whole number as `id`")]
enum Id {
    Text(String),
    Number(i64),
    /// Above the range of `i64`.
    Large(u64),
}

/// Reads all sequences of an input, without empty lines.
pub(in crate::formats) fn read(
    input: impl BufRead,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<()> {
    match read_after(input, 0, splitter, into)? {
        (0, end) => Err(end.error("expected a sequence, got the end of the file")),
        _ => Ok(()),
    }
}

/// Reads the sequences of a part of a file, which follows after some lines. Returns their number, and the location of the
/// end.
pub(in crate::formats) fn read_after(
    input: impl BufRead,
    before: usize,
    splitter: &Splitter,
    into: &mut Collector,
) -> Result<(usize, Location)> {
    let mut lines = Lines::after(input, before);
    let (mut sequences, mut named, mut targets, mut divided) = (0, false, false, false);
    while let Some(line) = lines.next()? {
        if line.text().is_empty() {
            continue;
        }
        if !line.text().starts_with('{') {
            return Err(line.error(0, "expected an object, `{...}`"));
        }
        let record: Record = serde_json::from_str(line.text()).map_err(|error| {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or_default();
            let reason = match non_finite(line.text(), error.column()) {
                Some(token) => {
                    format!("expected a number, got `{token}`: write null for a missing value")
                }
                None => reason.to_string(),
            };
            let before = line.text().as_bytes().get(..error.column().saturating_sub(1));
            let before = String::from_utf8_lossy(before.unwrap_or_default());
            let location = match line.location(0) {
                Location::Line { line, column } => {
                    Location::Line { line, column: column + before.chars().count() }
                }
                other => other,
            };
            location.caused_by(reason, error)
        })?;
        let error = |reason: String| line.error(0, &reason);
        divided |= record.text.is_some();
        let texts = tokens(record.text, record.tokens, splitter).map_err(error)?;
        let table = match (record.sequence, &texts) {
            (Some(steps), _) => steps.table().map_err(error)?,
            (None, Some(_)) => Table { names: None, features: Some(0), values: vec![] },
            (None, None) => {
                return Err(error(
                    "expected `sequence`, `tokens` or `text`, got none of them".into(),
                ));
            }
        };
        let Table { features, mut values, .. } = table;
        let steps = features.map_or(0, |features| values.len() / features.max(1));
        let column = texts.is_some().then_some(COLUMN);
        into.tokens().check(column.as_slice()).map_err(error)?;
        let mut ids = vec![];
        if let Some(texts) = texts {
            if features != Some(0) && texts.len() != steps {
                let got = texts.len();
                return Err(error(format!(
                    "expected {steps} tokens, one for each step, got {got}"
                )));
            }
            for text in texts {
                ids.push(into.tokens().index(0, text).map_err(error)?);
            }
        }
        match &table.names {
            Some(names) => {
                let order = into.order(names).map_err(|reason| line.error(0, &reason))?;
                let rows = values.chunks_exact(names.len());
                values = rows.flat_map(|row| order.iter().map(|&k| row[k])).collect();
            }
            // A sequence without a step has no feature to name.
            None if features.is_some_and(|features| features > 0) => into.unnamed(),
            None => {}
        }
        let target = match record.target {
            None => RawTarget::None,
            Some(raw) => raw.target(line.location(0)).map_err(|reason| line.error(0, &reason))?,
        };
        named |= record.id.is_some();
        targets |= !matches!(target, RawTarget::None);
        into.push(RawSequence {
            id: record.id.map(|id| match id {
                Id::Text(text) => text,
                Id::Number(number) => number.to_string(),
                Id::Large(number) => number.to_string(),
            }),
            values,
            features,
            tokens: ids,
            statics: None,
            target,
            location: line.location(0),
        })?;
        sequences += 1;
    }
    let end = lines.end().location(0);
    if sequences == 0 {
        return Ok((0, end));
    }
    if named {
        into.column("id", Role::Id, "");
    }
    into.feature_columns(|k| format!("sequence[:, {k}]"));
    if divided && into.is_training() {
        let parts = splitter.parts();
        into.note(format!("texts are divided into {parts} (data.read.tokenizer)"));
    }
    if into.tokens().count() > 0 {
        into.column(COLUMN, Role::Token(0), "");
    }
    if targets {
        into.column("target", Role::Target, "");
    }
    Ok((sequences, end))
}

/// Returns the number at a column that JSON does not have, as some libraries write it.
fn non_finite(text: &str, column: usize) -> Option<&str> {
    // The parser stops at the first or second character of the token, or after its sign.
    let starts = (1..=3).filter_map(|back| text.get(column.checked_sub(back)?..));
    let tokens = starts.flat_map(|rest| {
        let known = ["-Infinity", "Infinity", "NaN", "nan", "-inf", "inf"];
        known.into_iter().find(|token| rest.starts_with(token))
    });
    tokens.max_by_key(|token| token.len())
}
