//! A data set in memory.

use crate::dataset::{Dataset, check_index};
use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::fingerprint::Fingerprint;
use crate::formats::Column;
use crate::formats::target_summary::TargetSummary;
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;
use crate::tokens::statics::StaticColumns;
use crate::tokens::step_tokens::StepTokens;

/// A data set that holds its examples in memory.
///
/// ```
/// use ragged_datasets::{Dataset, Example, InMemory, Sequence, Target, TargetKind};
///
/// let kind = TargetKind::Classes(vec!["falling".into(), "rising".into()]);
/// let example = |values: &[f32], class| {
///     Ok::<_, ragged_datasets::Error>(Example::new(
///         Sequence::new(values.to_vec(), 1)?,
///         Target::Class(class),
///     ))
/// };
/// let data = InMemory::new(vec![example(&[1.0, 2.0, 3.0], 1)?, example(&[5.0, 4.0], 0)?], kind)?;
/// assert_eq!((data.len(), data.features()), (2, 1));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct InMemory {
    examples: Vec<Example>,
    features: usize,
    target_kind: TargetKind,
    ids: Option<Vec<String>>,
    feature_names: Option<Vec<String>>,
    token_columns: Vec<TokenColumn>,
    static_columns: StaticColumns,
    notes: Vec<String>,
    columns: Vec<Column>,
}

impl InMemory {
    /// Creates a data set from examples with the same number of features and kind of target.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] for no example, [`Error::Features`] or [`Error::Target`] for the first example
    /// that does not match.
    pub fn new(examples: Vec<Example>, target_kind: TargetKind) -> Result<Self> {
        let expected = match examples.first() {
            Some(example) => example.sequence.features(),
            None => return Err(Error::Empty("the data set")),
        };
        for (index, example) in examples.iter().enumerate() {
            let got = example.sequence.features();
            if got != expected {
                return Err(Error::Features { index, got, expected });
            }
            target_kind.check(index, example.sequence.len(), &example.target)?;
        }
        Ok(Self {
            examples,
            features: expected,
            target_kind,
            ids: None,
            feature_names: None,
            token_columns: vec![],
            static_columns: StaticColumns::default(),
            notes: vec![],
            columns: vec![],
        })
    }

    /// Sets the names of the examples, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless there are as many names as examples.
    pub fn with_ids(mut self, ids: Option<Vec<String>>) -> Result<Self> {
        let expected = self.examples.len();
        if let Some(got) = ids.as_ref().map(Vec::len).filter(|&got| got != expected) {
            return Err(Error::Count { name: "ids", of: "examples", got, expected });
        }
        self.ids = ids;
        Ok(self)
    }

    /// Returns the names of the examples, or `None` if they have none.
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// Sets the names of the features, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless there are as many names as features.
    pub fn with_feature_names(mut self, names: Option<Vec<String>>) -> Result<Self> {
        let expected = self.features;
        if let Some(got) = names.as_ref().map(Vec::len).filter(|&got| got != expected) {
            return Err(Error::Count { name: "feature_names", of: "features", got, expected });
        }
        self.feature_names = names;
        Ok(self)
    }

    /// Sets the columns of the tokens that the examples have.
    ///
    /// # Errors
    ///
    /// [`Error::Tokens`] for the first example with another number of tokens in each step, [`Error::TokenId`] for the
    /// first index that is not one of a text.
    pub fn with_token_columns(mut self, columns: Vec<TokenColumn>) -> Result<Self> {
        for (index, example) in self.examples.iter().enumerate() {
            let (tokens, expected) = (example.sequence.tokens(), columns.len());
            let got = tokens.map_or(0, StepTokens::columns);
            if got != expected {
                return Err(Error::Tokens { index, got, expected });
            }
            for (at, &got) in tokens.map_or(&[][..], StepTokens::ids).iter().enumerate() {
                let column = &columns[at % expected];
                let count = column.texts.len();
                if got as usize >= count {
                    return Err(Error::TokenId { index, column: column.name.clone(), got, count });
                }
            }
        }
        self.token_columns = columns;
        Ok(self)
    }

    /// Sets the columns of the static values that the examples have.
    ///
    /// # Errors
    ///
    /// [`Error::Statics`] for the first example with another number of them, [`Error::TokenId`] for the first index
    /// that is not one of a text.
    pub fn with_static_columns(mut self, columns: StaticColumns) -> Result<Self> {
        let expected = (columns.numbers.len(), columns.categories.len());
        for (index, example) in self.examples.iter().enumerate() {
            let statics = example.sequence.statics();
            let got = statics.map_or((0, 0), |s| (s.numbers.len(), s.categories.len()));
            if got != expected {
                return Err(Error::Statics { index, got, expected });
            }
            let ids = statics.map_or(&[][..], |statics| &statics.categories);
            for (&got, column) in ids.iter().zip(&columns.categories) {
                let count = column.texts.len();
                if got as usize >= count {
                    return Err(Error::TokenId { index, column: column.name.clone(), got, count });
                }
            }
        }
        self.static_columns = columns;
        Ok(self)
    }

    /// Sets what a person should know about how a file was read.
    pub(crate) fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    /// Sets what the columns of a file are read as.
    pub(crate) fn with_columns(mut self, columns: Vec<Column>) -> Self {
        self.columns = columns;
        self
    }

    /// Returns what each column of the file is read as, in the order of the file. Empty for data that was
    /// not read from a file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Describes the targets in one sentence.
    ///
    /// ```
    /// use ragged_datasets::formats::{self, Format, ReadOptions};
    ///
    /// let text = b"{\"sequence\": [1], \"target\": 0.5}\n{\"sequence\": [2], \"target\": 14.25}\n";
    /// let data = formats::parse(text, Format::JsonLines, &ReadOptions::default(), None)?;
    /// assert_eq!(data.target_summary(), "target: regression, 2 values from 0.5 to 14.25");
    /// # Ok::<(), ragged_datasets::Error>(())
    /// ```
    pub fn target_summary(&self) -> String {
        let mut summary = TargetSummary::new(&self.target_kind);
        self.examples.iter().for_each(|example| summary.add(&example.target));
        summary.sentence()
    }

    /// Returns the examples in order.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// Returns the SHA-256 sum of all values and targets as 64 hexadecimal digits.
    ///
    /// It identifies the content, whatever format it was read from: comments, headers, the spelling
    /// of numbers and the order of the classes do not matter. For each example, the sum covers its
    /// length (`u64`), its values step by step (`f32`, or `f64` where the sequence has
    /// [exact values](crate::Sequence::exact_values)), the texts of its tokens step by step, its static
    /// numbers (`f64`) and the texts of its static categories, and its target: labels as UTF-8, each followed
    /// by a line feed, other targets as `f32`. Numbers are little-endian, and every NaN counts as
    /// `7fc00000`, or `7ff8000000000000` among exact values.
    pub fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::new(self);
        self.examples.iter().for_each(|example| fingerprint.add(example));
        fingerprint.finish()
    }

    /// Returns the examples.
    pub(crate) fn into_examples(self) -> Vec<Example> {
        self.examples
    }
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn features(&self) -> usize {
        self.features
    }

    fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    fn get(&self, _epoch: usize, index: usize) -> Result<Example> {
        check_index(index, self.examples.len())?;
        Ok(self.examples[index].clone())
    }

    fn target(&self, _epoch: usize, index: usize) -> Result<Target> {
        check_index(index, self.examples.len())?;
        Ok(self.examples[index].target.clone())
    }

    fn length(&self, _epoch: usize, index: usize) -> Result<usize> {
        check_index(index, self.examples.len())?;
        Ok(self.examples[index].sequence.len())
    }

    fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    fn token_columns(&self) -> &[TokenColumn] {
        &self.token_columns
    }

    fn static_columns(&self) -> &StaticColumns {
        &self.static_columns
    }

    fn id(&self, index: usize) -> Option<&str> {
        self.ids.as_ref()?.get(index).map(String::as_str)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Sequence;

    fn example(features: usize, target: Target) -> Example {
        Example::new(Sequence::new(vec![0.0; features], features).unwrap(), target)
    }

    #[test]
    fn examples_that_do_not_match_are_named() {
        #[track_caller]
        fn check(examples: Vec<Example>, kind: TargetKind, message: &str) {
            assert_eq!(InMemory::new(examples, kind).unwrap_err().to_string(), message);
        }
        let classes = || TargetKind::Classes(vec!["a".into(), "b".into()]);
        let class = |c| Target::Class(c);
        check(vec![], classes(), "the data set is empty: expected at least one example");
        let features = vec![example(2, class(0)), example(3, class(0))];
        check(features, classes(), "example 1 has 3 features: expected 2");
        let message = "example 0 has target class 2: expected a class below 2";
        check(vec![example(1, class(2))], classes(), message);
        let message = "example 0 has target class 0: expected 2 values";
        check(vec![example(1, class(0))], TargetKind::Values(2), message);
        let steps = TargetKind::StepClasses(vec!["a".into(), "b".into()]);
        let message = "example 0 has target classes for 2 steps, the largest 1: \
                       expected one class below 2 for each of 1 steps";
        check(vec![example(1, Target::StepClasses(vec![0, 1]))], steps, message);
        assert_eq!(
            Sequence::new(vec![1.0; 3], 2).unwrap_err().to_string(),
            "3 values do not form whole steps of 2 features"
        );
        assert_eq!(
            Sequence::new(vec![], 0).unwrap_err().to_string(),
            "features is 0: expected at least 1"
        );
        let three = vec![example(1, class(0)); 3];
        let three = InMemory::new(three, classes()).unwrap();
        assert_eq!(
            three.get(0, 7).unwrap_err().to_string(),
            "example 7 is out of range: the data set has 3 examples"
        );
        assert_eq!(
            three.with_ids(Some(vec!["a".into()])).unwrap_err().to_string(),
            "ids is for 1 examples: expected 3"
        );
    }
}
