//! The position of a key or its value in a TOML text.

use toml::de::{DeTable, DeValue};

/// Returns the line and column, counted from 1, of a dotted key; `None` unless the text has it.
pub(crate) fn key_position(text: &str, key: &str) -> Option<(usize, usize)> {
    let (found, parts) = deepest(text, key)?;
    (found.depth == parts).then(|| line_and_column(text, found.key))
}

/// Returns the line and column, counted from 1, of the value of a dotted key, or of the innermost
/// section on the way to it that the text has; `None` if it has not even the outermost one.
pub(crate) fn value_position(text: &str, key: &str) -> Option<(usize, usize)> {
    deepest(text, key).map(|(found, _)| line_and_column(text, found.value))
}

/// A key in a TOML text.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// The number of parts of the dotted key that were found.
    depth: usize,
    /// The byte offsets of the last of these parts and of its value.
    key: usize,
    value: usize,
}

/// Returns the longest prefix of a dotted key that the text has, and the number of parts of the key.
fn deepest(text: &str, key: &str) -> Option<(Found, usize)> {
    let table = DeTable::parse(text).ok()?;
    let parts: Vec<&str> = key.split('.').collect();
    Some((search(table.get_ref(), &parts)?, parts.len()))
}

fn search(table: &DeTable, parts: &[&str]) -> Option<Found> {
    let (first, rest) = parts.split_first()?;
    let (name, value) = table.iter().find(|(name, _)| name.get_ref() == first)?;
    let here = Found { depth: 1, key: name.span().start, value: value.span().start };
    let deeper = match value.get_ref() {
        DeValue::Table(table) => search(table, rest),
        // An array of tables: the first one that has most of the rest of the key.
        DeValue::Array(array) => {
            let tables = array.iter().filter_map(|item| match item.get_ref() {
                DeValue::Table(table) => search(table, rest),
                _ => None,
            });
            tables.reduce(|best, other| if other.depth > best.depth { other } else { best })
        }
        _ => None,
    };
    Some(deeper.map_or(here, |found| Found { depth: found.depth + 1, ..found }))
}

/// Returns the line and column, counted from 1, of a byte offset. An offset within a character counts
/// as that of the character.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_any_spelling() {
        let text = "seed = 1\n[train]\noptimizer = { name = \"adam\", eps = 2 }\ntrain.x = 1\n\
                    [[train.groups]]\nlr_scale = -1\n[[train.groups]]\nweight_decay = 2\n";
        assert_eq!(value_position(text, "seed"), Some((1, 8)));
        assert_eq!(key_position(text, "seed"), Some((1, 1)));
        assert_eq!(value_position(text, "train.optimizer.eps"), Some((3, 36)));
        assert_eq!(key_position(text, "train.optimizer.eps"), Some((3, 30)));
        assert_eq!(value_position(text, "train.groups.lr_scale"), Some((6, 12)));
        assert_eq!(value_position(text, "train.groups.weight_decay"), Some((8, 16)));
        assert_eq!(value_position(text, "train.optimizer.betas"), Some((3, 13)));
        assert_eq!(key_position(text, "train.optimizer.betas"), None);
        assert_eq!(value_position(text, "model.kind"), None);
    }

    #[test]
    fn an_offset_within_a_character_is_that_of_the_character() {
        let columns = [0, 1, 2, 3, 4, 99].map(|offset| line_and_column("aé\nb", offset));
        assert_eq!(columns, [(1, 1), (1, 2), (1, 2), (1, 3), (2, 1), (2, 2)]);
    }
}
