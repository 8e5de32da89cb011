//! The confusion matrix, and the precision, recall and F1 score of each class.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// The number of examples for each pair of true class and predicted class.
///
/// ```
/// use ragged_train::objective::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::default();
/// matrix.add(2, &[0, 1, 1], &[0, 1, 0]);
/// assert_eq!((matrix.count(1, 0), matrix.score(1).recall), (1, 0.5));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row-major, one row per true class.
    counts: Vec<u64>,
}

/// Precision, recall and F1 score of one class. Where a denominator is zero, the value is 0, as in
/// scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The fraction of the examples predicted as this class that belong to it.
    pub precision: f64,
    /// The fraction of the examples of this class that were predicted as it.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// The number of examples of this class.
    pub support: u64,
}

impl ConfusionMatrix {
    /// Adds examples by their true and predicted classes. `classes` is the number of classes. An example whose true
    /// class is [missing](crate::objective::MISSING_CLASS) does not count.
    pub fn add(&mut self, classes: usize, truth: &[u32], predicted: &[u32]) {
        if self.classes == 0 {
            (self.classes, self.counts) = (classes, vec![0; classes * classes]);
        }
        let known = |(truth, _): &(&u32, &u32)| (**truth as usize) < classes;
        for (&truth, &predicted) in truth.iter().zip(predicted).filter(known) {
            self.counts[truth as usize * self.classes + predicted as usize] += 1;
        }
    }

    /// Adds the counts of other batches.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.classes == 0 {
            self.clone_from(other);
        } else {
            self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        }
    }

    /// Returns the number of examples of class `truth` that were predicted as class `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.classes + predicted]
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the fraction of correct predictions.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|k| self.count(k, k)).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Returns the mean recall of the classes that occur.
    pub fn balanced_accuracy(&self) -> f64 {
        let scores = (0..self.classes).map(|k| self.score(k)).filter(|score| score.support > 0);
        let recalls: Vec<f64> = scores.map(|score| score.recall).collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// Returns precision, recall and F1 score of a class.
    pub fn score(&self, class: usize) -> ClassScore {
        let right = self.count(class, class);
        let all = 0..self.classes;
        let predicted: u64 = all.clone().map(|truth| self.count(truth, class)).sum();
        let support: u64 = all.map(|predicted| self.count(class, predicted)).sum();
        let ratio = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
        ClassScore {
            precision: ratio(right, predicted),
            recall: ratio(right, support),
            f1: ratio(2 * right, predicted + support),
            support,
        }
    }

    /// Returns precision, recall and F1 score of a class, or `None` if there is no such class.
    pub(crate) fn class_score(&self, class: usize) -> Option<ClassScore> {
        (class < self.classes).then(|| self.score(class))
    }

    /// Returns the F1 score averaged over the classes with equal weights (macro average).
    pub fn mean_f1(&self) -> f64 {
        (0..self.classes).map(|k| self.score(k).f1).sum::<f64>() / self.classes as f64
    }

    /// Returns the matrix and the scores of every class as text in aligned columns.
    pub fn table(&self, labels: &[String]) -> String {
        let label = |k: usize| labels.get(k).map_or_else(|| k.to_string(), Clone::clone);
        let widest = (0..self.classes).map(|k| label(k).chars().count()).max().unwrap_or(0);
        let digits = self.counts.iter().max().map_or(1, |most| most.to_string().len());
        let (first, cell) = (widest.max("true".len()), widest.max(digits).max(3));
        let mut text = format!("{:>first$}  predicted\n{:>first$} ", "true", "");
        for k in 0..self.classes {
            let _ = write!(text, " {:>cell$}", label(k));
        }
        text += "   precision  recall      F1  examples\n";
        for truth in 0..self.classes {
            let _ = write!(text, "{:>first$} ", label(truth));
            for predicted in 0..self.classes {
                let _ = write!(text, " {:>cell$}", self.count(truth, predicted));
            }
            let ClassScore { precision, recall, f1, support } = self.score(truth);
            let _ = writeln!(text, "   {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {support:>8}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_equal_scikit_learns() {
        let mut confusion = ConfusionMatrix::default();
        confusion.add(3, &[0, 1, 2, 0], &[0, 2, 1, 0]);
        confusion.add(3, &[1, 2], &[0, 1]);
        // The example in the documentation of scikit-learn's `precision_recall_fscore_support`.
        let of = |k| confusion.score(k);
        assert!((of(0).precision - 2.0 / 3.0).abs() < 1e-15 && of(0).recall == 1.0);
        assert!((of(0).f1 - 0.8).abs() < 1e-15);
        assert_eq!((of(1).precision, of(1).recall, of(1).f1, of(2).support), (0.0, 0.0, 0.0, 2));
        assert!((confusion.mean_f1() - 0.26666666666666666).abs() < 1e-15);
        assert!((confusion.accuracy() - 1.0 / 3.0).abs() < 1e-15);
        let table = confusion.table(&["a".into(), "bb".into(), "c".into()]);
        let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(rows[3], ["bb", "1", "0", "1", "0.0000", "0.0000", "0.0000", "2"]);
    }
}
