//! Single values that override those of a configuration file.

use toml::{Table, Value};

use crate::config::error::{ConfigError, ConfigOrigin, ConfigProblem};

/// A value that overrides the one in the configuration file.
///
/// ```
/// use ragged_train::ExperimentConfig;
/// use ragged_train::config::Override;
///
/// let overrides = [
///     Override::set("model.num_layers", "2"),
///     Override::flag("--epochs 5", "train.epochs", "5"),
/// ];
/// let config = ExperimentConfig::parse("", &overrides)?;
/// assert_eq!((config.model.num_layers, config.train.epochs), (2, 5));
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The dotted key, such as `train.epochs`.
    pub key: String,
    /// The value as TOML, or as plain text where it is not TOML: `data.dataset=fixed-sums` needs no
    /// quotes.
    pub value: String,
    /// The flag of the command line as it was typed; errors quote it.
    pub flag: String,
}

impl Override {
    /// Creates the override of `--set key=value`.
    pub fn set(key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        let flag = format!("--set {key}={value}");
        Self { key, value, flag }
    }

    /// Creates the override of another flag.
    pub fn flag(flag: impl Into<String>, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), flag: flag.into() }
    }

    /// Creates the override of another flag whose value is a text, whatever it looks like.
    pub fn text(flag: impl Into<String>, key: impl Into<String>, text: impl Into<String>) -> Self {
        Self::flag(flag, key, Value::String(text.into()).to_string())
    }

    /// Returns whether an error about `key` may be caused by this override: one of the two keys
    /// contains the other.
    pub(crate) fn concerns(&self, key: &str) -> bool {
        let within = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        within(&self.key, key) || within(key, &self.key)
    }

    /// Sets the value in a table. Sections on the way to it are created.
    pub(crate) fn apply(&self, table: &mut Table) -> Result<(), ConfigError> {
        let value = self.as_toml().unwrap_or_else(|| Value::String(self.value.clone()));
        self.insert(table, value)
    }

    /// Sets the value as a text in a table, whatever it looks like.
    pub(crate) fn apply_as_text(&self, table: &mut Table) -> Result<(), ConfigError> {
        self.insert(table, Value::String(self.value.clone()))
    }

    /// Returns whether the value looks like a number, a date or a truth value: a key whose type is text has it as
    /// text.
    pub(crate) fn is_scalar(&self) -> bool {
        self.as_toml().is_some_and(|value| {
            !matches!(value, Value::String(_) | Value::Array(_) | Value::Table(_))
        })
    }

    /// Returns the value if it is TOML.
    fn as_toml(&self) -> Option<Value> {
        let table = toml::from_str::<Table>(&format!("value = {}", self.value)).ok();
        table.filter(|table| table.len() == 1)?.remove("value")
    }

    fn insert(&self, table: &mut Table, value: Value) -> Result<(), ConfigError> {
        let error = |key: &str, problem| {
            let origin = Some(ConfigOrigin::Flag(self.flag.clone()));
            ConfigError { key: key.into(), problem, origin }
        };
        let mut parts: Vec<&str> = self.key.split('.').collect();
        let name = parts.pop().unwrap_or_default();
        if name.is_empty() || parts.contains(&"") {
            let message = "expected a key such as train.epochs before the `=`".into();
            return Err(error(&self.key, ConfigProblem::Conflict(message)));
        }
        let (mut section, mut path) = (table, String::new());
        for part in parts {
            path += if path.is_empty() { "" } else { "." };
            path += part;
            let entry = section.entry(part).or_insert_with(|| Value::Table(Table::new()));
            section = match entry {
                Value::Table(table) => table,
                other => {
                    let (expected, got) = ("a section".into(), other.to_string());
                    return Err(error(&path, ConfigProblem::Type { expected, got }));
                }
            };
        }
        section.insert(name.into(), value);
        Ok(())
    }
}
