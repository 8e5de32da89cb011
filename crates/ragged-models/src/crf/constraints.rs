//! Transitions between tags that are forbidden.

use crate::error::{Error, Result};

/// The transitions that a CRF forbids. Forbidden paths have no probability and are never decoded.
///
/// ```
/// use ragged_models::CrfConstraints;
///
/// let constraints = CrfConstraints::bio(&["O", "B-PER", "I-PER"]);
/// assert!(!constraints.allows(0, 2) && constraints.allows(1, 2) && !constraints.allows_start(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrfConstraints {
    tags: usize,
    /// `[C, C]`: whether the transition from the row's tag to the column's is forbidden.
    pub(crate) transitions: Vec<bool>,
    /// `[C]`.
    pub(crate) start: Vec<bool>,
    pub(crate) end: Vec<bool>,
}

impl CrfConstraints {
    /// Forbids nothing among `tags` tags.
    pub fn none(tags: usize) -> Self {
        let (start, end) = (vec![false; tags], vec![false; tags]);
        Self { tags, transitions: vec![false; tags.saturating_mul(tags)], start, end }
    }

    /// Forbids what no annotation in the BIO scheme has: a label `I-X` that does not follow `B-X` or `I-X`, in
    /// particular at the start. All other labels may follow one another.
    pub fn bio<S: AsRef<str>>(labels: &[S]) -> Self {
        let mut new = Self::none(labels.len());
        for (to, label) in labels.iter().enumerate() {
            let Some(inside) = label.as_ref().strip_prefix("I-") else { continue };
            new.start[to] = true;
            for (from, label) in labels.iter().enumerate() {
                let label = label.as_ref();
                let own = label.strip_prefix("B-").or_else(|| label.strip_prefix("I-"));
                new.transitions[from * new.tags + to] = own != Some(inside);
            }
        }
        new
    }

    /// Forbids the transition from one tag to another.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a tag that does not exist.
    pub fn forbid(mut self, from: usize, to: usize) -> Result<Self> {
        for got in [from, to] {
            if got >= self.tags {
                let expected = format!("a tag below {}", self.tags);
                return Err(Error::Config { name: "tag", expected, got: got.to_string() });
            }
        }
        self.transitions[from * self.tags + to] = true;
        Ok(self)
    }

    /// Returns the number of tags.
    pub fn tags(&self) -> usize {
        self.tags
    }

    /// Returns whether a transition between two tags is allowed; tags that do not exist have none.
    pub fn allows(&self, from: usize, to: usize) -> bool {
        from < self.tags && to < self.tags && !self.transitions[from * self.tags + to]
    }

    /// Returns whether a sequence may begin with a tag.
    pub fn allows_start(&self, tag: usize) -> bool {
        self.start.get(tag) == Some(&false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_labels_continue_their_own_span() {
        let labels = ["O", "B-A", "I-A", "B-B", "I-B", "I", "X-A"];
        let constraints = CrfConstraints::bio(&labels);
        for (from, first) in labels.iter().enumerate() {
            for (to, second) in labels.iter().enumerate() {
                let forbidden = match *second {
                    "I-A" => !["B-A", "I-A"].contains(first),
                    "I-B" => !["B-B", "I-B"].contains(first),
                    _ => false,
                };
                assert_eq!(constraints.allows(from, to), !forbidden, "{first} {second}");
            }
        }
        let starts: Vec<bool> = (0..7).map(|tag| constraints.allows_start(tag)).collect();
        assert_eq!(starts, [true, true, false, true, false, true, true]);
        let constraints = constraints.forbid(0, 1).unwrap();
        assert!(!constraints.allows(0, 1) && !constraints.allows(7, 0));
        let error = constraints.forbid(0, 7).unwrap_err().to_string();
        assert_eq!(error, "tag is 7: expected a tag below 7");
    }
}
