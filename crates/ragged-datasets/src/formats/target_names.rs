//! The names of several targets, by which later files are read, and the types that the configuration gives them.

use std::collections::HashMap;

use crate::formats::feature_names::FeatureNames;
use crate::formats::number::shown;
use crate::formats::schema::Schema;

/// The names of the targets that every file must have, once they are known.
#[derive(Debug)]
pub(super) struct TargetNames {
    names: FeatureNames,
    known: Vec<String>,
    /// Whether later files must have the names: those of a schema.
    strict: bool,
    /// Whether a column is of numbers and not of categories, by the configuration.
    declared: HashMap<String, bool>,
    /// How the names of a file differ from those of the first.
    mismatch: Option<String>,
}

impl TargetNames {
    /// Starts with the targets of the training data, if they have names.
    pub(super) fn new(schema: Option<&Schema>) -> Self {
        let parts = schema.map_or(&[][..], |schema| schema.targets.parts());
        let known: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
        let strict = !known.is_empty();
        let names = FeatureNames::of_targets(strict.then(|| known.clone()));
        Self { names, known, strict, declared: HashMap::new(), mismatch: None }
    }

    /// Takes the names that the first of other files has, if none are known.
    pub(super) fn expect(&mut self, names: &[String]) {
        if self.known.is_empty() && !names.is_empty() {
            self.names = FeatureNames::of_targets(Some(names.to_vec()));
            self.known = names.to_vec();
        }
    }

    /// Returns, for each target, its index among the names of a file. The first names are those of all files. Where
    /// they need not be the same, those of a file with others stay as they are.
    pub(super) fn order(&mut self, found: &[String], strict: bool) -> Result<Vec<usize>, String> {
        let order = self.names.order(found);
        if self.known.is_empty() {
            self.known = found.to_vec();
        }
        match order {
            Err(reason) if strict || self.strict => Err(reason),
            Err(reason) => {
                self.mismatch.get_or_insert(reason);
                Ok((0..found.len()).collect())
            }
            Ok(order) => Ok(order),
        }
    }

    /// Records that the configuration says what a column is.
    pub(super) fn declare(&mut self, name: &str, numbers: bool) {
        self.declared.insert(name.into(), numbers);
    }

    /// Returns whether a target is a number by the configuration, if it says so.
    pub(super) fn declared(&self, target: usize) -> Option<bool> {
        self.declared.get(self.known.get(target)?).copied()
    }

    /// Returns the names in their order; none where no file has named its targets.
    pub(super) fn known(&self) -> &[String] {
        &self.known
    }

    /// Returns the name of a target as messages show it.
    pub(super) fn shown(&self, target: usize) -> String {
        self.known.get(target).map_or_else(|| (target + 1).to_string(), |name| shown(name))
    }

    /// Returns how the names of a file differ from those of the first, if they do.
    pub(super) fn mismatch(&self) -> Option<&str> {
        self.mismatch.as_deref()
    }
}
