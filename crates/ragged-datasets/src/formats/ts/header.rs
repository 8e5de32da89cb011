//! The `@key value` lines before the data.

use std::collections::HashSet;
use std::ops::Range;

use crate::error::Result;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::labels::Vocabulary;
use crate::formats::line::Line;
use crate::formats::number::{number, shown};

/// The declarations of the header; `None` for a key that is absent.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) timestamps: bool,
    pub(super) missing: Option<bool>,
    pub(super) univariate: Option<bool>,
    pub(super) dimensions: Option<usize>,
    pub(super) equal_length: Option<bool>,
    pub(super) series_length: Option<usize>,
    pub(super) label: Label,
    /// Keys that have no meaning for the data.
    pub(super) ignored: Vec<String>,
    seen: Vec<String>,
}

/// What follows the last `:` of a series.
#[derive(Debug, Default)]
pub(super) enum Label {
    /// No label: the last part is a dimension.
    #[default]
    None,
    /// One of these classes.
    Classes(Vec<String>, Vocabulary),
    /// A number.
    Value,
}

impl Label {
    /// Returns the declared classes; none if series have no class.
    pub(super) fn classes(&self) -> &[String] {
        match self {
            Self::Classes(labels, _) => labels,
            Self::None | Self::Value => &[],
        }
    }

    /// Parses the label of a series.
    pub(super) fn read(&self, line: &Line, part: Option<Range<usize>>) -> Result<RawTarget> {
        let Some(part) = part else { return Ok(RawTarget::None) };
        let label = &line.text()[part.clone()];
        match self {
            Self::None => Ok(RawTarget::None),
            Self::Value => {
                let value = number(label).map_err(|reason| line.error(part.start, &reason))?;
                let value = Value::Number(value);
                Ok(RawTarget::One(Field::new(value, line.location(part.start))))
            }
            Self::Classes(_, known) if known.class(label).is_some() => {
                let label = Value::Text(label.into());
                Ok(RawTarget::One(Field::new(label, line.location(part.start))))
            }
            Self::Classes(..) => {
                let reason = format!("expected a label of @classLabel, got `{}`", shown(label));
                Err(line.error(part.start, &reason))
            }
        }
    }
}

/// Parts of keys on which the data depend: an unknown key with one of them may be a misspelt one.
const MEANINGS: [&str; 7] = ["label", "class", "target", "time", "missing", "dimension", "length"];

/// Returns the key of an `@key` line in lower case.
pub(super) fn key(line: &Line) -> Option<String> {
    let rest = line.text().strip_prefix('@')?;
    Some(rest.split(char::is_whitespace).next().unwrap_or("").to_lowercase())
}

impl Header {
    /// Parses one line of the header.
    pub(super) fn line(&mut self, line: &Line) -> Result<()> {
        let Some(key) = key(line) else {
            return Err(line.error(0, "expected a line that begins with @, # or %"));
        };
        // Files of the archive and of older versions of sktime use other spellings.
        let key = match key.replace('_', "").as_str() {
            "dimension" => "dimensions".to_string(),
            key => key.to_string(),
        };
        // The name is free text without effect, and some files of the archive have two.
        if key == "problemname" {
            return Ok(());
        }
        if self.seen.contains(&key) {
            return Err(line.error(0, &format!("@{key} is declared twice")));
        }
        let words = line.words();
        match key.as_str() {
            "timestamps" => self.timestamps = flag(line, &words)?,
            "missing" => self.missing = Some(flag(line, &words)?),
            "univariate" => self.univariate = Some(flag(line, &words)?),
            "dimensions" => self.dimensions = Some(size(line, &words)?),
            "equallength" => self.equal_length = Some(flag(line, &words)?),
            "serieslength" => self.series_length = Some(length(line, &words)?),
            "classlabel" => {
                if boolean(line, &words)? {
                    self.only_label(line)?;
                    let labels = labels(line, &words[2..])?;
                    let known = Vocabulary::new(&labels);
                    self.label = Label::Classes(labels, known);
                } else {
                    line.no_more(&words, 2)?;
                }
            }
            "targetlabel" => {
                if flag(line, &words)? {
                    self.only_label(line)?;
                    self.label = Label::Value;
                }
            }
            _ if key.is_empty() || MEANINGS.iter().any(|meaning| key.contains(meaning)) => {
                return Err(line.error(0, &format!("unknown key @{}", shown(&key))));
            }
            _ => self.ignored.push(shown(&key)),
        }
        self.seen.push(key);
        Ok(())
    }

    fn only_label(&self, line: &Line) -> Result<()> {
        match self.label {
            Label::None => Ok(()),
            _ => Err(line.error(0, "expected one of @classLabel and @targetLabel, got both")),
        }
    }

    /// Checks the declarations for contradictions, at the `@data` line.
    pub(super) fn finish(&mut self, line: &Line) -> Result<Self> {
        line.no_more(&line.words(), 1)?;
        match (self.univariate, self.dimensions) {
            (Some(true), Some(n @ 2..)) => {
                return Err(line.error(0, &format!("@univariate true, but @dimensions {n}")));
            }
            (Some(false), Some(1)) => {
                return Err(line.error(0, "@univariate false, but @dimensions 1"));
            }
            (Some(true), _) => self.dimensions = Some(1),
            _ => {}
        }
        // With unequal lengths, the declared one has no meaning.
        match (self.equal_length, self.series_length) {
            (Some(false), _) => self.series_length = None,
            (_, Some(0)) => {
                let reason = "@seriesLength 0: expected at least 1, or @equalLength false";
                return Err(line.error(0, reason));
            }
            _ => {}
        }
        Ok(std::mem::take(self))
    }
}

fn word(line: &Line, words: &[Range<usize>], expected: &str) -> Result<Range<usize>> {
    words.get(1).cloned().ok_or_else(|| {
        line.error(line.text().len(), &format!("expected {expected}, got the end of the line"))
    })
}

fn boolean(line: &Line, words: &[Range<usize>]) -> Result<bool> {
    let word = word(line, words, "true or false")?;
    match line.text()[word.clone()].to_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            let reason = format!("expected true or false, got `{}`", shown(other));
            Err(line.error(word.start, &reason))
        }
    }
}

/// Parses a boolean with nothing after it.
fn flag(line: &Line, words: &[Range<usize>]) -> Result<bool> {
    let flag = boolean(line, words)?;
    line.no_more(words, 2)?;
    Ok(flag)
}

fn size(line: &Line, words: &[Range<usize>]) -> Result<usize> {
    let word = word(line, words, "a number")?;
    let text = &line.text()[word.clone()];
    match text.parse() {
        Ok(size @ 1..) => line.no_more(words, 2).map(|()| size),
        _ => {
            let reason = format!("expected a number of at least 1, got `{}`", shown(text));
            Err(line.error(word.start, &reason))
        }
    }
}

/// Parses a number of steps, which may be 0.
fn length(line: &Line, words: &[Range<usize>]) -> Result<usize> {
    let word = word(line, words, "a number")?;
    match &line.text()[word] {
        "0" => line.no_more(words, 2).map(|()| 0),
        _ => size(line, words),
    }
}

fn labels(line: &Line, words: &[Range<usize>]) -> Result<Vec<String>> {
    if words.is_empty() {
        return Err(line.error(line.text().len(), "expected class labels, got the end of the line"));
    }
    let mut labels: Vec<String> = vec![];
    let mut known: HashSet<&str> = HashSet::new();
    for word in words {
        let label = &line.text()[word.clone()];
        if !known.insert(label) {
            let reason = format!("class label `{}` occurs twice", shown(label));
            return Err(line.error(word.start, &reason));
        }
        labels.push(label.into());
    }
    Ok(labels)
}
