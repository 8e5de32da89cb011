//! What is wrong with a configuration, which key is to blame, and where it was written.

use std::fmt;

/// A key or value that a configuration cannot have.
///
/// The message is one line: where the key was written, then the key and what was expected of it.
///
/// ```
/// use ragged_train::ExperimentConfig;
/// use ragged_train::config::Override;
///
/// let set = [Override::set("train.epoch", "3")];
/// let error = ExperimentConfig::parse("", &set).unwrap_err().to_string();
/// let expected = "--set train.epoch=3: unknown key `train.epoch`; did you mean `train.epochs`?";
/// assert_eq!(error, expected);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// The dotted key, such as `train.epochs`; empty where the text as a whole cannot be read.
    pub key: String,
    /// What is wrong with it.
    pub problem: ConfigProblem,
    /// Where it was written; `None` for a default.
    pub origin: Option<ConfigOrigin>,
}

/// Where a key of a configuration was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOrigin {
    /// In the configuration file.
    File {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// In a flag of the command line, which is given as it was typed.
    Flag(String),
}

/// What is wrong with a key of a configuration.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// The text is not TOML, or cannot be written as TOML.
    Syntax(String),
    /// There is no such key.
    UnknownKey {
        /// The keys that the section has.
        known: Vec<String>,
    },
    /// A key that must be given is missing.
    Missing,
    /// The value has the wrong type.
    Type {
        /// The type, in words.
        expected: String,
        /// The value, in words.
        got: String,
    },
    /// The value is none of the names that the key may have.
    UnknownName {
        /// The names that the key may have.
        known: Vec<String>,
        /// The name that was given.
        got: String,
    },
    /// The value is out of range.
    Range {
        /// The range, in words.
        expected: String,
        /// The value.
        got: String,
    },
    /// The value contradicts another value; the message names both.
    Conflict(String),
}

/// The type of a text, in words.
pub(crate) const TEXT: &str = "text in quotes";

impl ConfigError {
    /// A value out of range.
    pub(crate) fn range(key: impl Into<String>, got: impl ToString, expected: &str) -> Self {
        let problem = ConfigProblem::Range { expected: expected.into(), got: got.to_string() };
        Self { key: key.into(), problem, origin: None }
    }

    /// Returns whether the value is no text, but should be one.
    pub(crate) fn expects_text(&self) -> bool {
        matches!(&self.problem, ConfigProblem::Type { expected, .. } if expected == TEXT)
    }

    /// Two values that contradict each other; `key` is the one to change.
    pub(crate) fn conflict(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), problem: ConfigProblem::Conflict(message.into()), origin: None }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        match &self.problem {
            ConfigProblem::Syntax(message) => write!(f, "{message}"),
            ConfigProblem::UnknownKey { known } => {
                let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
                write!(f, "unknown key `{key}`")?;
                match closest(name, known) {
                    Some(name) if section.is_empty() => write!(f, "; did you mean `{name}`?"),
                    Some(name) => write!(f, "; did you mean `{section}.{name}`?"),
                    None => write!(f, ": expected {}", any_of(known)),
                }
            }
            ConfigProblem::Missing => write!(f, "missing key `{key}`"),
            ConfigProblem::Type { expected, got } => {
                write!(f, "{key}: expected {expected}, got {got}")
            }
            ConfigProblem::UnknownName { known, got } => {
                write!(f, "{key} is \"{got}\": expected {}", any_of(known))
            }
            ConfigProblem::Range { expected, got } => {
                write!(f, "{key} is {got}: expected {expected}")
            }
            ConfigProblem::Conflict(message) => write!(f, "{message}"),
        }
    }
}

impl fmt::Display for ConfigOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line, column } => write!(f, "line {line}, column {column}"),
            Self::Flag(text) => write!(f, "{text}"),
        }
    }
}

/// Names as a list in words.
fn any_of(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "no key here".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// The known name that is at most two edits away from `name`, and less than half of it.
fn closest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let distance = |other: &String| edit_distance(name, other);
    let best = known.iter().min_by_key(|other| distance(other))?;
    (distance(best) <= 2 && 2 * distance(best) < name.chars().count()).then_some(best.as_str())
}

/// The number of characters to insert, delete or replace that turns `a` into `b` (Levenshtein 1966).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_distance_is_levenshteins() {
        for (a, b, distance) in [("", "abc", 3), ("kitten", "sitting", 3), ("epoch", "epochs", 1)] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn a_suggestion_is_close_and_otherwise_the_known_keys_are_listed() {
        let unknown = |key: &str| {
            let known = ["seed", "name", "train"].map(String::from).to_vec();
            let problem = ConfigProblem::UnknownKey { known };
            ConfigError { key: key.into(), problem, origin: None }.to_string()
        };
        assert_eq!(unknown("sead"), "unknown key `sead`; did you mean `seed`?");
        assert_eq!(unknown("a.trian"), "unknown key `a.trian`; did you mean `a.train`?");
        assert_eq!(unknown("x"), "unknown key `x`: expected `seed`, `name` or `train`");
    }
}
