//! The distinct labels of a column of targets, of which those that are numbers are bounded.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::error::{Error, Location};
use crate::formats::field::{Evidence, Field, Value};

/// The most different numbers that are kept as labels where nothing says that they are classes. Then they are needed
/// only if at least as many texts follow.
const FEW: usize = 1 << 14;

/// The most different numbers that are kept as labels of classes.
const MANY: usize = 1 << 20;

/// Distinct labels. Numbers are kept as such, since most columns of numbers are not classes: their digits are written
/// only if they are needed.
#[derive(Debug, Default)]
pub(super) struct LabelSet {
    texts: HashSet<Box<str>>,
    integers: HashSet<i128>,
    /// The bits of numbers of 64 bits.
    floats: HashSet<u64>,
    /// The number of labels of fields that are numbers.
    numbers: usize,
    /// The limit, if labels were left out because of it.
    exceeded: Option<usize>,
}

impl LabelSet {
    /// Adds the label of a field. `are_classes` is whether the task or the type of the column says that numbers are
    /// classes.
    pub(super) fn add(&mut self, field: &Field, evidence: Evidence, are_classes: bool) {
        let is_number = evidence == Evidence::Number;
        if is_number && self.exceeded.is_some() {
            return;
        }
        let limit = if are_classes { MANY } else { FEW };
        let has_room = !is_number || self.numbers < limit;
        let is_new = match &field.value {
            Value::Number(value) => insert(&mut self.floats, value.to_bits(), has_room),
            Value::Integer(value) | Value::Code(value) => {
                insert(&mut self.integers, *value, has_room)
            }
            Value::Text(text) | Value::Cell(text) => {
                let is_new = !self.texts.contains(text.trim());
                if is_new && has_room {
                    self.texts.insert(text.trim().into());
                }
                is_new
            }
        };
        match (is_new, has_room) {
            (true, false) => self.exceeded = Some(limit),
            (true, true) => self.numbers += usize::from(is_number),
            (false, _) => {}
        }
    }

    /// Returns the labels in any order; some may be equal.
    pub(super) fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let of = |value| Field::new(value, Location::Whole).label().into_owned().into();
        let integers = self.integers.iter().map(move |&value| of(Value::Integer(value)));
        let floats = self.floats.iter().map(move |&bits| of(Value::Number(f64::from_bits(bits))));
        self.texts.iter().map(|text| Cow::Borrowed(&**text)).chain(integers).chain(floats)
    }

    /// Checks that the set has all labels, of a target that messages call `what`.
    pub(super) fn check(&self, what: &str) -> Result<(), Error> {
        let Some(limit) = self.exceeded else { return Ok(()) };
        let hint = match limit {
            FEW => format!(" (up to {MANY} if the task or data.read.csv.types says that they are)"),
            _ => String::new(),
        };
        let reason = format!(
            "{what}: expected at most {limit} different numbers as the names of classes, got more{hint}"
        );
        Err(Location::Whole.error(reason))
    }
}

/// Inserts an element if there is room. Returns whether it is new.
fn insert<T: Eq + std::hash::Hash>(set: &mut HashSet<T>, element: T, has_room: bool) -> bool {
    match has_room {
        true => set.insert(element),
        false => !set.contains(&element),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: impl IntoIterator<Item = Value>, are_classes: bool) -> LabelSet {
        let mut set = LabelSet::default();
        for value in values {
            let field = Field::new(value, Location::Whole);
            set.add(&field, field.evidence(), are_classes);
        }
        set
    }

    fn sorted(set: &LabelSet) -> Vec<String> {
        let mut labels: Vec<String> = set.iter().map(Cow::into_owned).collect();
        labels.sort();
        labels
    }

    #[test]
    fn labels_are_those_of_the_fields() {
        let values = [
            Value::Cell(" walk ".into()),
            Value::Text("walk".into()),
            Value::Number(-0.0),
            Value::Number(0.0),
            Value::Number(f64::from(0.1f32)),
            Value::Integer(7),
            Value::Code(7),
            Value::Cell("7.0".into()),
        ];
        assert_eq!(sorted(&set(values, false)), ["-0", "0", "0.1", "7", "7.0", "walk"]);
    }

    #[test]
    fn numbers_are_bounded_and_names_are_not() {
        for (count, are_classes) in [(FEW, false), (MANY, true)] {
            let numbers = || (0..count as i128).map(Value::Integer);
            let again = numbers().chain([Value::Integer(3), Value::Text("walk".into())]);
            let all = set(again, are_classes);
            assert_eq!(all.iter().count(), count + 1);
            assert!(all.check("target").is_ok());
            let more = set(numbers().chain([Value::Cell("-1".into())]), are_classes);
            let error = more.check("target").unwrap_err().to_string();
            let start = format!("target: expected at most {count} different numbers as the names");
            assert!(error.starts_with(&start), "{error}");
        }
        let codes = set((0..=FEW as i128).map(Value::Code), false);
        assert!(codes.check("target").is_ok(), "a code is a name");
    }
}
