//! What the fields of one column of targets say together.

use std::borrow::Cow;

use crate::error::Error;
use crate::formats::field::{Evidence, Field};
use crate::formats::label_set::LabelSet;

/// The number of fields that are numbers, and of those that are names. Missing ones are neither.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) numbers: usize,
    pub(super) names: usize,
}

impl Counts {
    /// Whether most fields are numbers.
    pub(super) fn is_of_numbers(self) -> bool {
        self.numbers > self.names
    }

    /// Returns the number of fields that are not missing.
    pub(super) fn total(self) -> usize {
        self.numbers + self.names
    }

    /// Returns the counts of both.
    pub(super) fn with(self, other: Self) -> Self {
        Self { numbers: self.numbers + other.numbers, names: self.names + other.names }
    }
}

/// All that decides whether a field that is not empty matches its column: two fields of one class both do, or neither
/// does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    evidence: Evidence,
    /// Whether the format says that it is a number.
    typed: bool,
    /// Whether it is a value to predict.
    converts: bool,
}

impl Class {
    /// Returns the class of a field, and its value if it has one.
    pub(super) fn of(field: &Field) -> (Self, Option<f32>) {
        let value = field.value_to_predict();
        let (evidence, typed) = (field.evidence(), field.is_typed_number());
        (Self { evidence, typed, converts: value.is_some() }, value)
    }
}

/// The first field of its class in a column.
#[derive(Debug, Clone)]
pub(super) struct First {
    /// Orders the fields of all columns as they are in the files.
    pub(super) ordinal: u64,
    /// The index of the file.
    pub(super) file: usize,
    pub(super) field: Field,
}

/// The distinct labels of a column.
#[derive(Debug, Default)]
struct Labels {
    /// Of fields that are the target of a sequence, or the first one of it.
    of_sequences: LabelSet,
    /// Of the other rows of a series. If they are the same target, they can be spelled differently.
    of_rows: LabelSet,
    /// Of missing values, which are labels if a task says so.
    missing: LabelSet,
}

/// The fields of one column, as a summary of bounded size but for the labels that are names.
#[derive(Debug, Default)]
pub(super) struct ColumnEvidence {
    counts: Counts,
    firsts: Vec<(Class, First)>,
    /// Whether 0 and 1 occur.
    found: [bool; 2],
    /// Whether any field that is not missing is neither.
    others: bool,
    /// None for columns of which no labels are needed.
    labels: Option<Box<Labels>>,
}

impl ColumnEvidence {
    /// Counts a field like one that was added.
    pub(super) fn count(&mut self, class: Class) {
        match class.evidence {
            Evidence::Number => self.counts.numbers += 1,
            Evidence::Name => self.counts.names += 1,
            Evidence::Missing => {}
        }
    }

    /// Adds a field, which is not an empty cell.
    pub(super) fn add(
        &mut self,
        (class, value): (Class, Option<f32>),
        ordinal: u64,
        file: usize,
        field: &Field,
    ) {
        self.count(class);
        if class.evidence != Evidence::Missing {
            match value {
                Some(0.0) => self.found[0] = true,
                Some(1.0) => self.found[1] = true,
                _ => self.others = true,
            }
        }
        if self.firsts.iter().all(|(known, _)| *known != class) {
            self.firsts.push((class, First { ordinal, file, field: field.clone() }));
        }
    }

    /// Adds the label of a field that was added, or of an empty one. `is_first` is whether it is not in a further row
    /// of a series, `are_classes` whether numbers are classes in any case.
    pub(super) fn add_label(
        &mut self,
        class: Class,
        field: &Field,
        is_first: bool,
        are_classes: bool,
    ) {
        let labels = self.labels.get_or_insert_default();
        let set = match (class.evidence, is_first) {
            (Evidence::Missing, _) => &mut labels.missing,
            (_, true) => &mut labels.of_sequences,
            (_, false) => &mut labels.of_rows,
        };
        set.add(field, class.evidence, are_classes);
    }

    /// Returns the numbers of fields.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the first field of each class, in their order.
    pub(super) fn firsts(&self) -> impl Iterator<Item = &First> {
        self.firsts.iter().map(|(_, first)| first)
    }

    /// Whether all fields are empty.
    pub(super) fn is_empty(&self) -> bool {
        self.firsts.is_empty()
    }

    /// Whether all fields that are not missing are 0 or 1, and which of them occur.
    pub(super) fn binary(&self) -> Option<[bool; 2]> {
        (!self.others).then_some(self.found)
    }

    /// Returns the labels, of which some may be equal: those of further rows of a series if `of_rows`, and those of
    /// missing values if `missing`. Messages call the target `what`.
    pub(super) fn labels(
        &self,
        what: &str,
        of_rows: bool,
        missing: bool,
    ) -> Result<Vec<Cow<'_, str>>, Error> {
        let Some(labels) = &self.labels else { return Ok(vec![]) };
        let mut all = vec![];
        for (set, wanted) in
            [(&labels.of_sequences, true), (&labels.of_rows, of_rows), (&labels.missing, missing)]
        {
            if wanted {
                set.check(what)?;
                all.extend(set.iter());
            }
        }
        Ok(all)
    }
}
