//! From a TOML table to a configuration, with errors in words instead of Rust types.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::config::error::{ConfigError, ConfigProblem, TEXT};

/// Deserialises a configuration from a table.
///
/// Serde reports errors as text only, so the text is taken apart here. A message of a form that is not
/// known is passed on as it is.
pub(crate) fn deserialize<T: DeserializeOwned>(table: &Table) -> Result<T, ConfigError> {
    table.clone().try_into().map_err(|error: toml::de::Error| {
        // The second line of the text is the path: "in `train.epochs`".
        let text = error.to_string();
        let path = text.lines().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
        explain(table, path.unwrap_or_default(), error.message())
    })
}

/// Turns a message of serde about the value at `path` into an error that names the key.
fn explain(table: &Table, path: &str, message: &str) -> ConfigError {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let below = |name: &str| match path {
        "" => name.to_string(),
        _ if path == name || path.ends_with(&format!(".{name}")) => path.to_string(),
        _ => format!("{path}.{name}"),
    };
    let (what, expected) = message.split_once(", ").unwrap_or((&message, ""));
    let expected = expected.strip_prefix("expected ").unwrap_or(expected);
    let quoted = |prefix: &str| what.strip_prefix(prefix)?.strip_prefix('`')?.strip_suffix('`');
    if let Some(name) = quoted("unknown field ") {
        let problem = ConfigProblem::UnknownKey { known: names(expected) };
        return ConfigError { key: below(name), problem, origin: None };
    }
    if let Some(name) = quoted("missing field ") {
        return ConfigError { key: below(name), problem: ConfigProblem::Missing, origin: None };
    }
    if let Some(got) = quoted("unknown variant ") {
        let key = refine(table, path, |value| value.as_str() == Some(got));
        let problem = ConfigProblem::UnknownName { known: names(expected), got: got.into() };
        return ConfigError { key, problem, origin: None };
    }
    // The value may contain ", expected ", the type does not.
    let typed = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "));
    if let Some((got, expected)) = typed.and_then(|typed| typed.rsplit_once(", expected ")) {
        let key = refine(table, path, |value| unexpected(value) == got);
        let (expected, got) = (type_in_words(expected), value_in_words(got));
        return ConfigError { key, problem: ConfigProblem::Type { expected, got }, origin: None };
    }
    let message = if path.is_empty() { message } else { format!("{path}: {message}") };
    ConfigError { key: path.into(), problem: ConfigProblem::Conflict(message), origin: None }
}

/// Returns the key of the wrong value. Serde loses the last part of the path in sections with a
/// `name`, such as `train.optimizer`; it is recovered if exactly one value there is `wrong`.
fn refine(table: &Table, path: &str, wrong: impl Fn(&Value) -> bool) -> String {
    let mut section = table;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        match section.get(part) {
            Some(Value::Table(table)) => section = table,
            _ => return path.into(),
        }
    }
    let mut names = section.iter().filter(|(_, value)| wrong(value)).map(|(name, _)| name);
    match (names.next(), names.next()) {
        (Some(name), None) if path.is_empty() => name.clone(),
        (Some(name), None) => format!("{path}.{name}"),
        _ => path.into(),
    }
}

/// The names in backquotes in a text.
fn names(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// A value as serde describes it in errors.
fn unexpected(value: &Value) -> String {
    match value {
        Value::String(text) => format!("string {text:?}"),
        Value::Integer(number) => format!("integer `{number}`"),
        Value::Float(number) => serde::de::Unexpected::Float(*number).to_string(),
        Value::Boolean(truth) => format!("boolean `{truth}`"),
        Value::Array(_) => "sequence".into(),
        Value::Table(_) => "map".into(),
        Value::Datetime(_) => "map".into(),
    }
}

/// A Rust type in words.
fn type_in_words(name: &str) -> String {
    match name {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" | "a borrowed string" | "path string" => TEXT.into(),
        "a sequence" => "a list".into(),
        "a map" | "map" => "a section".into(),
        _ if name.starts_with("struct ") => "a section".into(),
        _ if name.contains("tagged enum ") => "a section with a `name`".into(),
        _ if name.starts_with("a tuple of size ") => {
            format!("a list of {} values", &name["a tuple of size ".len()..])
        }
        other => other.into(),
    }
}

/// A value in words, from serde's description of it.
fn value_in_words(got: &str) -> String {
    let number = |prefix: &str| got.strip_prefix(prefix)?.strip_prefix('`')?.strip_suffix('`');
    if let Some(number) = number("integer ").or(number("floating point ")).or(number("boolean ")) {
        return number.into();
    }
    match got {
        "sequence" => "a list".into(),
        "map" => "a section".into(),
        _ => got.strip_prefix("string ").map_or(got.into(), |text| format!("the text {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::experiment_config::ExperimentConfig;

    #[test]
    fn errors_name_the_key_and_the_expectation_in_words() {
        #[track_caller]
        fn check(text: &str, message: &str) {
            let table: Table = toml::from_str(text).unwrap();
            let error = deserialize::<ExperimentConfig>(&table).unwrap_err().to_string();
            assert_eq!(error, message, "{text}");
        }
        let whole = "expected a whole number of at least 0";
        check("train.epochs = \"many\"", &format!("train.epochs: {whole}, got the text \"many\""));
        check("train.epochs = -1", &format!("train.epochs: {whole}, got -1"));
        check("train.epochs = 1.5", &format!("train.epochs: {whole}, got 1.5"));
        check("train.lr = []", "train.lr: expected a number, got a list");
        check("train = 3", "train: expected a section, got 3");
        check("model.bias = 1", "model.bias: expected true or false, got 1");
        check("name = 1", "name: expected text in quotes, got 1");
        check("data.dir = true", "data.dir: expected text in quotes, got true");
        check("sead = 1", "unknown key `sead`; did you mean `seed`?");
        check("train.epoch = 1", "unknown key `train.epoch`; did you mean `train.epochs`?");
        let keys = "unknown key `data.sums.x`: expected `num_samples`, `seq_length`, `input_size`, \
                    `redraw` or `held_out`";
        check("data.sums.x = 1", keys);
        check("model.kind = \"both\"", "model.kind is \"both\": expected `fixed` or `variable`");
        // Sections with a `name`.
        let names =
            "train.optimizer.name is \"sgdd\": expected `sgd`, `adam`, `adamw` or `rmsprop`";
        check("train.optimizer.name = \"sgdd\"", names);
        let typo = "train.optimizer = { name = \"sgd\", momemtum = 0.9 }";
        let message = "unknown key `train.optimizer.momemtum`; did you mean \
                       `train.optimizer.momentum`?";
        check(typo, message);
        let text = "train.optimizer = { name = \"sgd\", momentum = \"big\" }";
        check(text, "train.optimizer.momentum: expected a number, got the text \"big\"");
        let message = "missing key `train.optimizer.name`";
        check("train.optimizer.momentum = 0.9", message);
        check("data.synthetic.held_out = 3", "missing key `data.synthetic.task`");
        check("train.groups = [{ lr_scale = 1 }]", "missing key `train.groups.parameters`");
        check(
            "train.groups = [{ parameters = 1 }]",
            "train.groups.parameters: expected text in quotes, got 1",
        );
    }
}
