//! The spans of predicted and of true tags, accumulated over batches.

use ragged_sequence::PackedLayout;
use serde::{Deserialize, Serialize};

use crate::objective::spans::SpanScores;

/// Counts the spans of classes whose labels are BIO tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpanSums {
    labels: Vec<String>,
    scores: SpanScores,
}

/// The names of the metrics.
pub(super) const NAMES: [&str; 3] = ["span_f1", "span_precision", "span_recall"];

impl SpanSums {
    pub(super) fn new(labels: &[String]) -> Self {
        Self { labels: labels.to_vec(), scores: SpanScores::default() }
    }

    /// Adds a batch, given by the predicted and the true class of each packed row. A class that is missing has no tag:
    /// no span continues over it, and neither does a predicted one.
    pub(super) fn add(&mut self, layout: &PackedLayout, predicted: &[u32], wanted: &[u32]) {
        let tag = |class: u32| self.labels.get(class as usize).map_or("", String::as_str);
        let mut sequences = vec![(vec![], vec![]); layout.batch_size()];
        for ((sequence, _), (&predicted, &wanted)) in
            layout.positions().zip(predicted.iter().zip(wanted))
        {
            let wanted = tag(wanted);
            let (predictions, targets) = &mut sequences[sequence];
            predictions.push(if wanted.is_empty() { wanted } else { tag(predicted) });
            targets.push(wanted);
        }
        for (predictions, targets) in &sequences {
            self.scores.add(predictions, targets);
        }
    }

    /// Adds the counts of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        self.scores.merge(&other.scores);
    }

    /// Returns the metrics by name, the one that is usually quoted first.
    pub(super) fn finish(&self) -> [(&'static str, f64); 3] {
        let [f1, precision, recall] = NAMES;
        let scores = &self.scores;
        [(f1, scores.f1()), (precision, scores.precision()), (recall, scores.recall())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::targets::MISSING_CLASS;

    #[test]
    fn spans_are_those_of_each_sequence() {
        let labels = ["O", "B-A", "I-A"].map(String::from);
        let mut sums = SpanSums::new(&labels);
        // The rows are steps 0 of both sequences, then the other two of the second.
        let layout = PackedLayout::from_lengths(&[1, 3]);
        let rows: Vec<_> = layout.positions().collect();
        assert_eq!(rows, [(1, 0), (0, 0), (1, 1), (1, 2)]);
        sums.add(&layout, &[1, 1, 2, 0], &[1, 1, 2, 2]);
        let [f1, precision, recall] = sums.finish();
        assert_eq!([f1.1, precision.1, recall.1], [0.5; 3]);
        // A span does not count where its target is missing.
        sums.add(&PackedLayout::from_lengths(&[2]), &[0, 1], &[0, MISSING_CLASS]);
        assert_eq!(sums.finish(), [f1, precision, recall]);
    }
}
