//! Class labels and their indices.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::formats::decimal::Decimal;
use crate::formats::number::shown;

/// The index of each label. Labels that are numbers are compared as numbers: `1.0` is `1`.
#[derive(Debug)]
pub(super) struct Vocabulary {
    texts: HashMap<String, u32>,
    /// `None` for a number that several labels have.
    numbers: HashMap<Decimal, Option<u32>>,
}

impl Vocabulary {
    pub(super) fn new(labels: &[String]) -> Self {
        let texts = labels.iter().map(|label| label.trim().to_string()).zip(0..).collect();
        let mut numbers = HashMap::new();
        for (label, class) in labels.iter().zip(0..) {
            match Decimal::parse(label.trim()).map(|number| numbers.entry(number)) {
                Some(Entry::Vacant(entry)) => drop(entry.insert(Some(class))),
                Some(Entry::Occupied(mut entry)) => drop(entry.insert(None)),
                None => {}
            }
        }
        Self { texts, numbers }
    }

    /// Returns the class of a label.
    pub(super) fn class(&self, label: &str) -> Option<u32> {
        let as_number = || self.numbers.get(&Decimal::parse(label)?).copied().flatten();
        self.texts.get(label).copied().or_else(as_number)
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// Returns the distinct labels: in numerical order if all are numbers, and otherwise in alphabetical
/// order, so that the order of the examples does not matter. Notes name spellings that count as one
/// label, and labels that differ only in case or white space.
pub(super) fn distinct<'a>(
    labels: impl Iterator<Item = Cow<'a, str>>,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let texts: BTreeSet<Cow<'a, str>> = labels.collect();
    let mut spellings: BTreeMap<Decimal, Vec<&str>> = BTreeMap::new();
    let mut names: Vec<&str> = vec![];
    for text in &texts {
        match Decimal::parse(text) {
            Some(number) => spellings.entry(number).or_default().push(text),
            None => names.push(text),
        }
    }
    let mut labels: Vec<String> = vec![];
    for same in spellings.values_mut() {
        same.sort_by_key(|text| (text.len(), *text));
        if same.len() > 1 {
            let all: Vec<_> = same.iter().map(|text| format!("`{}`", shown(text))).collect();
            notes.push(format!("target: {} are one class", all.join(" and ")));
        }
        labels.extend(same.first().map(|text| text.to_string()));
    }
    let mut by_case: BTreeMap<String, &str> = BTreeMap::new();
    for name in &names {
        let folded = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(other) = by_case.insert(folded, name) {
            let (a, b) = (shown(other), shown(name));
            let what = match other.to_lowercase() == name.to_lowercase() {
                true => "case",
                false => "white space",
            };
            notes.push(format!("target: classes `{a}` and `{b}` differ only in {what}"));
        }
    }
    if !names.is_empty() {
        labels.extend(names.iter().map(|name| name.to_string()));
        labels.sort_unstable();
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|label| label.to_string()).collect()
    }

    fn sorted(labels: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut notes = vec![];
        let labels = distinct(labels.iter().map(|label| Cow::Borrowed(*label)), &mut notes);
        (labels, notes)
    }

    #[test]
    fn spellings_of_a_number_are_one_label() {
        let (labels, notes) = sorted(&["10", "1.0", "2", "1", "-1"]);
        assert_eq!(labels, ["-1", "1", "2", "10"]);
        assert_eq!(notes, ["target: `1` and `1.0` are one class"]);
        let vocabulary = Vocabulary::new(&labels);
        assert_eq!((vocabulary.class("1.00"), vocabulary.class("1")), (Some(1), Some(1)));
        assert_eq!((vocabulary.class("3"), vocabulary.class("one")), (None, None));
    }

    #[test]
    fn large_numbers_stay_apart() {
        let (labels, _) = sorted(&["9223372036854775813", "9223372036854775812"]);
        assert_eq!(labels, ["9223372036854775812", "9223372036854775813"]);
        assert_eq!(Vocabulary::new(&labels).class("9223372036854775813"), Some(1));
    }

    #[test]
    fn names_are_sorted_and_those_that_differ_in_case_are_noted() {
        let (labels, notes) = sorted(&["walk", "Walk", "10", "9", "walk"]);
        assert_eq!(labels, ["10", "9", "Walk", "walk"]);
        assert_eq!(notes, ["target: classes `Walk` and `walk` differ only in case"]);
    }

    /// Such labels can be declared, or saved by a run.
    #[test]
    fn declared_labels_that_are_the_same_number_are_told_apart_by_their_text() {
        let vocabulary = Vocabulary::new(&strings(&["1", "1.0"]));
        assert_eq!((vocabulary.class("1"), vocabulary.class("1.0")), (Some(0), Some(1)));
        assert_eq!(vocabulary.class("1.00"), None);
    }
}
