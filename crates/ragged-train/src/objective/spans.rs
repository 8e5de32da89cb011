//! Precision, recall and F1 of labelled spans in BIO tags.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A span: the steps `start..end` with a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span<'a> {
    /// The first step.
    pub start: usize,
    /// The step after the last.
    pub end: usize,
    /// The label, such as `PER` of `B-PER`.
    pub label: &'a str,
}

/// Returns the spans of BIO tags (`B-PER`, `I-PER`, `O`), by the default convention of seqeval and of CoNLL's
/// `conlleval`: an `I-` tag that continues no span of its label begins one. Any other tag ends a span.
///
/// ```
/// use ragged_train::objective::{Span, bio_spans};
///
/// let spans = bio_spans(&["B-PER", "I-PER", "O", "I-LOC", "B-LOC"]);
/// let span = |start, end, label| Span { start, end, label };
/// assert_eq!(spans, [span(0, 2, "PER"), span(3, 4, "LOC"), span(4, 5, "LOC")]);
/// ```
pub fn bio_spans<'a>(tags: &[&'a str]) -> Vec<Span<'a>> {
    let mut spans: Vec<Span> = vec![];
    for (step, tag) in tags.iter().enumerate() {
        let Some((kind @ ("B" | "I"), label)) = tag.split_once('-') else { continue };
        match spans.last_mut() {
            Some(last) if kind == "I" && last.end == step && last.label == label => last.end += 1,
            _ => spans.push(Span { start: step, end: step + 1, label }),
        }
    }
    spans
}

/// Returns whether labels are those of BIO tags: every one is `O` or begins with `B-` or `I-`, and not all are `O`.
pub(crate) fn is_bio(labels: &[String]) -> bool {
    let span = |label: &String| label.starts_with("B-") || label.starts_with("I-");
    labels.iter().any(span) && labels.iter().all(|label| label == "O" || span(label))
}

/// Counts of spans, and the scores that follow: micro averages over all sequences and labels.
///
/// ```
/// use ragged_train::objective::SpanScores;
///
/// let mut scores = SpanScores::default();
/// scores.add(&["B-PER", "O", "B-LOC"], &["B-PER", "I-PER", "B-LOC"]);
/// // One of two predicted spans is right in both ends and label, of two spans.
/// assert_eq!((scores.precision(), scores.recall(), scores.f1()), (0.5, 0.5, 0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanScores {
    /// The predicted spans that are spans of the target, with equal ends and label.
    pub correct: usize,
    /// The predicted spans.
    pub predicted: usize,
    /// The spans of the target.
    pub target: usize,
}

impl SpanScores {
    /// Adds the tags of one sequence.
    pub fn add(&mut self, prediction: &[&str], target: &[&str]) {
        let [prediction, target] = [prediction, target].map(bio_spans);
        self.predicted += prediction.len();
        self.target += target.len();
        let target: BTreeSet<Span> = target.into_iter().collect();
        self.correct += prediction.iter().filter(|span| target.contains(span)).count();
    }

    /// Adds the counts of other sequences.
    pub(super) fn merge(&mut self, other: &Self) {
        self.correct += other.correct;
        self.predicted += other.predicted;
        self.target += other.target;
    }

    /// Returns the fraction of predicted spans that are correct; zero without predicted spans, as in seqeval.
    pub fn precision(&self) -> f64 {
        ratio(self.correct, self.predicted)
    }

    /// Returns the fraction of the target's spans that are found; zero without spans, as in seqeval.
    pub fn recall(&self) -> f64 {
        ratio(self.correct, self.target)
    }

    /// Returns the harmonic mean of precision and recall; zero where both are, as in seqeval.
    pub fn f1(&self) -> f64 {
        ratio(2 * self.correct, self.predicted + self.target)
    }
}

fn ratio(count: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_end_where_the_tag_does_not_continue_them() {
        let spans = |tags: &[&'static str]| -> Vec<(usize, usize, &'static str)> {
            bio_spans(tags).into_iter().map(|span| (span.start, span.end, span.label)).collect()
        };
        assert_eq!(spans(&["B-A", "I-A", "B-A", "I-B"]), [(0, 2, "A"), (2, 3, "A"), (3, 4, "B")]);
        assert_eq!(spans(&["I-A", "O", "I-A"]), [(0, 1, "A"), (2, 3, "A")]);
        assert_eq!(spans(&["O", "X-A", "", "B"]), []);
        assert_eq!(spans(&["B-A-B", "I-A-B"]), [(0, 2, "A-B")]);
    }

    #[test]
    fn tags_of_another_scheme_are_not_bio() {
        let bio =
            |labels: &[&str]| is_bio(&labels.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(bio(&["I-A", "O"]) && bio(&["B-A"]));
        assert!(!bio(&["O"]) && !bio(&["O", "B-A", "S-A"]) && !bio(&["B", "I"]) && !bio(&[]));
    }

    #[test]
    fn scores_without_spans_are_zero() {
        let mut scores = SpanScores::default();
        scores.add(&["O"], &["O"]);
        assert_eq!((scores.precision(), scores.recall(), scores.f1()), (0.0, 0.0, 0.0));
        scores.add(&["B-A", "I-A", "O"], &["B-A", "I-A", "B-B"]);
        assert_eq!((scores.precision(), scores.recall()), (1.0, 0.5));
        assert!((scores.f1() - 2.0 / 3.0).abs() < 1e-15);
    }
}
