//! Several labels at once: which of them are predicted, and which are right.

use serde::{Deserialize, Serialize};

/// Counts over all rows of labels, each 0 or 1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelSums {
    labels: Vec<LabelSum>,
    rows: u64,
    /// Rows of which every label is right.
    exact: u64,
}

/// Counts of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelSum {
    true_positives: u64,
    false_positives: u64,
    false_negatives: u64,
}

impl LabelSum {
    /// The F1 score; 0 where the label neither occurs nor is predicted, as in scikit-learn.
    fn f1(self) -> f64 {
        let Self { true_positives, false_positives, false_negatives } = self;
        let of = 2 * true_positives + false_positives + false_negatives;
        if of == 0 { 0.0 } else { 2.0 * true_positives as f64 / of as f64 }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            true_positives: self.true_positives + other.true_positives,
            false_positives: self.false_positives + other.false_positives,
            false_negatives: self.false_negatives + other.false_negatives,
        }
    }
}

impl LabelSums {
    /// Adds rows of K probabilities and of K targets, of which NaN is missing. A label is predicted from a probability
    /// of more than one half.
    pub(super) fn add(&mut self, probabilities: &[f64], targets: &[f64], labels: usize) {
        self.labels.resize(labels, LabelSum::default());
        for (row, wanted) in probabilities.chunks_exact(labels).zip(targets.chunks_exact(labels)) {
            let (mut known, mut right) = (0, 0);
            for ((sum, p), y) in self.labels.iter_mut().zip(row).zip(wanted) {
                if y.is_nan() {
                    continue;
                }
                let (predicted, present) = (*p > 0.5, *y > 0.5);
                known += 1;
                right += usize::from(predicted == present);
                sum.true_positives += u64::from(predicted && present);
                sum.false_positives += u64::from(predicted && !present);
                sum.false_negatives += u64::from(!predicted && present);
            }
            self.rows += u64::from(known > 0);
            self.exact += u64::from(known > 0 && known == right);
        }
    }

    /// Adds the counts of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        self.labels.resize(self.labels.len().max(other.labels.len()), LabelSum::default());
        self.labels.iter_mut().zip(&other.labels).for_each(|(sum, label)| *sum = sum.plus(*label));
        self.rows += other.rows;
        self.exact += other.exact;
    }

    /// Returns the metrics by name, the one that is usually quoted first.
    pub(super) fn finish(&self) -> Vec<(&'static str, f64)> {
        let scores = self.labels.iter().map(|label| label.f1());
        let all = self.labels.iter().fold(LabelSum::default(), |sum, label| sum.plus(*label));
        vec![
            ("f1", scores.sum::<f64>() / self.labels.len() as f64),
            ("f1_micro", all.f1()),
            ("accuracy", self.exact as f64 / self.rows as f64),
        ]
    }
}
