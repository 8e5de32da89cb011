//! The names of the features of all files, by which later files are read.

use std::collections::{HashMap, HashSet};

use crate::formats::number::shown;

/// The names that every file must have, once they are known.
#[derive(Debug)]
pub(super) struct FeatureNames {
    /// What the names are of, as messages say it.
    what: &'static str,
    known: Option<Vec<String>>,
    /// Whether a file without names was noted.
    noted: bool,
}

impl Default for FeatureNames {
    fn default() -> Self {
        Self::new(None)
    }
}

/// The number of names that a message lists.
const NAMES: usize = 20;

impl FeatureNames {
    pub(super) fn new(known: Option<Vec<String>>) -> Self {
        Self { what: "feature", known, noted: false }
    }

    /// Starts with the names of targets.
    pub(super) fn of_targets(known: Option<Vec<String>>) -> Self {
        Self { what: "target", ..Self::new(known) }
    }

    /// Returns the names, if a file or the schema has them.
    pub(super) fn into_names(self) -> Option<Vec<String>> {
        self.known
    }

    /// Returns the number of features, if they have names.
    pub(super) fn count(&self) -> Option<usize> {
        self.known.as_ref().map(Vec::len)
    }

    /// Returns the name of a feature, if there are names.
    pub(super) fn name(&self, feature: usize) -> Option<&str> {
        self.known.as_ref()?.get(feature).map(String::as_str)
    }

    /// Returns, for each feature, its index among the names of a file. The first names are those of all
    /// files.
    pub(super) fn order(&mut self, found: &[String]) -> Result<Vec<usize>, String> {
        if self.known.as_deref() == Some(found) {
            return Ok((0..found.len()).collect());
        }
        let mut index: HashMap<&str, usize> = HashMap::with_capacity(found.len());
        for (k, name) in found.iter().enumerate() {
            if index.insert(name, k).is_some() {
                return Err(format!("{} `{}` occurs twice", self.what, shown(name)));
            }
        }
        let known = self.known.get_or_insert_with(|| found.to_vec());
        let order: Vec<usize> =
            known.iter().filter_map(|name| index.get(name.as_str()).copied()).collect();
        if order.len() == known.len() && found.len() == known.len() {
            return Ok(order);
        }
        let expected: HashSet<&str> = known.iter().map(String::as_str).collect();
        let missing: Vec<&String> =
            known.iter().filter(|name| !index.contains_key(name.as_str())).collect();
        let unexpected: Vec<&String> =
            found.iter().filter(|name| !expected.contains(name.as_str())).collect();
        let part = |what: &str, names: &[&String]| match names.is_empty() {
            true => None,
            false => Some(format!("{what} {}", list(names.iter().map(|name| name.as_str())))),
        };
        let parts = [part("missing", &missing), part("unexpected", &unexpected)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let expected = list(known.iter().map(String::as_str));
        Err(format!("expected the {}s {expected}: {}", self.what, parts.join("; ")))
    }

    /// Returns the note about a file without names, once, if names are known.
    pub(super) fn note_unnamed(&mut self) -> Option<String> {
        let known = self.known.as_ref().filter(|_| !self.noted)?;
        self.noted = true;
        let names = list(known.iter().map(String::as_str));
        Some(format!("the file does not name its features: they are read in the order {names}"))
    }
}

/// Lists names, a long list without its end.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut shown_names: Vec<String> = names.take(NAMES + 1).map(shown).collect();
    if shown_names.len() > NAMES {
        shown_names[NAMES] = "...".into();
    }
    shown_names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn files_are_ordered_by_the_names_of_the_first() {
        let mut known = FeatureNames::default();
        assert_eq!(known.order(&names(&["a", "b", "c"])), Ok(vec![0, 1, 2]));
        assert_eq!(known.order(&names(&["c", "a", "b"])), Ok(vec![1, 2, 0]));
        assert_eq!(known.count(), Some(3));
    }

    #[test]
    fn missing_and_unexpected_names_are_one_error() {
        let mut known = FeatureNames::new(Some(names(&["a", "b"])));
        let error =
            |known: &mut FeatureNames, found: &[&str]| known.order(&names(found)).unwrap_err();
        assert_eq!(
            error(&mut known, &["b", "x", "y"]),
            "expected the features a, b: missing a; unexpected x, y"
        );
        assert_eq!(error(&mut known, &["a"]), "expected the features a, b: missing b");
        assert_eq!(error(&mut known, &["a", "b", "c"]), "expected the features a, b: unexpected c");
        assert_eq!(error(&mut known, &["a", "a"]), "feature `a` occurs twice");
    }

    #[test]
    fn a_file_without_names_is_noted_once() {
        let mut known = FeatureNames::new(Some(names(&["a", "b"])));
        let note = "the file does not name its features: they are read in the order a, b";
        assert_eq!(known.note_unnamed().as_deref(), Some(note));
        assert_eq!(known.note_unnamed(), None);
        assert_eq!(FeatureNames::default().note_unnamed(), None);
    }
}
