//! The order in which parts are added.

use crate::error::Result;

/// Adds neighbours, then neighbouring sums, and so on. `None` adds nothing.
pub(crate) fn tree_sum<T>(
    mut parts: Vec<Option<T>>,
    add: impl Fn(T, T) -> Result<T>,
) -> Result<Option<T>> {
    while parts.len() > 1 {
        let mut pairs = parts.into_iter();
        let mut sums = vec![];
        while let Some(one) = pairs.next() {
            sums.push(match (one, pairs.next().flatten()) {
                (Some(one), Some(other)) => Some(add(one, other)?),
                (one, other) => one.or(other),
            });
        }
        parts = sums;
    }
    Ok(parts.pop().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_added_first() {
        let sum = |parts: &[&str]| {
            let parts = parts.iter().map(|part| (!part.is_empty()).then(|| part.to_string()));
            tree_sum(parts.collect(), |a, b| Ok(format!("({a}{b})"))).unwrap()
        };
        assert_eq!(sum(&["a", "b", "c", "d"]).unwrap(), "((ab)(cd))");
        assert_eq!(sum(&["a", "", "", "d"]).unwrap(), "(ad)");
        assert_eq!(sum(&["a", "b", "c"]).unwrap(), "((ab)c)");
        assert_eq!((sum(&["a"]).unwrap().as_str(), sum(&["", ""]), sum(&[])), ("a", None, None));
    }
}
