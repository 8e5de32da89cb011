//! Where a key stands in a TOML text.

use toml::de::{DeTable, DeValue};

/// 1-based line and column of a dotted key's value, or of the deepest part of the key that is there;
/// `None` where not even its first part is.
pub(super) fn place_of(text: &str, key: &str) -> Option<(usize, usize)> {
    let table = DeTable::parse(text).ok()?;
    let mut offset = None;
    let mut table = table.get_ref();
    for part in key.split('.') {
        let Some((_, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else { break };
        offset = Some(value.span().start);
        table = match value.get_ref() {
            DeValue::Table(table) => table,
            // An array of tables: the first of them that has the rest of the key.
            DeValue::Array(array) => match array.iter().map(|item| item.get_ref()).next() {
                Some(DeValue::Table(table)) => table,
                _ => break,
            },
            _ => break,
        };
    }
    offset.map(|offset| line_and_column(text, offset))
}

/// 1-based line and column of a byte offset.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_any_spelling() {
        let text = "seed = 1\n[train]\noptimizer = { name = \"adam\", eps = 2 }\ntrain.x = 1\n\
                    [[train.groups]]\nlr_scale = -1\n";
        assert_eq!(place_of(text, "seed"), Some((1, 8)));
        assert_eq!(place_of(text, "train.optimizer.eps"), Some((3, 36)));
        assert_eq!(place_of(text, "train.groups.lr_scale"), Some((6, 12)));
        assert_eq!(place_of(text, "train.optimizer.betas"), Some((3, 13)));
        assert_eq!(place_of(text, "model.kind"), None);
    }
}
